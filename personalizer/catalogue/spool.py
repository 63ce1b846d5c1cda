"""Checked rows between feed and live store: on disk, by partition, so that memory does not grow with a feed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, Final

import msgspec
from msgspec import Struct

__all__ = ["Record", "Spool"]

FILES: Final = 64  # open at once, at most
IN_MEMORY: Final = 128 * 1024  # bytes of each file before it goes to the disk
LENGTH_BYTES: Final = 4


class Record(Struct, array_like=True, frozen=True):
    """One row. said: fields of CatalogueItem; None for a row that could not be taken, but whose id could be read."""

    partition: int
    line: int
    item_id: str
    said: dict[str, Any] | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Spool:
    """Takes records one by one and gives them back partition by partition. folder: of the files, None: the system's."""

    def __init__(self, partitions: int, folder: Path | None = None) -> None:
        self._partitions = partitions
        self._files: list[SpooledTemporaryFile[bytes]] = [
            SpooledTemporaryFile(IN_MEMORY, dir=None if folder is None else str(folder))  # noqa: SIM115 - closed by close()
            for _ in range(min(FILES, partitions))
        ]

    def put(self, partition: int, line: int, item_id: str, said: Mapping[str, object] | None) -> None:
        """Keep a row. OSError when the disk is full."""
        row = _encode(Record(partition, line, item_id, None if said is None else dict(said)))
        file = self._files[partition % len(self._files)]
        file.write(len(row).to_bytes(LENGTH_BYTES, "big"))
        file.write(row)

    def partitions(self) -> Iterator[tuple[int, list[Record]]]:
        """Each partition, also those without any, with its rows in the order in which they came. May be asked again."""
        for place, file in enumerate(self._files):
            found: dict[int, list[Record]] = {n: [] for n in range(place, self._partitions, len(self._files))}
            file.seek(0)
            while length := int.from_bytes(file.read(LENGTH_BYTES), "big"):
                record = _decode(file.read(length))
                found[record.partition].append(record)
            yield from found.items()

    def close(self) -> None:
        """Drop everything."""
        for file in self._files:
            file.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
