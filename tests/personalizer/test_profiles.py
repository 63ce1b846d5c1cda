"""Profiles read from a real live store."""

import msgspec
import pytest

from baliza.stores import RedisClient
from personalizer.breaker import Breaker
from personalizer.profiles import ProfileReader, read_profile
from tests.personalizer.planted import PARTITIONS, observe, profile


@pytest.mark.redis
def test_reads_what_the_visitor_just_did(redis_client: RedisClient) -> None:
    observe(redis_client, "v-1", "view_item", ["lamp"])
    found = ProfileReader(redis_client, PARTITIONS, Breaker(lambda: 0.0)).read("demo", "v-1")
    assert found is not None
    assert [viewed.item_id for viewed in found.viewed] == ["lamp"]


@pytest.mark.redis
def test_a_visitor_of_another_site_is_nobody_here(redis_client: RedisClient) -> None:
    observe(redis_client, "v-1", "view_item", ["lamp"], site="other")
    assert ProfileReader(redis_client, PARTITIONS, Breaker(lambda: 0.0)).read("demo", "v-1") is None


def test_passes_over_a_profile_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    assert read_profile(b"\x80") is None
    assert "cannot be read" in caplog.text


def test_passes_over_a_profile_of_another_layout() -> None:
    known = profile(viewed=["lamp"])
    assert read_profile(msgspec.msgpack.encode(known)) == known
    known.layout = 2
    assert read_profile(msgspec.msgpack.encode(known)) is None
