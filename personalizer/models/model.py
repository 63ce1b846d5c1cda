"""What training learns and serving reads: plain arrays, so that all processes of a box share one copy in memory.

Items and categories are numbers inside a model: their place in the sorted arrays of their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from personalizer.feedback.responses import Responses
from personalizer.kept import Kept
from personalizer.models.goods import UNKNOWN, Goods
from personalizer.models.habits import Habits
from personalizer.models.next_item import NextItem
from schema.events import from_micros

__all__ = [
    "FORMAT",
    "UNKNOWN",
    "Availability",
    "ByteColumn",
    "ItemFacts",
    "Kind",
    "Model",
    "Ragged",
    "find",
    "places_of",
    "places_or_beyond",
    "sorted_names",
]

FORMAT: Final = 3  # rises when serving code of before could not read what training writes
NEXT_ITEM: Final = "next_item."  # what the ranker's arrays begin with
MOST_MET: Final = 50_000  # names of items whose numbers a process keeps

Availability = Literal["", "in_stock", "out_of_stock", "preorder", "backorder"]
Kind = Literal["product", "promotion", "editorial", "subscription"]
Ints = NDArray[np.int64]
Items = NDArray[np.int32]
Scores = NDArray[np.float32]
Names = NDArray[np.bytes_]
Arrays = Mapping[str, NDArray[np.generic]]


class ItemFacts(Struct, array_like=True, frozen=True):
    """What was last said about an item; empty where nobody said it. Money in whole micro-units, instants in ms.

    category: the first level of `categories` ("Light > Lamps"). price_micros: as stored the regular price, after at() what
    it costs then; margin_micros belongs to it. variant_of: name of the group of which one is shown. first_seen_ms: 0 when
    it was there from the beginning. placements: where alone it may be shown, if any are named.
    """

    item_id: str
    name: str
    category: str
    price_micros: int | None
    currency: str
    url: str
    image: str
    brand: str = ""
    categories: str = ""
    availability: Availability = ""
    list_price_micros: int | None = None
    sale_price_micros: int | None = None
    sale_from_ms: int | None = None
    sale_until_ms: int | None = None
    margin_micros: int | None = None
    variant_of: str = ""
    first_seen_ms: int = 0
    expires_ms: int | None = None
    kind: Kind = "product"
    consumable: bool | None = None
    placements: tuple[str, ...] = ()
    excluded_placements: tuple[str, ...] = ()
    listed: bool = False  # a feed has it; else it is known from events only

    @property
    def title(self) -> str:
        return self.name or self.item_id

    @property
    def price(self) -> Decimal | None:
        return None if self.price_micros is None else from_micros(self.price_micros)

    @property
    def list_price(self) -> Decimal | None:
        """The regular price, None when nobody said one."""
        return None if self.list_price_micros is None else from_micros(self.list_price_micros)

    def on_sale(self, now_ms: int) -> bool:
        """True when the sale price holds now."""
        begins, ends = self.sale_from_ms, self.sale_until_ms
        begun = begins is None or begins <= now_ms
        return self.sale_price_micros is not None and begun and (ends is None or now_ms < ends)

    def at(self, now_ms: int) -> "ItemFacts":
        """With the price, and the margin, of this instant. To be asked of facts as stored."""
        if not self.on_sale(now_ms) or self.sale_price_micros is None:
            return self
        regular = self.price_micros if self.price_micros is not None else self.sale_price_micros
        margin = None if self.margin_micros is None else self.margin_micros - (regular - self.sale_price_micros)
        return msgspec.structs.replace(self, price_micros=self.sale_price_micros, margin_micros=margin)


@dataclass(frozen=True)
class Ragged:
    """Rows of different length: row r is items[starts[r]:starts[r + 1]] with its scores in [0, 1], best first."""

    starts: Ints
    items: Items
    scores: Scores

    def row(self, number: int) -> tuple[Items, Scores]:
        """Items and scores of one row, both of shape (length,); views, not copies."""
        begin, end = self.starts[number], self.starts[number + 1]
        return self.items[begin:end], self.scores[begin:end]

    def sound(self, rows: int, items: int) -> bool:
        """True when every row lies within the arrays and every item is one of `items`."""
        return bool(
            self.starts.shape == (rows + 1,)
            and self.items.shape == self.scores.shape == (self.starts[-1],)
            and self.starts[0] == 0
            and (np.diff(self.starts) >= 0).all()
            and ((self.items >= 0) & (self.items < items)).all()
        )


@dataclass(frozen=True)
class ByteColumn:
    """Byte strings of any length behind each other."""

    starts: Ints
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "ByteColumn":
        starts = np.zeros(len(values) + 1, np.int64)
        np.cumsum([len(value) for value in values], out=starts[1:])
        return cls(starts, np.frombuffer(b"".join(values), np.uint8))

    def __getitem__(self, number: int) -> bytes:
        return self.data[self.starts[number] : self.starts[number + 1]].tobytes()


_facts_decoder = msgspec.json.Decoder(ItemFacts)


@dataclass(frozen=True)
class Model:
    """Everything learned about one site.

    bought, viewed: for each item those bought (viewed) together with it. sellers: one row, best first;
    category_sellers: a row a category. category_of: category of each item, UNKNOWN where none.
    goods: the catalogue's facts as arrays; None in models of before. next_item: the ranker of what comes next; None where
    there was nothing to learn it from. habits: what is bought again; None in models of before. responses: how visitors
    answered offers; None in models of before.
    """

    item_ids: Names
    facts_column: ByteColumn
    categories: Names
    category_of: Items
    bought: Ragged
    viewed: Ragged
    sellers: Ragged
    category_sellers: Ragged
    version: str = ""
    goods: Goods | None = None
    next_item: NextItem | None = None
    habits: Habits | None = None
    responses: Responses | None = None
    _met: Kept[str, int] = field(init=False, repr=False, compare=False, default_factory=lambda: Kept(MOST_MET))

    def __len__(self) -> int:
        return len(self.item_ids)

    def find_items(self, item_ids: Sequence[str]) -> list[int]:
        """The number of each item, UNKNOWN for those that the model has not met."""
        met = self._met
        found = [met.get(item_id, UNKNOWN) for item_id in item_ids]
        if UNKNOWN in found:
            found = find(self.item_ids, item_ids)
            for item_id, item in zip(item_ids, found, strict=True):
                if item != UNKNOWN:  # names that mean nothing come from whoever asks
                    met.keep(item_id, item)
        return found

    def facts(self, item: int) -> ItemFacts:
        return _facts_decoder.decode(self.facts_column[item])

    def sound(self) -> bool:
        """True when the parts fit together, so that serving cannot step outside of an array."""
        items, categories = len(self.item_ids), len(self.categories)
        return bool(
            self.facts_column.starts.shape == (items + 1,)
            and self.category_of.shape == (items,)
            and ((self.category_of >= UNKNOWN) & (self.category_of < categories)).all()
            and self.bought.sound(items, items)
            and self.viewed.sound(items, items)
            and self.sellers.sound(1, items)
            and self.category_sellers.sound(categories, items)
            and (self.goods is None or self.goods.sound(items))
            and (self.next_item is None or self.next_item.sound(items))
            and (self.habits is None or self.habits.sound(items, len(self.viewed.items)))
            and (self.responses is None or self.responses.sound(items))
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name, as the store writes them."""
        found: dict[str, NDArray[np.generic]] = {
            "item_ids": self.item_ids,
            "categories": self.categories,
            "category_of": self.category_of,
            "facts.starts": self.facts_column.starts,
            "facts.data": self.facts_column.data,
        }
        for name in ("bought", "viewed", "sellers", "category_sellers"):
            ragged: Ragged = getattr(self, name)
            found |= {f"{name}.starts": ragged.starts, f"{name}.items": ragged.items, f"{name}.scores": ragged.scores}
        if self.goods is not None:
            found |= {f"goods.{name}": array for name, array in self.goods.arrays().items()}
        if self.next_item is not None:
            found |= {f"{NEXT_ITEM}{name}": array for name, array in self.next_item.arrays().items()}
        if self.habits is not None:
            found |= {f"habits.{name}": array for name, array in self.habits.arrays().items()}
        if self.responses is not None:
            found |= self.responses.arrays()
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], version: str) -> "Model":
        """The model of what arrays() gave. KeyError when one is missing."""
        raw: Mapping[str, NDArray[np.generic]] = arrays
        ragged = {
            name: Ragged(*(raw[f"{name}.{part}"] for part in ("starts", "items", "scores")))  # type: ignore[arg-type]
            for name in ("bought", "viewed", "sellers", "category_sellers")
        }
        ranker = {name.removeprefix(NEXT_ITEM): array for name, array in raw.items() if name.startswith(NEXT_ITEM)}
        return cls(
            next_item=NextItem.of_arrays(ranker) if ranker else None,
            item_ids=raw["item_ids"],  # type: ignore[arg-type]
            facts_column=ByteColumn(raw["facts.starts"], raw["facts.data"]),  # type: ignore[arg-type]
            categories=raw["categories"],  # type: ignore[arg-type]
            category_of=raw["category_of"],  # type: ignore[arg-type]
            version=version,
            goods=Goods.of_arrays(arrays, "goods."),
            habits=Habits.of_arrays(arrays, "habits."),
            responses=Responses.of_arrays(arrays),
            **ragged,
        )


def sorted_names(names: Sequence[str]) -> Names:
    """Names as UTF-8 of fixed width, in byte order, as find() needs them."""
    return np.array(sorted({name.encode() for name in names}) or [b""], np.bytes_)[: len(set(names))]


def find(names: Names, wanted: Sequence[str]) -> list[int]:
    """The place of each wanted name among sorted names, UNKNOWN where it is not there."""
    if not len(names) or not wanted:
        return [UNKNOWN] * len(wanted)
    found: list[int] = places_of(names, np.array([name.encode() for name in wanted], np.bytes_)).tolist()
    return found


def places_of(names: Names, wanted: Names) -> Items:
    """The place of each wanted name among sorted names, UNKNOWN where it is not there; shape (wanted,)."""
    if not len(names):
        return np.full(len(wanted), UNKNOWN, np.int32)
    if wanted.dtype.itemsize > names.dtype.itemsize:
        # A name longer than all makes NumPy widen a copy of all of them, and it comes from whoever asks.
        fits = np.char.str_len(wanted) <= names.dtype.itemsize
        return np.where(fits, places_of(names, wanted.astype(names.dtype)), UNKNOWN).astype(np.int32)
    places = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[places] == wanted, places, UNKNOWN).astype(np.int32)


def places_or_beyond(names: Names, wanted: Names) -> Items:
    """As places_of(); those that are not there are numbered from the end of the names on, in their order."""
    places = places_of(names, wanted)
    strange = places == UNKNOWN
    places[strange] = len(names) + np.arange(np.count_nonzero(strange))
    return places
