"""A replay as a whole: pace, lanes, ledger, going on after a stop."""

import gzip
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from baliza.errors import BadRequest
from baliza.stores import RedisClient
from schema import keys
from schema.profile import decode_profile
from tests.support.collector import PARTITIONS, RunningCollector
from tests.support.far_end import FarEnd, Reply, far_end
from tests.support.real_log import real_log
from tracker.observe import Context
from tracker.replay import Ledger, Options, Plan, plan, replay, windows
from tracker.replay_log import Log, Observation
from tracker.replay_send import Refused
from tracker.replay_state import load_state

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def write_log(folder: Path, visitors: int = 20, each: int = 10, **fields: Any) -> Log:
    """A jsonl log: the events of all visitors take turns, one second apart, the last one at NOW."""
    file = folder / "log.jsonl"
    count = visitors * each
    with file.open("w") as out:
        for place in range(count):
            at = NOW - timedelta(seconds=count - 1 - place)
            row = {"visitor": f"v-{place % visitors}", "type": "page_view", "occurred_at": at.isoformat(), **fields}
            print(json.dumps(row), file=out)
    return Log(file, "jsonl")


def options_of(log: Log, url: str, **given: Any) -> Options:
    return Options(log, url, **{"key": "pk_demo", "secret": None, "state_file": log.file.with_suffix(".state"), **given})


def run(options: Options) -> Ledger:
    todo = plan(options, NOW)
    ledger = Ledger(options, todo)
    replay(options, todo, ledger)
    return ledger


class Shop:
    """Counts each event id once, as the collector does."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> Reply:
        with self.lock:
            fresh = {each["event_id"] for each in body["events"]} - self.seen
            self.seen |= fresh
        known = len(body["events"]) - len(fresh)
        if not known:
            return Reply()
        counts = f"accepted={len(fresh)}, duplicate={known}"
        return Reply(202, {"X-Baliza-Dropped": "duplicate", "X-Baliza-Count": counts})


def times_by_visitor(end: FarEnd) -> dict[str, list[str]]:
    times: dict[str, list[str]] = defaultdict(list)
    for sent in end.requests:
        times[sent.body["visitor"]] += [each["occurred_at"] for each in sent.body["events"]]
    return times


@pytest.mark.network
def test_every_event_arrives_once_and_in_its_visitors_order(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=30, each=70)
    with far_end() as end:
        ledger = run(options_of(log, end.url, threads=3))
    assert ledger.sent == ledger.numbers["accepted"] == 2100
    times = times_by_visitor(end)
    assert sum(map(len, times.values())) == 2100
    assert all(mine == sorted(mine) for mine in times.values())
    assert max(len(sent.body["events"]) for sent in end.requests) == 50
    ports = defaultdict(set)
    for sent in end.requests:
        ports[sent.body["visitor"]].add(sent.port)
    assert all(len(mine) == 1 for mine in ports.values())


@pytest.mark.network
def test_second_run_is_all_duplicates(tmp_path: Path) -> None:
    log = write_log(tmp_path)
    with far_end(Shop()) as end:
        first, second = (run(options_of(log, end.url)) for _ in range(2))
    assert (first.numbers["accepted"], first.numbers["duplicate"]) == (200, 0)
    assert (second.numbers["accepted"], second.numbers["duplicate"]) == (0, 200)
    assert second.state.finished


@pytest.mark.network
def test_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=3, each=40)
    lines = log.file.read_text().splitlines()
    log.file.write_text("\n".join(reversed(lines)))
    with far_end() as end:
        run(options_of(log, end.url))
    assert all(mine == sorted(mine) and len(mine) == 40 for mine in times_by_visitor(end).values())


@pytest.mark.network
def test_shift_makes_the_last_event_now(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=1, each=3)
    later = NOW + timedelta(days=400)
    with far_end() as end:
        options = options_of(log, end.url, shift_to_now=True)
        todo = plan(options, later)
        replay(options, todo, Ledger(options, todo))
    assert times_by_visitor(end)["v-0"] == [f"2027-12-26T{at}Z" for at in ("11:59:58", "11:59:59", "12:00:00")]


@pytest.mark.network
def test_stopped_run_goes_on_without_losing_or_repeating_much(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=50, each=20)
    shop = Shop()
    gone: Callable[[dict[str, Any]], Reply] = lambda body: shop(body) if len(end.requests) < 30 else Reply(401)  # noqa: E731
    with far_end(gone) as end:
        options = options_of(log, end.url, shift_to_now=True)
        with pytest.raises(Refused, match="answers 401"):
            run(options)
        stopped = load_state(options.state_file)
        assert stopped is not None
        assert 0 < stopped.events_done < 1000
        assert not stopped.finished
        end.answer = shop
        todo = plan(options, NOW + timedelta(hours=5))
        assert todo.state.shift_us == stopped.shift_us  # the run keeps the shift with which it began
        ledger = Ledger(options, todo)
        replay(options, todo, ledger)
    assert ledger.sent == 1000 - stopped.events_done
    assert len(shop.seen) == 1000
    assert len({(each["event_id"], each["occurred_at"]) for each in end.events}) == 1000


@pytest.mark.network
def test_restart_ignores_the_state(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=2, each=2)
    with far_end(lambda _body: Reply(403)) as end:
        options = options_of(log, end.url)
        with pytest.raises(Refused):
            run(options)
        end.answer = lambda _body: Reply()
        assert run(options_of(log, end.url, restart=True)).sent == 4


@pytest.mark.network
def test_rejections_name_their_lines_and_are_all_written_down(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=1, each=20)
    log.file.write_text("oops\n" + log.file.read_text())
    body = json.dumps(
        {"accepted": 18, "rejected": [{"index": i, "error": f"bad at events[{i}].items"} for i in (0, 19)]}
    ).encode()
    with far_end(lambda _body: Reply(200, {}, body)) as end:
        options = options_of(log, end.url)
        ledger = run(options)
    assert ledger.numbers == {"accepted": 18, "rejected": 3}
    assert [each.line for each in ledger.rejections] == [1, 2, 21]
    written = options.rejected_file.read_text().splitlines()
    assert written[0].startswith("line 1: line: expected JSON")
    assert written[1:] == ["line 2: bad at event.items", "line 21: bad at event.items"]


@pytest.mark.network
def test_new_run_begins_a_new_list_of_rejections(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=1, each=1)
    options = options_of(log, "")
    options.rejected_file.write_text("line 1: of a run before\n")
    with far_end() as end:
        run(options_of(log, end.url))
    assert not options.rejected_file.exists()


@pytest.mark.network
def test_state_is_kept_while_it_runs(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=100, each=1)
    seconds = iter(range(1000))
    kept: list[int] = []
    with far_end() as end:
        options = options_of(log, end.url, threads=1)
        todo = plan(options, NOW)

        def look(_ledger: Ledger) -> None:
            state = load_state(options.state_file)
            kept.append(state.events_done if state else 0)

        replay(options, todo, Ledger(options, todo, monotonic=lambda: next(seconds), on_change=look))
    assert kept == list(range(1, 101))


@pytest.mark.network
def test_real_speed_times_n_keeps_the_gaps(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=2, each=3)
    arrivals: list[float] = []

    def note(_body: dict[str, Any]) -> Reply:
        arrivals.append(time.monotonic())
        return Reply()

    began = time.monotonic()
    with far_end(note) as end:
        run(options_of(log, end.url, speed=20.0))
    due_s = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    assert all(at - began >= due for at, due in zip(sorted(arrivals), due_s, strict=True))


def test_old_events_need_the_secret_key(tmp_path: Path) -> None:
    log = write_log(tmp_path)
    later = NOW + timedelta(days=4)
    with pytest.raises(BadRequest, match=r"the first event is 96 h old; .* last 72 h: give the site's secret key"):
        plan(options_of(log, "http://shop"), later)
    assert plan(options_of(log, "http://shop", secret="sk_demo"), later).survey.rows == 200
    assert plan(options_of(log, "http://shop", shift_to_now=True), later).survey.rows == 200


def observed(*times_s: int) -> Iterable[Observation]:
    return [Observation(index, index, "v", {}, at * 1_000_000) for index, at in enumerate(times_s)]


def sizes(events: Iterable[Observation], clock: list[float], most: int = 100) -> list[int]:
    """Window sizes when only waiting takes time, with events due at their own second."""

    def wait(seconds: float) -> None:
        clock[0] += seconds

    return [len(window) for window in windows(events, lambda each: each.at / 1e6 - clock[0], wait, most)]


def test_window_ends_before_what_is_not_due() -> None:
    clock = [0.0]
    assert sizes(observed(0, 0, 3, 3, 3, 9), clock) == [2, 3, 1]
    assert clock == [9.0]


def test_window_has_a_limit() -> None:
    assert sizes(observed(0, 0, 0, 0, 0), [5.0], most=2) == [2, 2, 1]


def test_no_window_for_no_events() -> None:
    assert sizes([], [0.0]) == []


def test_plan_of_an_empty_log_is_empty(tmp_path: Path) -> None:
    log = write_log(tmp_path, visitors=0)
    todo: Plan = plan(options_of(log, "http://shop"), NOW)
    assert (todo.survey.lines, todo.survey.rows, todo.state.events_done) == (0, 0, 0)


def recorded(collector: RunningCollector, prefix: str) -> dict[str, list[tuple[int, str]]]:
    """What lies in the real live store: for each visitor of the prefix the time (ms) and session id of every event."""
    redis: RedisClient = collector.redis
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for partition in range(PARTITIONS):
        for _, entry in redis.xrange(keys.events(partition)):
            visitor = msgspec.msgpack.decode(entry[b"c"], type=Context).visitor_id
            if visitor.startswith(prefix):
                found[visitor] += [(row[1], row[2]) for row in msgspec.msgpack.decode(entry[b"o"])]
    return {visitor: sorted(rows) for visitor, rows in found.items()}


def session_starts(times_ms: Iterable[int], idle_ms: int = 1_800_000, longest_ms: int = 86_400_000) -> list[bool]:
    """Whether each event opens a session, by the rule as people say it: 30 minutes idle, 24 hours at most."""
    starts, began, before = [], 0, None
    for at in times_ms:
        new = before is None or at - before > idle_ms or at - began > longest_ms
        began = at if new else began
        before = at
        starts.append(new)
    return starts


def assert_sessions_are_by_time(found: dict[str, list[tuple[int, str]]]) -> None:
    for visitor, rows in found.items():
        ids = [session for _, session in rows]
        opens = [place == 0 or ids[place] != ids[place - 1] for place in range(len(ids))]
        assert opens == session_starts(at for at, _ in rows), visitor


def test_rule_of_sessions_as_people_say_it() -> None:
    minutes = [0, 30, 61, 62, *range(80, 80 + 25 * 60, 20)]
    opens = [minutes[place] for place, new in enumerate(session_starts(each * 60_000 for each in minutes)) if new]
    assert opens == [0, 61, 1520]


@pytest.mark.redis
def test_real_collector_cuts_the_sessions_that_the_log_has(tmp_path: Path, collector: RunningCollector) -> None:
    rng = random.Random(7)
    file = tmp_path / "log.jsonl"
    rows = []
    for visitor in range(60):
        at = NOW - timedelta(days=300)
        for _ in range(rng.randrange(1, 160)):
            at += timedelta(seconds=rng.choice((1, 20, 200, 1799, 1800, 1801, 7000)))
            rows.append({"visitor": f"cut-{visitor}", "type": "page_view", "occurred_at": at.isoformat()})
    rng.shuffle(rows)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = options_of(Log(file, "jsonl"), collector.url, secret="sk_demo")
    first = run(options)
    assert first.numbers == {"accepted": len(rows), "rejected": 0}
    found = recorded(collector, "cut-")
    assert sum(map(len, found.values())) == len(rows)
    assert_sessions_are_by_time(found)
    second = run(options)
    assert second.numbers == {"accepted": 0, "duplicate": len(rows), "rejected": 0}
    assert recorded(collector, "cut-") == found


@pytest.mark.redis
def test_real_collector_says_what_is_wrong_with_a_line(tmp_path: Path, collector: RunningCollector) -> None:
    log = write_log(tmp_path, visitors=1, each=120)
    rows = log.file.read_text().splitlines()
    rows[60] = rows[60].replace("page_view", "purchase")
    rows[61] = rows[61].replace("page_view", "stare")
    log.file.write_text("\n".join(rows))
    ledger = run(options_of(log, collector.url, secret="sk_demo"))
    assert ledger.numbers == {"accepted": 118, "rejected": 2}
    assert [each.line for each in ledger.rejections] == [61, 62]
    assert ledger.rejections[0].reason == "expected at least one item in a purchase, got none at event.items"


@pytest.mark.redis
def test_real_collector_takes_a_ga4_export(tmp_path: Path, collector: RunningCollector) -> None:
    header = "event_timestamp,event_name,user_pseudo_id,page_location,ecommerce_transaction_id,ecommerce_purchase_revenue"
    file = tmp_path / "ga4.csv"
    file.write_text(
        f"{header},currency,item_id,item_name,price,quantity\n"
        "1763719200000002,purchase,ga4-1,https://shop.example/thanks,GA4-T1,52.40,USD,LAMP-1,Lamp,39.90,1\n"
        "1763719200000002,purchase,ga4-1,https://shop.example/thanks,GA4-T1,52.40,USD,BULB-3,Bulb,12.50,1\n"
        "1763719100000001,view_item,ga4-1,https://shop.example/p/lamp,,,,LAMP-1,Lamp,39.90,\n"
        "1763719100000000,session_start,ga4-1,https://shop.example/p/lamp,,,,,,,\n"
    )
    ledger = run(options_of(Log(file, "ga4-csv"), collector.url, secret="sk_demo"))
    assert ledger.numbers == {"accepted": 2, "rejected": 0}
    redis: RedisClient = collector.redis
    profile = decode_profile(redis.get(keys.visitor(keys.partition_of("ga4-1", PARTITIONS), "demo", "ga4-1")))
    [order] = profile.orders
    assert (order.order_id, order.value_micros, order.currency) == ("GA4-T1", 52_400_000, "USD")
    assert [item.item_id for item in order.items] == ["LAMP-1", "BULB-3"]
    assert profile.session is not None
    assert profile.session.landing_url == "https://shop.example/p/lamp"


@pytest.mark.redis
def test_real_collector_does_not_know_the_key(tmp_path: Path, collector: RunningCollector) -> None:
    with pytest.raises(Refused, match="answers 401 to POST /o: the bearer key is not the secret key of any site"):
        run(options_of(write_log(tmp_path), collector.url, secret="sk_of_nobody"))


@pytest.mark.redis
def test_slice_of_the_real_log_arrives_whole(tmp_path: Path, collector: RunningCollector) -> None:
    with gzip.open(real_log(), "rt") as lines:
        text = "".join(islice(lines, 3001))
    file = tmp_path / "events.csv"
    file.write_text(text)
    options = options_of(Log(file, "retailrocket"), collector.url, secret="sk_demo")
    first, second = run(options), run(options)
    assert first.numbers["rejected"] == second.numbers["accepted"] == 0
    assert first.numbers["accepted"] == second.numbers["duplicate"] == first.sent
    visitors = {line.split(",")[1] for line in text.splitlines()[1:]}
    found = {visitor: rows for visitor, rows in recorded(collector, "").items() if visitor in visitors}
    assert sum(map(len, found.values())) == first.sent
    assert_sessions_are_by_time(found)
