"""Whose addresses offers may carry."""

from math import inf

import pytest

from personalizer.learning.hosts import Hosts, Word, host_of

SHOP = ("https://www.shop.test", "*")
CDN = [("https://cdn.test/1.png", 9.0)] * 8 + [("https://evil.test/x.png", 1.0)] * 80


@pytest.mark.parametrize(
    ("word", "taken"),
    [
        (("https://shop.test/1.png", 1.0), True),
        (("https://img.shop.test:8443/1.png", 1.0), True),
        (("https://notshop.test/1.png", 1.0), False),
        (("https://shop.test.evil.test/1.png", 1.0), False),
        (("https://CDN.test/2.png", 1.0), True),
        (("https://evil.test/2.png", 1.0), False),
        (("https://evil.test/2.png", 2.03), False),
        (("https://elsewhere.test/2.png", 3.07), True),
        (("https://elsewhere.test/2.png", inf), True),
        (("", inf), False),
    ],
)
def test_one_visitor_s_word_is_taken_for_the_shop_s_own_hosts_only(word: Word, taken: bool) -> None:
    assert bool(Hosts.of(SHOP, CDN).taken(word)) is taken


def test_a_host_of_few_items_is_not_usual() -> None:
    said = [("https://cdn.test/1.png", inf)] * 30 + [("https://rare.test/1.png", 2.0)]
    assert Hosts.of((), said).usual == {"cdn.test"}


def test_a_shop_of_which_nothing_is_known_has_no_hosts() -> None:
    assert Hosts.of(("*",), []) == Hosts((), frozenset())


def test_hosts_are_read_without_port() -> None:
    assert (host_of("http://Shop.test:80/a:b"), host_of("")) == ("shop.test", "")
