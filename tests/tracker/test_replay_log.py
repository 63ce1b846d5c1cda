"""A log as a whole: survey, order of time, joining, ids."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from schema.events import Event
from tests.support.real_log import real_log
from tracker.replay_formats import WIRE, Bad, Outcome, Row, instant
from tracker.replay_log import Log, Observation, WrongFormat, in_time_order, observations, survey

HEADER = "timestamp,visitorid,event,itemid,categoryid\n"
RETAILROCKET = HEADER + (
    "1441852593,7,view,100,1\n"
    "1441852600,7,addtocart,100,1\n"
    "1441852700,7,transaction,100,1\n"
    "1441852700,8,view,300,\n"
    "1441852700,7,transaction,200,2\n"
    "1441852701,7,transaction,300,2\n"
)


def log_of(folder: Path, text: str, format_name: str = "retailrocket", name: str = "events.csv") -> Log:
    file = folder / name
    file.write_text(text)
    return Log(file, format_name)


def events_of(log: Log) -> list[Observation]:
    return list(observations(log.rows(), log.format))


def test_lines_of_one_order_are_one_purchase(tmp_path: Path) -> None:
    events = events_of(log_of(tmp_path, RETAILROCKET))
    assert [each.event["type"] for each in events] == ["view_item", "add_to_cart", "purchase", "view_item", "purchase"]
    first = events[2]
    assert [item["item_id"] for item in first.event["items"]] == ["100", "200"]
    assert (first.line, first.index) == (4, 2)


def test_events_are_what_the_wire_takes(tmp_path: Path) -> None:
    for each in events_of(log_of(tmp_path, RETAILROCKET)):
        msgspec.json.decode(WIRE.encode({**each.event, "occurred_at": instant(each.at)}), type=Event)


def test_ids_repeat_in_another_file_of_the_same_events(tmp_path: Path) -> None:
    whole = events_of(log_of(tmp_path, RETAILROCKET))
    tail = events_of(log_of(tmp_path, HEADER + "".join(RETAILROCKET.splitlines(keepends=True)[2:]), name="tail.csv"))
    assert [each.event["event_id"] for each in tail] == [each.event["event_id"] for each in whole[1:]]
    assert whole[0].event["event_id"] == "bc2effb5-adbe-5023-a9ed-f57a4687d83e"


def test_same_event_twice_in_a_log_has_two_ids(tmp_path: Path) -> None:
    log = log_of(tmp_path, HEADER + "1441852593,7,view,100,1\n" * 3)
    ids = [each.event["event_id"] for each in events_of(log)]
    assert len(set(ids)) == 3
    assert ids == [each.event["event_id"] for each in events_of(log)]


def test_keeps_the_id_that_a_log_gives(tmp_path: Path) -> None:
    text = '{"visitor": "v", "type": "page_view", "occurred_at": "2026-11-21T10:00:00Z", "event_id": "mine"}\n'
    [event] = events_of(log_of(tmp_path, text, "jsonl"))
    assert event.event["event_id"] == "mine"


def test_order_of_time_is_by_time_then_line() -> None:
    rows = [
        Row(2, 3_000_000, "a", {"type": "purchase", "value": Decimal("1.10")}, "j"),
        Row(3, 1_000_000, "b", {"type": "page_view"}),
        Row(4, 1_000_000, "c", {"type": "page_view"}),
        Row(5, 2_000_000, "d", {"type": "page_view"}),
    ]
    assert list(in_time_order(rows)) == [rows[1], rows[2], rows[3], rows[0]]


def test_survey_counts_and_finds_the_span(tmp_path: Path) -> None:
    noted: list[Bad] = []
    log = log_of(tmp_path, RETAILROCKET + "oops\n1441852000,9,view,1,1\n")
    found = survey(log.outcomes(), log.format, noted.append)
    assert (found.lines, found.rows, found.bad) == (8, 7, 1)
    assert (found.first_at, found.last_at) == (1441852000_000_000, 1441852701_000_000)
    assert not found.in_order
    assert noted == found.reasons == [Bad(8, "expected 5 columns, got 1")]


def test_survey_shows_only_the_first_reasons() -> None:
    outcomes: list[Outcome] = [*[Row(1, 10**15, "v", {"type": "page_view"})] * 20, *[Bad(2, "no")] * 15]
    found = survey(outcomes, "jsonl")
    assert (found.bad, len(found.reasons)) == (15, 10)


def test_stops_early_when_most_lines_are_bad() -> None:
    read = 0

    def outcomes() -> Iterator[Outcome]:
        nonlocal read
        for number in range(5000):
            read += 1
            yield Bad(number, "not a number") if number % 3 else Row(number, 10**15, "v", {"type": "page_view"})

    with pytest.raises(WrongFormat, match=r"666 of the first 1000 lines are not ga4-csv: the format is probably wrong"):
        survey(outcomes(), "ga4-csv")
    assert read == 1000


def test_goes_on_when_half_of_the_lines_are_bad() -> None:
    outcomes: list[Outcome] = [Row(1, 10**15, "v", {"type": "page_view"}), Bad(2, "no")] * 600
    assert survey(outcomes, "jsonl").bad == 600


def test_unpacks_gzip_whatever_the_name(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(gzip.compress(RETAILROCKET.encode()))
    assert len(events_of(Log(file, "retailrocket"))) == 5


def test_reads_past_a_byte_order_mark_and_bad_bytes(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"1441852593,\xff,view,100,1\n")
    assert [each.visitor for each in events_of(Log(file, "retailrocket"))] == ["\ufffd"]


def test_says_when_an_archive_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "log.csv.gz"
    file.write_bytes(gzip.compress(RETAILROCKET.encode() * 50)[:-20])
    with pytest.raises(WrongFormat, match=r"log\.csv\.gz cannot be read to its end"):
        list(Log(file, "retailrocket").outcomes())


def test_says_when_the_header_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(WrongFormat, match=r"events\.csv is not ga4-csv: expected the columns event_timestamp"):
        list(log_of(tmp_path, RETAILROCKET, "ga4-csv").outcomes())


def test_real_log_is_read_whole() -> None:
    log = Log(real_log(), "retailrocket")
    found = survey(log.outcomes(), log.format)
    assert (found.lines, found.bad, found.in_order) == (46_547, 0, True)
    purchases = [each for each in observations(log.rows(), log.format) if each.event["type"] == "purchase"]
    assert sum(len(each.event["items"]) for each in purchases) == 751
    assert len({each.event["transaction_id"] for each in purchases}) == len(purchases) == 646
