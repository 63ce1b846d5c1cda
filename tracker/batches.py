"""Which stream entries go into one insert, written down before it happens. Pure.

A batch is a range of stream ids for each partition. Its manifest is kept in the live store until the rows are in the history
and the streams are trimmed; its token makes the insert count once however often it is repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

__all__ = ["Entry", "Manifest", "age_s", "fitting", "plan", "share", "together"]

# (stream id, fields)
Entry = tuple[bytes, Mapping[bytes, bytes]]


class Manifest(Struct, frozen=True):
    """Partition → (first id, last id), both included."""

    ranges: dict[int, tuple[str, str]]

    @property
    def token(self) -> str:
        """The deduplication token of the insert: made of the ranges, so that the same ranges give the same one."""
        return blake2b(self.encoded(), digest_size=16).hexdigest()

    def encoded(self) -> bytes:
        return msgspec.json.encode({str(partition): self.ranges[partition] for partition in sorted(self.ranges)})

    @classmethod
    def decoded(cls, stored: bytes) -> "Manifest":
        return cls(msgspec.json.decode(stored, type=dict[int, tuple[str, str]]))


def plan(entries: Mapping[int, Sequence[Entry]]) -> Manifest | None:
    """The manifest of what was read; None when nothing was."""
    ranges = {p: (found[0][0].decode(), found[-1][0].decode()) for p, found in entries.items() if found}
    return Manifest(ranges) if ranges else None


def together(waiting: Mapping[int, int], each: int, most: int) -> Iterator[list[int]]:
    """Groups of the partitions that hold something; what is read of a group, `each` entries of one at most, is about `most`.

    waiting: partition → number of entries.
    """
    group: list[int] = []
    count = 0
    for partition, length in waiting.items():
        if not length:
            continue
        if group and count + min(length, each) > most:
            yield group
            group, count = [], 0
        group.append(partition)
        count += min(length, each)
    if group:
        yield group


def fitting(entries: Sequence[Entry], most_bytes: int) -> tuple[Sequence[Entry], int]:
    """The first entries that begin within `most_bytes`, and their size in bytes, which the last one may take beyond it."""
    size = 0
    for place, (_, fields) in enumerate(entries):
        if size >= most_bytes:
            return entries[:place], size
        size += sum(map(len, fields.values()))
    return entries, size


def share(partitions: int, workers: int, worker: int) -> list[int]:
    """The partitions of one of several workers; each belongs to exactly one."""
    return list(range(worker, partitions, workers))


def age_s(entries: Mapping[int, Sequence[Entry]], now_ms: int) -> float:
    """Age of the oldest entry in seconds; a stream id begins with the time at which it was given. 0.0 when there is none."""
    firsts = [int(found[0][0].partition(b"-")[0]) for found in entries.values() if found]
    return max(0.0, (now_ms - min(firsts)) / 1000) if firsts else 0.0
