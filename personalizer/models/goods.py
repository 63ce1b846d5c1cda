"""The catalogue as arrays by item number: what serving looks at for every candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["AVAILABILITIES", "KINDS", "NEVER", "PRODUCT", "UNKNOWN", "Goods"]

UNKNOWN: Final = -1
NEVER: Final = int(np.iinfo(np.int64).max)
# Places are the codes in the arrays: append only.
AVAILABILITIES: Final = ("", "in_stock", "out_of_stock", "preorder", "backorder")
KINDS: Final = ("product", "promotion", "editorial", "subscription")
PRODUCT: Final = KINDS.index("product")


@dataclass(frozen=True)
class Goods:
    """What was said of each item when the model was learned. All of shape (items,) unless told; money in major units.

    price: the regular one; nan where nobody said it, as in sale_price and cost. sale_from_s, expires_s …: unix seconds,
    0 and NEVER where open. availability, kind: places in AVAILABILITIES and KINDS. consumable: 1, 0 or UNKNOWN.
    listed: a feed has it. variant_of: place in `variants`, the sorted names of the groups, or UNKNOWN.
    placed: items that have rules about placements, of any length. digest: of the stored row, 0 where there is none.
    complete: shape (1,), whether what no feed has is not sold. epoch: the store's name, as bytes. copied: shape
    (partitions, 2), up to which entry of each partition's log (ms, sequence) this copy goes.
    """

    price: NDArray[np.float32]
    sale_price: NDArray[np.float32]
    sale_from_s: NDArray[np.int64]
    sale_until_s: NDArray[np.int64]
    cost: NDArray[np.float32]
    availability: NDArray[np.uint8]
    expires_s: NDArray[np.int64]
    first_seen_s: NDArray[np.int64]
    kind: NDArray[np.uint8]
    consumable: NDArray[np.int8]
    listed: NDArray[np.bool_]
    variant_of: NDArray[np.int32]
    digest: NDArray[np.uint64]
    variants: NDArray[np.bytes_]
    placed: NDArray[np.int32]
    complete: NDArray[np.bool_]
    epoch: NDArray[np.uint8]
    copied: NDArray[np.int64]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> "Goods | None":
        """Of what arrays() gave, each name behind `prefix`. None when there are none; KeyError when one is missing."""
        if not any(name.startswith(prefix) for name in arrays):
            return None
        return cls(**{entry.name: arrays[prefix + entry.name] for entry in fields(cls)})

    def sound(self, items: int) -> bool:
        """True when serving cannot step outside of an array."""
        by_item = [getattr(self, entry.name) for entry in fields(self)[:13]]
        return bool(
            all(array.shape == (items,) for array in by_item)
            and (self.availability < len(AVAILABILITIES)).all()
            and (self.kind < len(KINDS)).all()
            and ((self.variant_of >= UNKNOWN) & (self.variant_of < len(self.variants))).all()
            and ((self.placed >= 0) & (self.placed < items)).all()
            and self.complete.shape == (1,)
            and self.copied.ndim == 2
            and self.copied.shape[1] == 2
        )
