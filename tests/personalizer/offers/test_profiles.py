"""Profiles read from a real live store."""

import pytest

from baliza.errors import StoreDown
from baliza.sites import Site, SiteRegistry
from baliza.stores import RedisClient
from personalizer.offers.breaker import Breaker
from personalizer.offers.profiles import KnownSites, ProfileReader, read_profile
from schema import keys
from tests.personalizer.planted import PARTITIONS, observe
from tests.support.profiles import stored_profile


@pytest.mark.redis
def test_reads_what_the_visitor_just_did(redis_client: RedisClient) -> None:
    observe(redis_client, "v-1", "view_item", ["lamp"])
    reader = ProfileReader(redis_client, PARTITIONS, Breaker(lambda: 0.0))
    found = read_profile(reader.read(keys.visitor(keys.partition_of("v-1", PARTITIONS), "demo", "v-1")))
    assert found is not None
    assert [found, None] == reader.read_many("demo", ["v-1", "v-2"])
    assert [viewed.item_id for viewed in found.viewed] == ["lamp"]


@pytest.mark.redis
def test_a_visitor_of_another_site_is_nobody_here(redis_client: RedisClient) -> None:
    observe(redis_client, "v-1", "view_item", ["lamp"], site="other")
    assert ProfileReader(redis_client, PARTITIONS, Breaker(lambda: 0.0)).read_many("demo", ["v-1"]) == [None]


def test_passes_over_a_profile_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    assert read_profile(b"\x80") is None
    assert "cannot be read" in caplog.text


def test_passes_over_a_profile_of_another_layout() -> None:
    known = stored_profile(customer_id="anna")
    assert read_profile(known) is not None
    assert read_profile(b"\x01" + known[1:]) is None


class Asked:
    """A registry that counts who asks it, and fails while it is down."""

    def __init__(self) -> None:
        self.times, self.down = 0, False

    def __call__(self) -> SiteRegistry:
        self.times += 1
        if self.down:
            raise StoreDown("away")
        return SiteRegistry.of([Site("demo", "pk_demo", "")])


@pytest.mark.redis
def test_the_sites_last_known_serve_while_the_store_is_away(redis_client: RedisClient) -> None:
    registry, now = Asked(), [0.0]
    sites = KnownSites(registry, redis_client, Breaker(lambda: now[0]))
    assert "demo" in sites().by_name
    registry.down = True
    assert "demo" in sites().by_name
    assert "demo" in sites().by_name
    assert registry.times == 2  # not asked during the pause
    registry.down = False
    now[0] = 1.0
    sites()
    assert registry.times == 3


@pytest.mark.redis
def test_sites_never_read_are_not_known(redis_client: RedisClient) -> None:
    registry = Asked()
    registry.down = True
    with pytest.raises(StoreDown):
        KnownSites(registry, redis_client, Breaker(lambda: 0.0))()
