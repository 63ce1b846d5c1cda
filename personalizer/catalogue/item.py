"""An item of the catalogue as it is kept, and how it is joined with what events say of the same item. Pure.

A feed wins over events, field by field: what the feed does not say is learned from the beacon's items.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from personalizer.models.goods import AVAILABILITIES, KINDS, NEVER, UNKNOWN, Goods
from personalizer.models.model import Availability, ItemFacts, Kind, find, sorted_names

__all__ = [
    "LEVELS",
    "CatalogueItem",
    "decode_item",
    "digest",
    "encode_item",
    "first_level",
    "goods_of",
    "item_facts",
    "joined_facts",
    "merged_item",
    "usual_currency",
]

LEVELS: Final = " > "  # stands between the levels of a category


class CatalogueItem(Struct, array_like=True, frozen=True, kw_only=True):
    """What feeds say of an item; None where they say nothing. Money in whole micro-units, instants in ms.

    Kept as MessagePack under its id. Fields are told apart by their place: append only. removed: taken out by hand, and
    not to be learned from events either. first_seen_ms: 0 when it was in the first feed.
    """

    name: str | None = None
    categories: str | None = None
    brand: str | None = None
    currency: str | None = None
    price_micros: int | None = None
    sale_price_micros: int | None = None
    sale_from_ms: int | None = None
    sale_until_ms: int | None = None
    cost_micros: int | None = None
    availability: Availability | None = None
    url: str | None = None
    image: str | None = None
    variant_of: str | None = None
    kind: Kind | None = None
    consumable: bool | None = None
    placements: tuple[str, ...] | None = None
    excluded_placements: tuple[str, ...] | None = None
    expires_ms: int | None = None
    added_ms: int | None = None
    first_seen_ms: int = 0
    removed: bool = False


encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(CatalogueItem).decode


def digest(row: bytes) -> int:
    """64 bits that stand for a row as stored; never 0."""
    return int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") or 1


def first_level(categories: str) -> str:
    """Of "Light > Lamps" the "Light"."""
    return categories.partition(LEVELS)[0]


def item_facts(item_id: str, item: CatalogueItem, known: ItemFacts | None = None) -> ItemFacts:
    """The facts of a feed's item, completed with what is known from events (or from an older copy of the same item)."""
    known = known or ItemFacts(item_id, "", "", None, "", "", "")
    categories = item.categories or known.categories
    price, currency = known.price_micros, known.currency
    if item.price_micros is not None and item.currency:
        price, currency = item.price_micros, item.currency
    return ItemFacts(
        item_id=item_id,
        name=item.name or known.name,
        category=first_level(categories) or known.category,
        price_micros=price,
        currency=currency,
        url=item.url or known.url,
        image=item.image or known.image,
        brand=item.brand or known.brand,
        categories=categories,
        availability="out_of_stock" if item.removed else item.availability or "",
        list_price_micros=price,
        sale_price_micros=item.sale_price_micros,
        sale_from_ms=item.sale_from_ms,
        sale_until_ms=item.sale_until_ms,
        margin_micros=None if item.cost_micros is None or price is None else price - item.cost_micros,
        variant_of=item.variant_of or "",
        first_seen_ms=item.added_ms if item.added_ms is not None else item.first_seen_ms,
        expires_ms=item.expires_ms,
        kind=item.kind or "product",
        consumable=item.consumable,
        placements=item.placements or (),
        excluded_placements=item.excluded_placements or (),
        listed=True,
    )


def joined_facts(learned: Iterable[ItemFacts], rows: Iterable[tuple[str, CatalogueItem]]) -> list[ItemFacts]:
    """All items of events and of feeds, in the order of their ids' bytes."""
    found = {facts.item_id: facts for facts in learned}
    for item_id, item in rows:
        found[item_id] = item_facts(item_id, item, found.get(item_id))
    return sorted(found.values(), key=lambda facts: facts.item_id.encode())


def goods_of(
    facts: Sequence[ItemFacts],
    *,
    digests: Mapping[str, int] | None = None,
    complete: bool = False,
    epoch: bytes = b"",
    copied: NDArray[np.int64] | None = None,
    currency: str | None = None,
) -> Goods:
    """The arrays of facts as stored (not after at()), which come in the order of their ids' bytes.

    currency: of the amounts that count, by default usual_currency(); others would be compared with them as if they were.
    """
    digests = digests or {}
    counted = currency if currency is not None else usual_currency(facts)
    priced = [entry if entry.currency in (counted, "") else _NO_MONEY for entry in facts]
    variants = sorted_names([entry.variant_of for entry in facts if entry.variant_of])
    placed = [number for number, entry in enumerate(facts) if entry.placements or entry.excluded_placements]
    return Goods(
        price=_money([entry.price_micros for entry in priced]),
        sale_price=_money([entry.sale_price_micros for entry in priced]),
        sale_from_s=_instants([entry.sale_from_ms for entry in facts], 0),
        sale_until_s=_instants([entry.sale_until_ms for entry in facts], NEVER),
        cost=_money([_cost(entry) for entry in priced]),
        availability=np.array([AVAILABILITIES.index(entry.availability) for entry in facts], np.uint8),
        expires_s=_instants([entry.expires_ms for entry in facts], NEVER),
        first_seen_s=_instants([entry.first_seen_ms for entry in facts], 0),
        kind=np.array([KINDS.index(entry.kind) for entry in facts], np.uint8),
        consumable=np.array([UNKNOWN if entry.consumable is None else entry.consumable for entry in facts], np.int8),
        listed=np.array([entry.listed for entry in facts], np.bool_),
        variant_of=np.array(find(variants, [entry.variant_of for entry in facts]), np.int32),
        digest=np.array([digests.get(entry.item_id, 0) for entry in facts], np.uint64),
        variants=variants,
        placed=np.array(placed, np.int32),
        complete=np.array([complete], np.bool_),
        epoch=np.frombuffer(epoch, np.uint8),
        copied=np.zeros((0, 2), np.int64) if copied is None else copied,
    )


def usual_currency(facts: Iterable[ItemFacts]) -> str:
    """The currency of most prices, the first by name of several; empty where nobody said one."""
    counts = Counter(entry.currency for entry in facts if entry.price_micros is not None and entry.currency)
    return min(counts, key=lambda name: (-counts[name], name), default="")


_NO_MONEY: Final = ItemFacts("", "", "", None, "", "", "")


def _cost(entry: ItemFacts) -> int | None:
    if entry.margin_micros is None or entry.price_micros is None:
        return None
    return entry.price_micros - entry.margin_micros


def _money(micros: Sequence[int | None]) -> NDArray[np.float32]:
    return np.array([np.nan if amount is None else amount / 1e6 for amount in micros], np.float32)


def _instants(instants_ms: Sequence[int | None], otherwise: int) -> NDArray[np.int64]:
    return np.array([otherwise if instant is None else instant // 1000 for instant in instants_ms], np.int64)


def merged_item(before: CatalogueItem | None, said: Mapping[str, object]) -> CatalogueItem:
    """The item after `said` (fields of CatalogueItem) was said of it; what is not named stays. It is no longer removed."""
    return structs.replace(before or CatalogueItem(), **said, removed=False)
