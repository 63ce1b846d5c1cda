"""A stored profile made by hand, for tests of who reads it; the live store's own are in tests/schema."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from schema import profile

__all__ = ["stored_profile"]


def stored_profile(numbers: dict[str, float] | None = None, **texts: Any) -> bytes:
    """A profile of zeros and nothing but what is given: numbers by name, texts as they are, lists packed."""
    given = numbers or {}
    head = profile.HEAD.pack(profile.LAYOUT, *(given.get(name, 0) for name in profile.NUMBERS))
    rest = _packed(profile.REST, texts) if texts.keys() & profile.REST.keys() else b""
    return head + _packed(profile.TEXTS, texts | {"rest": rest})


def _packed(names: Mapping[str, str], texts: dict[str, Any]) -> bytes:
    parts = []
    for name, letter in names.items():
        value = texts.get(name, b"")
        value = value.encode() if isinstance(value, str) else value
        part = value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
        parts.append(struct.pack(f"<{letter}", len(part)) + part)
    return b"".join(parts)
