"""A stored profile made by hand, for tests of who reads it; the live store's own are in tests/schema."""

from typing import Any

import msgspec

from schema import profile

__all__ = ["stored_profile"]


def stored_profile(numbers: dict[str, float] | None = None, **texts: Any) -> bytes:
    """A profile of zeros and nothing but what is given: numbers by name, texts as they are, lists packed."""
    given = numbers or {}
    parts = []
    for name in profile.TEXTS:
        value = texts.get(name, "")
        parts.append(value.encode() if isinstance(value, str) else msgspec.msgpack.encode(value))
    head = profile.HEAD.pack(profile.LAYOUT, *(given.get(name, 0) for name in profile.NUMBERS))
    return head + b"".join(profile.LENGTH.pack(len(part)) + part for part in parts)
