"""The pages that people see."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from baliza.sites import Site, add_user
from baliza.stores import History, RedisClient
from console.pages import arguments_of_form, link_with
from tests.console.test_reports import bought, visit
from tests.support.collecting import Shop, event
from tests.support.rows import NOON, event_row, insert_events
from tests.tracker.test_receipts import tell

stores = [pytest.mark.redis, pytest.mark.clickhouse]
LogIn = Callable[..., int]
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def reader(client: FlaskClient, log_in: Callable[..., int]) -> FlaskClient:
    """A browser that is logged in."""
    assert log_in() == 303
    return client


class TestOnStores:
    pytestmark = stores

    def test_newcomer_is_told_what_to_do(self, reader: FlaskClient) -> None:
        page = reader.get("/").text
        assert "Waiting for the first visitor" in page
        assert "data-site=&#34;pk_demo&#34;" in page or 'data-site="pk_demo"' in page
        assert "http://127.0.0.1:8000/b.js" in page
        assert "http://shop.test" in page

    def test_receipts_of_the_site_add_up(self, reader: FlaskClient, history: History, shop: Shop) -> None:
        shop.now = NOON
        shop.send(event(at=NOON), event(at=NOON, colour="red"))
        tell(history, 4, NOON - timedelta(hours=1))
        tell(history, 9, NOON, "other")
        insert_events(history, [event_row(received_at=NOON - timedelta(minutes=30)) for _ in range(4)])
        page = reader.get("/receipts")
        assert page.status_code == 200
        cells = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in page.text.split("<tr")[2:]]
        assert cells == [
            ["Total", "12", "4", "0", "1", "2", "4", "1", "0"],
            ["2026-11-21 12:00", "2", "0", "0", "0", "0", "1", "1", "0"],
            ["2026-11-21 11:00", "10", "4", "0", "1", "2", "3", "0", "0"],
        ]
        assert "Every event is accounted for." in page.text
        assert re.search(r'href="/receipts\?site=demo" aria-current="page"', page.text)

    def test_a_sum_that_does_not_hold_is_red(self, reader: FlaskClient, history: History) -> None:
        assert "Nothing came in" in reader.get("/receipts").text
        tell(history, 4, NOON)
        page = reader.get("/receipts").text
        assert 'role="alert"><strong>The sum does not hold' in page
        assert page.count('class="wrong"') == 2
        assert "+4" in page
        assert "Every event is accounted for." not in page

    def test_page_shows_tiles_chart_and_rows(self, reader: FlaskClient, history: History) -> None:
        insert_events(history, [bought("a", 20, "1234.5"), visit("b", 10, customer_id="c-42")])
        page = reader.get("/").text
        assert "€1,234.50" in page
        assert "50.0 % of sessions" in page
        assert "Sat 21 Nov: 2 sessions, 1 with purchase" in page
        assert "c-42" in page
        assert page.index("/sessions/b") < page.index("/sessions/a")

    def test_filter_narrows_and_is_kept_by_links(self, reader: FlaskClient, history: History) -> None:
        insert_events(history, [bought("a", 20), visit("b", 10)])
        page = reader.get("/?purchased=true&period=today&since=&until=&source=&device=").text
        assert "/sessions/a" in page
        assert "/sessions/b" not in page
        assert "/v1/reports/sessions?period=today&amp;purchased=true&amp;site=demo&amp;format=csv" in page

    def test_filter_that_matches_nothing_is_not_a_newcomer(self, reader: FlaskClient, history: History) -> None:
        insert_events(history, [visit("b", 10)])
        page = reader.get("/?source=nowhere").text
        assert "No session matches" in page
        assert "Waiting for the first visitor" not in page

    def test_wrong_filter_is_explained_on_the_page(self, reader: FlaskClient, history: History) -> None:
        insert_events(history, [visit("b", 10)])
        answer = reader.get("/?since=yesterday")
        assert answer.status_code == 200
        assert "since: expected a date such as 2026-11-21" in answer.text

    def test_older_sessions_are_a_link_away(self, reader: FlaskClient, history: History) -> None:
        insert_events(history, [visit(f"s-{n:03}", n) for n in range(51)])
        first = reader.get("/").text
        assert "/sessions/s-050" not in first
        second = reader.get("/?cursor=" + first.partition("cursor=")[2].partition("&")[0].partition('"')[0]).text
        assert "/sessions/s-050" in second
        assert "/sessions/s-049" not in second

    def test_story_goes_from_landing_to_purchase(self, reader: FlaskClient, history: History) -> None:
        at = {"session_opened_at": NOON - timedelta(hours=1)}
        full = {"cart_pieces": 1, "cart_value": Decimal("39.9")}
        items = [("LAMP-1", "Light", 39.9, 1)]
        insert_events(
            history,
            [
                event_row(occurred_at=NOON - timedelta(minutes=9), page_title="Welcome", **at),
                event_row(type="add_to_cart", occurred_at=NOON - timedelta(minutes=4), items=items, **full, **at),
                event_row(type="purchase", items=items, transaction_id="T-7", revenue=Decimal("39.9"), **at),
            ],
        )
        page = reader.get("/sessions/s-1").text
        steps = ["Landed", "Welcome", "5 min later", "Put Name of LAMP-1 into the cart", "Cart: 1 piece, €39.90",
                 "4 min later", "Bought Name of LAMP-1", "Order T-7", "Cart empty"]  # fmt: skip
        places = [page.find(step) for step in steps]
        assert -1 not in places
        assert places == sorted(places)

    def test_what_browsers_say_stays_text(self, reader: FlaskClient, history: History) -> None:
        evil = {"page_title": EVIL, "source": EVIL, "campaign": EVIL, "customer_id": EVIL, "page_path": f"/{EVIL}",
                "page_url": "javascript:alert(1)", "referrer": "javascript:alert(2)", "properties": {EVIL: EVIL},
                "device": EVIL, "search_term": EVIL, "item_names": [EVIL]}  # fmt: skip
        insert_events(history, [event_row(type="view_item", items=[("A", "B", 1, 1)]) | evil])
        for path in ("/", f"/?source={EVIL}", "/sessions/s-1"):
            page = reader.get(path).text
            assert "&lt;script&gt;" in page
            assert "<script" not in page
            assert 'href="javascript' not in page

    def test_times_are_in_the_sites_zone(
        self, client: FlaskClient, log_in: LogIn, redis_client: RedisClient, history: History
    ) -> None:
        add_user(redis_client, "eva", "eva-eva-eva", ["other"])
        log_in("eva", "eva-eva-eva")
        insert_events(history, [visit("b", 0, site="other")])
        assert "Sat 21 Nov <b>13:00</b>" in client.get("/").text

    def test_several_sites_can_be_chosen(self, client: FlaskClient, log_in: LogIn, redis_client: RedisClient) -> None:
        add_user(redis_client, "both", "both-both", ["demo", "other"])
        log_in("both", "both-both")
        assert "<option selected>other</option>" in client.get("/?site=other").text

    def test_session_of_nobody_is_a_404_page(self, reader: FlaskClient) -> None:
        answer = reader.get("/sessions/none")
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "has no session" in answer.text


def test_dates_of_the_form_win_over_the_period() -> None:
    assert arguments_of_form({"period": "7d", "since": "2026-11-01", "source": " ", "x": "y"}) == {"since": "2026-11-01"}
    assert arguments_of_form({"period": "7d", "since": ""}) == {"period": "7d"}


def test_links_keep_filters_and_forget_the_cursor() -> None:
    site = Site("demo", "pk_demo", "")
    assert link_with({"source": "a&b", "cursor": "1.x"}, site, period="7d") == "?source=a%26b&site=demo&period=7d"
    assert link_with({"since": "2026-11-01"}, site, since=None, cursor="2.y") == "?site=demo&cursor=2.y"
