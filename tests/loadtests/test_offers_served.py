"""The parts of the measurement: the past, the visitors, what they ask."""

import itertools
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from loadtests import offers_served
from loadtests.offers_generate import generated
from loadtests.offers_served import CPU, P90, SHARES, Visit, asked, fill, measure
from personalizer.models.behaviour import CART, VIEW, Behaviour
from personalizer.offers.asking import Asker, knows


def behaviour() -> Behaviour:
    rows = [(1, 0, VIEW), (1, 1, VIEW), (1, 1, CART), (1, 2, VIEW), (2, 7, VIEW)]
    sessions, items, kinds = (np.array(column) for column in zip(*rows, strict=True))
    return Behaviour.of_rows(sessions, items, kinds, np.arange(100, 105))


def test_visitors_have_seen_the_first_half_of_what_is_known() -> None:
    assert [visit.items for visit in offers_served._visits(behaviour(), ["a", "b", "c"])] == [["a", "b"]]


def test_visitors_have_ids_that_the_publishable_key_may_ask_for() -> None:
    visits = offers_served._visits(behaviour(), [str(item) for item in range(8)])
    assert [knows(Asker(Site("demo", "pk_demo", ""), False), visit.visitor, "") for visit in visits] == ["all", "all"]
    assert len({visit.visitor for visit in visits}) == 2


def test_a_visit_is_sent_as_views_that_end_now() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    (raw,) = offers_served._posts([Visit("v", ["a", "b"])], now)
    body = msgspec.json.decode(raw.partition(b"\r\n\r\n")[2])
    assert [event["items"][0]["item_id"] for event in body["events"]] == ["a", "b"]
    assert [event["occurred_at"] for event in body["events"]] == ["2026-11-22T11:59:20.000Z", "2026-11-22T11:59:40.000Z"]


def test_each_visitor_asks_on_the_page_they_are_on() -> None:
    lines = [raw.split(b" ")[1].decode() for raw in itertools.islice(asked([Visit("v", ["a", "b"]), Visit("w", ["c"])]), 3)]
    queries = [parse_qs(urlsplit(line).query) for line in lines]
    assert [(query["visitor"], query["item_id"]) for query in queries] == [(["v"], ["b"]), (["w"], ["c"]), (["v"], ["b"])]


@pytest.mark.clickhouse
def test_the_past_is_written_as_events_that_end_when_said(history: History, settings: Settings) -> None:
    until = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert fill(settings, behaviour(), list("abcdefgh"), until) == 5
    rows = history.rows("SELECT type, item_ids, max(occurred_at) OVER () FROM events ORDER BY occurred_at")
    assert [row[:2] for row in rows] == [
        ("view_item", ["a"]), ("view_item", ["b"]), ("add_to_cart", ["b"]), ("view_item", ["c"]), ("view_item", ["h"]),
    ]  # fmt: skip
    assert rows[0][2] == until


@pytest.mark.long
@pytest.mark.network
def test_measures_a_small_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    past, now = generated(2_000, 200, seed=1), generated(200, 200, seed=1, drawn=2)
    monkeypatch.setattr(
        offers_served, "shop", lambda: (past.behaviour, [str(item) for item in range(200)], now.behaviour, "small")
    )
    figures, curve = measure(tmp_path, 1.0, lambda _text: None)
    found = {figure.name: figure.value for figure in figures}
    assert found[CPU] > 0
    assert found[P90] > 0
    assert found["empty Flask view, 16 in flight, per CPU second"] > 0
    assert [point.share for point in curve.points] == list(SHARES)
