from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from loadtests.ledger import Differences, Ledger, compare, events_in_history, events_live, until_found


def ledger(*requests: tuple[str, int, int]) -> Ledger:
    made = Ledger()
    for visitor, events, status in requests:
        made.sent(visitor, events)
        made.answered(visitor, events, status)
    return made


def test_what_was_accepted_is_expected() -> None:
    seen = compare(ledger(("a", 2, 202), ("a", 3, 202), ("b", 1, 202)), {"a": 4, "b": 1})
    assert (seen.missing, seen.too_many, seen.compared, seen.example) == (1, 0, 2, "a")
    assert seen.sentences("the live store") == ["1 accepted events are missing in the live store; for example of visitor a"]


@pytest.mark.parametrize("status", [0, 503, 500])
@pytest.mark.parametrize("found", [2, 5])
def test_without_an_answer_both_are_right(status: int, found: int) -> None:
    assert compare(ledger(("a", 2, 202), ("a", 3, status)), {"a": found}).sentences("x") == []


def test_a_request_cut_before_its_answer_is_unknown_too() -> None:
    made = ledger(("a", 2, 202))
    made.sent("a", 3)
    assert compare(made, {"a": 5}).sentences("x") == []
    assert compare(made, {"a": 6}).too_many == 1


def test_what_was_refused_is_not_expected_and_must_not_be_there() -> None:
    seen = compare(ledger(("a", 2, 202), ("a", 3, 400)), {"a": 5})
    assert (seen.missing, seen.too_many) == (0, 3)
    assert "more often" in seen.sentences("the history")[0]


def test_strangers_are_not_compared() -> None:
    assert compare(ledger(("a", 1, 202)), {"a": 1, "stranger": 7}).compared == 1


def answering(routes: dict[str, tuple[int, Any]]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        status, body = routes[str(request.url.raw_path.decode())]
        return httpx.Response(status, json=body)

    return httpx.Client(base_url="http://shop.test", transport=httpx.MockTransport(answer))


def test_live_store_is_asked_for_each_visitor_and_knows_one_session_only() -> None:
    client = answering(
        {
            "/v1/visitors/a": (200, {"sessions": 1}),
            "/v1/sessions/current?visitor=a": (200, {"events": 7}),
            "/v1/visitors/b": (200, {"sessions": 2}),
            "/v1/visitors/c": (404, {}),
            "/v1/sessions/current?visitor=c": (404, {}),
        }
    )
    assert events_live(client, "sk", iter("abc")) == {"a": 7, "c": 0}


def test_a_wrong_secret_is_not_taken_for_missing_events() -> None:
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        events_live(answering({"/v1/visitors/a": (401, {})}), "sk", iter("a"))


def test_history_is_read_page_after_page() -> None:
    begin = "/v1/reports/sessions?since=2026-11-22T10%3A00%3A00Z&bots=true&limit=1000&cursor="
    pages = {
        begin: (200, {"sessions": [{"visitor_id": "a", "events": 3}, {"visitor_id": "b", "events": 1}], "next": "1.x"}),
        f"{begin}1.x": (200, {"sessions": [{"visitor_id": "a", "events": 2}], "next": None}),
    }
    assert events_in_history(answering(pages), "tok", "2026-11-22T10:00:00Z") == {"a": 5, "b": 1}


def test_waits_for_a_history_that_is_behind_but_not_for_ever() -> None:
    looks: Iterator[Differences] = iter([Differences(3, 0, 1), Differences(1, 0, 1), Differences(0, 0, 1)])
    waits: list[float] = []
    assert until_found(lambda: next(looks), 60, waits.append).missing == 0
    assert len(waits) == 2
    waits.clear()
    assert until_found(lambda: Differences(3, 0, 1), 2, waits.append).missing == 3
    assert sum(waits) == 2
