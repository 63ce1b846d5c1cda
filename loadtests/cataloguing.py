"""What a product feed costs: time and memory of taking it, of taking it again, and of looking at it while serving.

    python -m loadtests.cataloguing --items 1000000

Starts a live store of its own in a folder that goes afterwards. One line of JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from baliza import stores
from baliza.embedded.valkey import EmbeddedValkey
from baliza.settings import Settings
from baliza.sites import add_site
from personalizer.catalogue.item import CatalogueItem, encode_item
from personalizer.catalogue.live import LiveCatalogue
from personalizer.catalogue.store import CatalogueStore
from personalizer.learning.history import Interactions, Items, Parameters, with_catalogue
from personalizer.learning.train import learn
from personalizer.models.model import Model

__all__ = ["feed_lines", "main"]

MIB = 1024 * 1024


def feed_lines(items: int, changed: int = 0) -> Iterator[str]:
    """A feed as Google wants it; the first `changed` items have another price."""
    yield '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>\n'
    for number in range(items):
        price = f"{number % 500 + (1 if number < changed else 0)}.90"
        yield (
            f"<item><g:id>SKU-{number:07d}</g:id>"
            f"<g:title>Thing number {number} of a shop, in blue, size {number % 40}</g:title>"
            f"<g:description>{'A description as feeds have them, which nobody keeps. ' * 6}</g:description>"
            f"<g:link>https://shop.example/products/{number:07d}?utm_source=google</g:link>"
            f"<g:image_link>https://cdn.shop.example/images/{number:07d}-large.jpg</g:image_link>"
            f"<g:price>{price} EUR</g:price><g:availability>in_stock</g:availability><g:brand>Brand {number % 300}</g:brand>"
            f"<g:product_type>Shelf {number % 40} &gt; Board {number % 900}</g:product_type>"
            f"<g:item_group_id>G{number // 4}</g:item_group_id>"
            f"<g:cost_of_goods_sold>{number % 500 // 2}.10 EUR</g:cost_of_goods_sold></item>\n"
        )
    yield "</channel></rss>\n"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    count = parser.parse_args().items
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = EmbeddedValkey(folder / "valkey")
        server.start()
        try:
            settings = Settings(data_dir=folder, redis_url=server.url)
            print(json.dumps({"items": count, **_measured(settings, folder, count)}))
        finally:
            server.stop()


def _measured(settings: Settings, folder: Path, count: int) -> dict[str, object]:
    found: dict[str, object] = {}
    with stores.redis(settings) as redis:
        stores.install(redis, settings)
        add_site(redis, "shop", ["https://shop.example"])
        feed = folder / "feed.xml"
        for step, changed in (("first", 0), ("again", 0), ("hundredth", count // 100)):
            with feed.open("w") as opened:
                opened.writelines(feed_lines(count, changed))
            found |= {f"{step}_{key}": value for key, value in _imported(settings, feed).items()}
        found["feed_mib"] = round(feed.stat().st_size / MIB)
        found["store_mib"] = round(redis.info("memory")["used_memory"] / MIB)
        return found | _served(CatalogueStore(redis, settings.partitions))


def _imported(settings: Settings, feed: Path) -> dict[str, object]:
    """Of the command in a process of its own: seconds, CPU seconds, memory at most."""
    env = os.environ | {"BALIZA_REDIS_URL": settings.redis_url, "BALIZA_DATA_DIR": str(settings.data_dir)}
    code = (
        "import resource, sys\nfrom baliza.cli import main\ntry:\n    main(['catalogue', 'import', sys.argv[1]])\nfinally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n    print(used.ru_maxrss, used.ru_utime + used.ru_stime)"
    )
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", code, str(feed)], env=env, capture_output=True, text=True, check=True)
    peak_kib, cpu_s = ran.stdout.split()[-2:]
    return {"s": round(time.monotonic() - began, 1), "cpu_s": round(float(cpu_s), 1), "peak_mib": int(peak_kib) // 1024}


def _served(store: CatalogueStore) -> dict[str, object]:
    began = time.monotonic()
    copy = store.copy("shop")
    items = with_catalogue(Items([], np.zeros((0, 3))), copy)
    copied_s = time.monotonic() - began
    nothing = Interactions(np.zeros(0, np.uint64), np.zeros(0, np.int32), *(np.zeros(0, np.float32),) * 3)
    learned = learn(items, nothing, Parameters())
    model = Model.of_arrays(learned.arrays(), "measured")
    live = LiveCatalogue(store, lambda: time.time_ns() // 1_000_000, time.monotonic)
    took: dict[str, object] = {"copy_s": round(copied_s, 1)}
    took["first_view_ms"] = _ms(lambda: live.view("shop", model))
    took["first_look_ms"] = _ms(live.look)
    took["look_ms"] = _ms(live.look)
    changed = CatalogueItem(currency="EUR", price_micros=5_000_000, availability="out_of_stock")
    store.apply("shop", store.partition_of("SKU-0000007"), {"SKU-0000007": encode_item(changed)})
    store.ring("shop", time.time_ns() // 1_000_000)
    took["look_after_change_ms"] = _ms(live.look)
    view = live.view("shop", model)
    assert not view.sellable[model.find_items(["SKU-0000007"])[0]]
    began = time.perf_counter()
    for _ in range(100_000):
        live.view("shop", model)
    took["view_ns"] = round((time.perf_counter() - began) * 1e4)
    took["peak_mib_of_this"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return took


def _ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return round((time.perf_counter() - began) * 1000, 2)


if __name__ == "__main__":
    main()
