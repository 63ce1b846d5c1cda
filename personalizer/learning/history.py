"""What training reads from the history: the period, the items, and what sessions did with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from baliza.sites import Site
from baliza.stores import History, query
from personalizer.catalogue.item import decode_item, digest, goods_of, joined_facts
from personalizer.catalogue.store import CatalogueCopy
from personalizer.learning.days import Clicks
from personalizer.learning.hosts import Hosts, Word
from personalizer.learning.span import DAY_MS, Span
from personalizer.models.goods import Goods
from personalizer.models.model import ItemFacts
from schema.events import to_micros

__all__ = [
    "Interactions",
    "Items",
    "Parameters",
    "Progress",
    "interactions_of",
    "read_items",
    "shop_address",
    "with_catalogue",
]

ROWS_AT_ONCE: Final = 20_000
PIECE: Final = 2_000_000  # clicks that are counted at once, about
# What is first seen this long after the history begins was not there before; of what came earlier nobody knows.
SETTLED_MS: Final = 7 * DAY_MS
CAMPAIGN_MARKS: Final = ("utm_", "gclid", "fbclid", "msclkid", "dclid", "gbraid", "wbraid", "_ga", "mc_")

# What is being done, and how much of all is done, from 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Parameters:
    """How a model is learned; written down with it. shrinkage, support: in squared weights, about so many
    sessions."""

    neighbours: int = 50
    max_clicks_per_session: int = 200
    bought_shrinkage: float = 2.0
    bought_support: float = 1.0
    viewed_shrinkage: float = 10.0
    half_life_days: float = 14.0
    sellers: int = 500
    sellers_per_category: int = 100
    most_items: int = 3_000_000


@dataclass(frozen=True)
class Items:
    """Facts by item, and decayed purchases, cart adds and views, of shape (items, 3). goods: the facts as arrays."""

    facts: list[ItemFacts]
    counts: NDArray[np.float64]
    goods: Goods | None = None


@dataclass(frozen=True)
class Interactions:
    """Session × item triples; all of shape (n,)."""

    sessions: NDArray[np.uint64]
    items: NDArray[np.int32]
    views: NDArray[np.float32]
    cart_adds: NDArray[np.float32]
    purchases: NDArray[np.float32]


def read_items(history: History, site: Site, span: Span, parameters: Parameters) -> Items:
    """All items that sessions touched, in the order of their ids' bytes. Raises StoreDown."""
    asked = {
        "site": site.name,
        "since_ms": span.since_ms,
        "until_ms": span.until_ms,
        "origins": list(site.origins),
        "trust_browser": int(site.trust_browser),
        "most_items": parameters.most_items,
        "half_life_ms": int(parameters.half_life_days * DAY_MS),
    }
    rows = [row for chunk in history.chunks(query("train_items"), asked, ROWS_AT_ONCE) for row in chunk]
    pages, images = [_page(row) for row in rows], [_address(row[6]) for row in rows]
    on_pages, on_images = Hosts.of(site.origins, pages), Hosts.of(site.origins, images)
    facts = [
        _facts(row, on_pages.taken(page), on_images.taken(image), span)
        for row, page, image in zip(rows, pages, images, strict=True)
    ]
    return Items(facts, np.array([row[9:] for row in rows], np.float64).reshape(-1, 3))


def with_catalogue(items: Items, copy: CatalogueCopy | None) -> Items:
    """The items of events together with those of the shop's feed, in the order of their ids' bytes. Pure."""
    if copy is None:
        return items
    facts = joined_facts(items.facts, ((item_id, decode_item(row)) for item_id, row in copy.rows.items()))
    place_of = {entry.item_id: place for place, entry in enumerate(facts)}
    counts = np.zeros((len(facts), 3))
    counts[[place_of[entry.item_id] for entry in items.facts]] = items.counts
    goods = goods_of(
        facts,
        digests={item_id: digest(row) for item_id, row in copy.rows.items()},
        complete=copy.state.complete,
        epoch=copy.state.epoch,
        copied=copy.positions,
    )
    return Items(facts, counts, goods)


def interactions_of(clicks: Clicks) -> Interactions:
    """What each session did with each item, from clicks that are numbered as the items are. Pure.

    In pieces of whole sessions: to count all clicks of a large shop at once takes several times their memory.
    """
    if not len(clicks):
        return Interactions(clicks.sessions, clicks.items, *(np.zeros(0, np.float32),) * 3)
    # They come ordered by session.
    edges = np.concatenate(([0], np.flatnonzero(clicks.sessions[1:] != clicks.sessions[:-1]) + 1, [len(clicks)]))
    near = np.minimum(np.searchsorted(edges, np.arange(0, len(clicks) + PIECE, PIECE)), len(edges) - 1)
    parts = [_interactions(clicks, begin, end) for begin, end in pairwise(np.unique(edges[near]).tolist())]
    return Interactions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _interactions(clicks: Clicks, begin: int, end: int) -> tuple[NDArray[Any], ...]:
    """The columns of Interactions for the clicks begin:end."""
    sessions, items, kinds = clicks.sessions[begin:end], clicks.items[begin:end], clicks.kinds[begin:end]
    place = np.concatenate(([0], np.cumsum(sessions[1:] != sessions[:-1])))
    cells, first, cell_of = np.unique(place * len(clicks.names) + items, return_index=True, return_inverse=True)
    counts = (np.bincount(cell_of, kinds == kind, minlength=len(cells)).astype(np.float32) for kind in (0, 1, 2))
    return sessions[first], items[first], *counts


def _page(row: Sequence[Any]) -> Word:
    """The item's own address, else that of the page on which it alone was seen."""
    own = _address(row[4])
    return own if own[0] else _address(row[5])


def _address(said: Word) -> Word:
    return shop_address(said[0]), said[1]


def _facts(row: Sequence[Any], url: str, image: str, span: Span) -> ItemFacts:
    item_id, name, category, price = row[:4]
    brand, first_seen_ms = row[7:9]
    amount, _, currency = price.partition(" ")
    return ItemFacts(
        item_id=item_id,
        name=name,
        category=category,
        price_micros=to_micros(Decimal(amount)) if amount else None,
        currency=currency,
        url=url,
        image=image,
        brand=brand,
        first_seen_ms=first_seen_ms if first_seen_ms - span.first_ms >= SETTLED_MS else 0,
    )


def shop_address(url: str) -> str:
    """The address without what a campaign or a person left in it; empty when a browser should not be sent there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return ""
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_mark(name)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))


def _is_mark(name: str) -> bool:
    return name.lower().startswith(CAMPAIGN_MARKS)
