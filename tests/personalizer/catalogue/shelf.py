"""The planted shop with a catalogue: rows in the live store, and a model that copied them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from personalizer.catalogue.item import CatalogueItem, encode_item
from personalizer.catalogue.store import CatalogueStore
from personalizer.learning.history import Items, with_catalogue
from personalizer.models.model import Model
from tests.personalizer.planted import ITEMS, NOW_MS, fact, planted_model


def euros(amount: float, **said: object) -> CatalogueItem:
    """An item at this price."""
    return CatalogueItem(currency="EUR", price_micros=round(amount * 1_000_000), **said)  # type: ignore[arg-type]


def put(store: CatalogueStore, rows: Mapping[str, CatalogueItem | None], complete: bool | None = None) -> None:
    """Write rows, delete those that are None, and ring."""
    store.begin("demo")
    for item_id, row in rows.items():
        changed = {} if row is None else {item_id: encode_item(row)}
        store.apply("demo", store.partition_of(item_id), changed, [item_id] if row is None else [])
    store.ring("demo", NOW_MS, complete)


def copied_model(store: CatalogueStore, version: str = "copied") -> Model:
    """The planted model with the catalogue that the store has now."""
    items = with_catalogue(Items([fact(item) for item in ITEMS], np.ones((len(ITEMS), 3))), store.copy("demo"))
    assert [facts.item_id for facts in items.facts] == ITEMS
    model = planted_model(version)
    return replace(model, goods=items.goods)
