"""What a killed run goes on from."""

import random
from pathlib import Path

from msgspec.structs import replace

from tracker.replay_state import Done, State, fingerprint, load_state, save_state, state_name

STATE = State("/log.csv", "jsonl", "http://127.0.0.1:1", "9-9", events_done=41)


def test_done_counts_only_what_has_no_gap() -> None:
    done = Done()
    done.add([0, 1, 4, 5])
    assert done.upto == 2
    done.add([3])
    assert done.upto == 2
    done.add([2])
    assert done.upto == 6


def test_done_is_whole_after_any_order() -> None:
    order = list(range(7, 500))
    random.Random(4).shuffle(order)
    done = Done(7)
    for index in order:
        done.add([index])
    assert done.upto == 500


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "state.json"
    save_state(file, STATE)
    assert load_state(file) == STATE
    assert [each.name for each in file.parent.iterdir()] == ["state.json"]


def test_no_state_when_absent_or_broken(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert load_state(file) is None
    file.write_text('{"file": "/log.csv"')
    assert load_state(file) is None


def test_goes_on_only_with_the_same_unfinished_run() -> None:
    fresh = replace(STATE, events_done=0)
    assert STATE.continues(fresh)
    assert not replace(STATE, finished=True).continues(fresh)
    assert not STATE.continues(replace(fresh, fingerprint="8-8"))
    assert not STATE.continues(replace(fresh, shift_us=5))
    assert replace(STATE, shift_us=4).continues(replace(fresh, shift_us=5))


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("a")
    before = fingerprint(file)
    file.write_text("ab")
    assert fingerprint(file) != before


def test_state_has_a_name_of_its_own_for_every_site(tmp_path: Path) -> None:
    names = {state_name(tmp_path / "log.csv", "jsonl", "http://a", key) for key in ("sk_a", "sk_b")}
    assert len(names) == 2
    assert all(name.startswith("log.csv-") and "sk_" not in name for name in names)
