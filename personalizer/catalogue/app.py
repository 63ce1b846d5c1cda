"""The catalogue over HTTP, for shops' servers: PUT a whole feed, POST some items, read, delete. Secret key only."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

from flask import Flask, Response, request
from msgspec import structs

from baliza.errors import BadRequest, NotFound
from baliza.http import int_argument, json_answer, site_of_secret
from baliza.settings import Settings
from baliza.sites import SiteRegistry
from baliza.stores import RedisClient
from personalizer.catalogue.apart import SMALL, Order, take, take_apart
from personalizer.catalogue.feeds import FORMATS, FeedFormat
from personalizer.catalogue.importing import Mode, importer_of
from personalizer.catalogue.item import decode_item
from personalizer.catalogue.overlap import overlap
from personalizer.catalogue.shown import shown
from personalizer.catalogue.store import CatalogueStore
from personalizer.models.store import ModelStore

__all__ = ["PATH", "add_catalogue_routes"]

PATH: Final = "/v1/catalogue"
# What a Content-Type says for sure. XML and text are looked at: shops call them all sorts of things.
FORMAT_OF_TYPE: Final[dict[str, FeedFormat]] = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "text/tab-separated-values": "tsv",
    "text/csv": "csv",
}


def add_catalogue_routes(
    app: Flask, settings: Settings, redis: RedisClient, registry: Callable[[], SiteRegistry], now_ms: Callable[[], int]
) -> None:
    """Let the app answer under /v1/catalogue. redis: a client that may take its time, unlike the one of offers."""
    routes = _Catalogue(settings, redis, registry, now_ms)
    app.add_url_rule(PATH, "catalogue_replace", lambda: routes.take("replace"), methods=["PUT"])
    app.add_url_rule(PATH, "catalogue_merge", lambda: routes.take("merge"), methods=["POST", "PATCH"])
    app.add_url_rule(PATH, "catalogue", routes.page, methods=["GET"])
    app.add_url_rule(f"{PATH}/<path:item_id>", "catalogue_item", routes.item, methods=["GET"])
    app.add_url_rule(f"{PATH}/<path:item_id>", "catalogue_remove", routes.remove, methods=["DELETE"])


@dataclass(frozen=True)
class _Catalogue:
    settings: Settings
    redis: RedisClient
    registry: Callable[[], SiteRegistry]
    now_ms: Callable[[], int]

    def take(self, mode: Mode) -> Response:
        site = site_of_secret(self.registry())
        dry_run, force = _flag("dry_run"), _flag("force")
        order, feed = Order(site.name, mode, _format(), dry_run, force), request.get_data(cache=False)
        if len(feed) <= SMALL:
            report = take(self.redis, self.settings, site, order, BytesIO(feed), self.now_ms)
        else:
            report = take_apart(self.settings, order, feed)
        if mode == "replace" and not dry_run:
            found = overlap(self._store(), ModelStore(self.settings.model_dir), site.name)
            report = structs.replace(report, warning=found.warning if found else "")
        return json_answer(report)

    def page(self) -> Response:
        store, site = self._store(), site_of_secret(self.registry()).name
        limit = int_argument("limit", 50, 1, 1000)
        partition, cursor = _place(request.args.get("cursor", "0.0"), store.partitions)
        found: list[dict[str, object]] = []
        while partition < store.partitions and len(found) < limit:
            cursor, rows = store.some_rows(site, partition, cursor)
            found += [shown(item_id, decode_item(row)) for item_id, row in rows.items()]
            partition += not cursor
        state = store.state(site)
        return json_answer(
            {
                "complete": bool(state and state.complete),
                "updated_at": datetime.fromtimestamp(state.updated_ms / 1000, UTC) if state and state.updated_ms else None,
                "size": store.size(site),
                "items": found,
                "next": f"{partition}.{cursor}" if partition < store.partitions else None,
            }
        )

    def item(self, item_id: str) -> Response:
        site = site_of_secret(self.registry()).name
        item = self._store().get(site, item_id)
        if item is None:
            raise NotFound(f"the catalogue has no item {item_id[:100]!r}")
        return json_answer(shown(item_id, item))

    def remove(self, item_id: str) -> Response:
        site = site_of_secret(self.registry())
        if not importer_of(self.redis, self.settings, site, self.now_ms).remove([item_id]):
            raise NotFound(f"the catalogue has no item {item_id[:100]!r}")
        return Response(status=204)

    def _store(self) -> CatalogueStore:
        return CatalogueStore(self.redis, self.settings.partitions)


def _flag(name: str) -> bool:
    given = request.args.get(name, "0")
    if given not in ("0", "1"):
        raise BadRequest(f"{name}: expected 0 or 1, got {given[:50]!r}")
    return given == "1"


def _format() -> FeedFormat | None:
    """As the query says, else the Content-Type; None when only the feed's looks can tell."""
    asked = request.args.get("format")
    if asked is not None:
        if asked not in FORMATS:
            raise BadRequest(f"format: expected one of {', '.join(FORMATS)}, got {asked[:50]!r}")
        return asked  # type: ignore[return-value]
    return FORMAT_OF_TYPE.get(request.mimetype)


def _place(cursor: str, partitions: int) -> tuple[int, int]:
    """Partition and place in it, as `next` of a page says."""
    partition, _, place = cursor.partition(".")
    if not (partition.isascii() and partition.isdigit() and place.isascii() and place.isdigit()) or len(cursor) > 40:
        raise BadRequest(f"cursor: expected `next` of the page before, got {cursor[:50]!r}")
    return min(int(partition), partitions), int(place)
