"""Who may ask what about whom."""

import pytest

from baliza.errors import BadRequest, Forbidden, Unauthorized
from baliza.sites import Site, SiteRegistry, digest
from personalizer.offers.asking import COOKIE, Asker, Knows, asked_of, asker_of, knows, wants_no_profile
from tracker import admission

SITE = Site("demo", "pk_demo", digest("sk_demo"), ("http://shop.test",))
REGISTRY = SiteRegistry.of([SITE])
RANDOM = "3735928559-4027431614-305419896-19088743"  # as the beacon makes them
BROWSER, SERVER = Asker(SITE, False), Asker(SITE, True)


def test_arguments_have_their_defaults() -> None:
    asked = asked_of({})
    assert (asked.visitor_id, asked.placement, asked.item_id, asked.category, asked.limit, asked.explain) == (
        None, "default", None, None, 5, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"category": ""}, "category: expected 1 to 100 characters, got 0"),
        ({"explain": "yes"}, "explain: expected a whole number from 0 to 1, got 'yes'"),
        ({"placement": "Home"}, "placement: expected 1 to 50 of a-z, 0-9 and hyphen"),
    ],
)
def test_bad_arguments_are_told(arguments: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        asked_of(arguments)


def test_a_key_says_which_site_and_how_much_it_is_trusted() -> None:
    assert asker_of(REGISTRY, {"key": "pk_demo"}, "", "http://shop.test") == BROWSER
    assert asker_of(REGISTRY, {}, "Bearer sk_demo", None) == SERVER


def test_explanations_are_for_the_shop() -> None:
    assert asker_of(REGISTRY, {"explain": "1"}, "Bearer sk_demo", None).is_server
    with pytest.raises(Forbidden, match="secret key"):
        asker_of(REGISTRY, {"key": "pk_demo", "explain": "1"}, "", None)


@pytest.mark.parametrize(("arguments", "header"), [({"key": "pk_other"}, ""), ({}, "Bearer sk_other"), ({}, "")])
def test_unknown_keys_are_refused(arguments: dict[str, str], header: str) -> None:
    with pytest.raises(Unauthorized):
        asker_of(REGISTRY, arguments, header, None)


@pytest.mark.parametrize(
    ("asker", "visitor", "cookie", "expected"),
    [
        (SERVER, "c-42", "", "all"),
        (BROWSER, None, "bz_v=c-42", "nothing"),
        (BROWSER, RANDOM, f"bz_v={RANDOM}", "all"),
        (BROWSER, RANDOM, f"a=b; bz_v={RANDOM}; c=d", "all"),
        (BROWSER, "c-42", "bz_v=c-42", "nothing"),
        (BROWSER, "c-42", "bz_v=c-43", "nothing"),
        (BROWSER, RANDOM, f"bz_v={RANDOM}1", "nothing"),
        (BROWSER, RANDOM, "", "all"),
        (BROWSER, "6f1c8e0e-5a0e-4c8e-9a52-1f6c3a0f7d11", "", "all"),
        (BROWSER, "c-42", "", "nothing"),
        (BROWSER, "c-42", "xbz_v=c-42", "nothing"),
        (BROWSER, "jane.doe@lamps.example.com", "", "nothing"),
    ],
)
def test_an_id_has_to_prove_whose_it_is(asker: Asker, visitor: str | None, cookie: str, expected: Knows) -> None:
    assert knows(asker, visitor, cookie) == expected


def test_the_cookie_is_the_collectors() -> None:
    assert COOKIE == admission.COOKIE


@pytest.mark.parametrize(("gpc", "dnt", "expected"), [("1", "", True), ("", "1", True), ("0", "0", False), ("", "", False)])
def test_a_browser_may_say_no(gpc: str, dnt: str, expected: bool) -> None:
    assert wants_no_profile(gpc, dnt) is expected
