from loadtests.carrying import events_in, past_visits
from loadtests.replaying import log_lines
from tracker.replay_formats import FORMATS, Row


def test_the_log_is_what_replay_reads() -> None:
    visits = past_visits(300, days=2, seed=8)
    rows = list(FORMATS["jsonl"]((line.decode() for line in log_lines(visits)), "EUR"))
    assert all(isinstance(row, Row) for row in rows)
    assert len(rows) == sum(events_in(visit) for visit in visits)


def test_the_log_is_in_the_order_of_time() -> None:
    lines = (line.decode() for line in log_lines(past_visits(300, days=2, seed=8)))
    times = [row.at for row in FORMATS["jsonl"](lines, "EUR") if isinstance(row, Row)]
    assert times == sorted(times)
