"""What a visit looks like in numbers."""

import pytest

from baliza.readiness.features import NEVER, Features, features_of
from schema.profile import Cart, CartLine, CategoryCount, Order, PastSession, ViewedItem
from tests.baliza.readiness.visits import DAY, HOUR, MINUTE, T, profile, session


def test_a_first_page_has_nothing_but_itself() -> None:
    found = features_of(profile(), session(), T)
    told = {name: value for name, value in found._asdict().items() if value not in (0, NEVER)}
    assert told == {"events": 1, "page_views": 1, "sessions": 1, "hour": 10, "weekday": 4}


def test_counts_times_and_looks_of_this_session_only() -> None:
    now = session(ended_at=T + 4 * MINUTE, events=5, page_views=2, item_views=2, cart_adds=1)
    viewed = [
        ViewedItem("OLD", "", "", 9, T - 1, -1, ""),
        ViewedItem("A", "", "", 3, T + MINUTE, -1, ""),
        ViewedItem("B", "", "", 1, T + 2 * MINUTE, -1, ""),
    ]
    found = features_of(profile(now, viewed=viewed), now, T + 5 * MINUTE)
    assert (found.elapsed_s, found.idle_s, found.pace_s, found.item_share) == (240, 60, 60, 0.5)
    assert (found.items_seen, found.looks_at_last, found.most_looks, found.last_look_age_s) == (2, 1, 3, 180)


def test_the_cart_and_its_age() -> None:
    cart = Cart("EUR", T + MINUTE, 0, [CartLine("A", 2, 39_900_000, "", ""), CartLine("B", 1, -1, "", "")])
    found = features_of(profile(cart=cart), session(), T + 3 * MINUTE)
    assert (found.cart_pieces, found.cart_value, found.cart_age_s) == (3, 79.8, 120)
    emptied = features_of(profile(cart=Cart("EUR", T, 0, [])), session(), T)
    assert (emptied.cart_pieces, emptied.cart_value, emptied.cart_age_s) == (0, 0, NEVER)


def test_who_it_is_and_what_was_before() -> None:
    orders = [Order("1", T - 10 * DAY, 0, "", []), Order("2", T - 2 * DAY, 0, "", []), Order("3", T + 1, 0, "", [])]
    past = [PastSession("a", 0, 0, T - 30 * HOUR), PastSession("b", 0, 0, T - 3 * HOUR)]
    whole = profile(orders=orders, past=past, sessions=3, first_seen_at=T - 10 * DAY, customer_id="anna")
    found = features_of(whole, session(), T + MINUTE)
    assert (found.sessions, found.known, found.past_orders, found.since_order_days) == (3, 1, 2, 2)
    assert (found.since_session_h, found.first_seen_days) == (3, 10)


def test_categories_and_how_much_one_of_them_leads() -> None:
    now = session(categories=[CategoryCount("Light", 3), CategoryCount("Rugs", 1)], search_term="lamp")
    found = features_of(profile(now), now, T)
    assert (found.categories_seen, found.top_category_share, found.searched) == (2, 0.75, 1)


@pytest.mark.parametrize(
    ("landing", "referrer", "origin"),
    [
        ("http://shop.test/", "", ""),
        ("http://shop.test/p", "http://shop.test/", ""),
        ("http://shop.test/", "https://www.google.com/", "from_search"),
        ("http://shop.test/?gclid=1", "https://www.google.com/", "from_ad"),
        ("http://shop.test/?utm_source=x&utm_medium=CPC", "", "from_ad"),
        ("http://shop.test/", "https://www.instagram.com/", "from_social"),
        ("http://shop.test/?utm_source=news&utm_medium=email", "", "from_mail"),
        ("http://shop.test/", "https://blog.test/", "from_elsewhere"),
        ("http://[broken", "http://[x", ""),
    ],
)
def test_where_the_visit_comes_from(landing: str, referrer: str, origin: str) -> None:
    now = session(landing_url=landing, referrer=referrer)
    found = features_of(profile(now), now, T)._asdict()
    assert [name for name in Features._fields if name.startswith("from_") and found[name]] == ([origin] if origin else [])


def test_a_clock_behind_the_last_event_counts_as_its_time() -> None:
    now = session(ended_at=T + MINUTE)
    assert features_of(profile(now), now, T).idle_s == 0
