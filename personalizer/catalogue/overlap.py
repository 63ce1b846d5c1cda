"""Whether a catalogue speaks of the same items as the beacon: ids that differ are the usual mistake of a first feed."""

from msgspec import Struct

from personalizer.catalogue.store import CatalogueStore
from personalizer.models.store import BrokenModel, ModelStore

__all__ = ["Overlap", "overlap"]

ENOUGH = 0.5


class Overlap(Struct, frozen=True):
    """Of the items that sell best by the beacon's events, how many the catalogue lists."""

    best_sellers: int
    listed: int

    @property
    def warning(self) -> str:
        """What to look at when so few are listed that it is hardly meant; empty otherwise."""
        if self.listed >= ENOUGH * self.best_sellers:
            return ""
        return (
            f"only {self.listed} of the {self.best_sellers} best sellers by the beacon's events are in the catalogue; the "
            "others are not offered any more. Is `id` the item_id that the beacon sends?"
        )


def overlap(store: CatalogueStore, models: ModelStore, site: str) -> Overlap | None:
    """None while there is no model, or no whole feed: then nothing is left out. Raises StoreDown."""
    state = store.state(site)
    if state is None or not state.complete:
        return None
    try:
        model = models.load(site)
    except (BrokenModel, OSError):
        return None
    if model is None or not len(model):
        return None
    ids = [model.item_ids[item].decode() for item in model.sellers.row(0)[0].tolist()]
    by_partition: dict[int, list[str]] = {}
    for item_id in ids:
        by_partition.setdefault(store.partition_of(item_id), []).append(item_id)
    listed = sum(len(store.get_many(site, partition, some)) for partition, some in by_partition.items())
    return Overlap(len(ids), listed)
