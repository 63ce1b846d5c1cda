"""`baliza evaluate` on files and on the history of real engines."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from baliza.errors import NotFound
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import History, RedisClient
from personalizer.evaluation.cli import evaluate
from personalizer.evaluation.log import BadLog
from tests.personalizer.evaluation.test_log import log_file
from tests.support.rows import event_row, insert_events

HEADER = "SessionId,ItemId,Time\n"
pytestmark = pytest.mark.timeout(600)  # where nothing is compiled yet, our model waits for the compiler first


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    train = "".join(f"{n},lamp,{n}\n{n},bulb,{n}\n" for n in range(8)) + "90,phone,90\n90,case,91\n91,lamp,92\n92,phone,93\n"
    train, test = HEADER + train, HEADER + "a,lamp,100\na,bulb,101\nb,phone,100\nb,case,101\n"
    return [
        "--train", str(log_file(tmp_path, train, "train.csv")), "--test", str(log_file(tmp_path, test, "test.csv")),
    ]  # fmt: skip


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("data_dir", "redis_url", "clickhouse_url"):
        monkeypatch.setenv(f"BALIZA_{name.upper()}", str(getattr(settings, name)))
    return settings


def test_json_is_one_object_and_nothing_else_on_standard_output(files: list[str]) -> None:
    answer = CliRunner().invoke(evaluate, [*files, "--model", "together", "--json"])
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.count("\n") == 1
    found = json.loads(answer.stdout)
    assert (found["model"], found["n"], found["hr@20"], found["mrr@20"]) == ("together", 2, 1.0, 0.5)


def test_the_table_has_all_models_twice(files: list[str]) -> None:
    answer = CliRunner().invoke(evaluate, files)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.count("session-knn") >= 2
    assert answer.stdout.count("recent-best-sellers") >= 2
    assert "what is new to the session" in answer.stdout


def test_notes_go_to_standard_error(files: list[str], tmp_path: Path) -> None:
    log_file(tmp_path, f"{HEADER}a,lamp,100\na,new,101\n", "test.csv")
    answer = CliRunner().invoke(evaluate, [*files, "--model", "last-viewed", "--json"])
    assert json.loads(answer.stdout)["unknown_items"] == 1
    assert "note: 1 items of test (50.0% of its events) are not in train" in answer.stderr


def test_json_of_several_models_is_refused(files: list[str]) -> None:
    answer = CliRunner().invoke(evaluate, [*files, "--json", "--model", "together", "--model", "session-knn"])
    assert answer.exit_code == 2
    assert "give --model once" in answer.stderr


def test_an_unknown_model_is_told_with_those_there_are(files: list[str]) -> None:
    answer = CliRunner().invoke(evaluate, [*files, "--model", "magic"])
    assert answer.exit_code == 2
    assert "session-knn" in answer.stderr


def test_a_bad_file_is_told(files: list[str], tmp_path: Path) -> None:
    log_file(tmp_path, f"{HEADER}a,lamp,noon\n", "test.csv")
    answer = CliRunner().invoke(evaluate, files)
    assert isinstance(answer.exception, BadLog)
    assert "test.csv, line 2: expected Time in unix seconds" in str(answer.exception)


def test_draws_pictures(files: list[str], tmp_path: Path) -> None:
    answer = CliRunner().invoke(evaluate, [*files, "--model", "together", "--plot", str(tmp_path / "new" / "plots")])
    assert answer.exit_code == 0, answer.output
    drawn = {file.name for file in (tmp_path / "new" / "plots").iterdir()}
    assert drawn == {"next-clicks.svg", "next-new-clicks.svg", "latency-together.svg"}
    assert "note: drawn:" in answer.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--train"], "--train and --test belong together"),
        (["--train", "--test", "--site", "demo"], "--site is for the shop's own history"),
    ],
)
def test_half_of_what_is_needed_is_refused(given: list[str], told: str, files: list[str]) -> None:
    named = dict(zip(files[::2], files[1::2], strict=True))
    answer = CliRunner().invoke(evaluate, [part for word in given for part in (word, named.get(word)) if part])
    assert answer.exit_code == 2
    assert told in answer.stderr


@pytest.mark.redis
@pytest.mark.clickhouse
def test_evaluates_the_shops_own_history(environment: Settings, history: History, demo_site: Site) -> None:
    now = datetime.now(UTC)
    rows = [
        event_row(type="view_item", occurred_at=now - timedelta(minutes=300 - 2 * number - place), session_id=f"s-{number}",
                  items=[(item, "light", "1", 1)])
        for number in range(100) for place, item in enumerate(("lamp", "bulb"))
    ]  # fmt: skip
    insert_events(history, rows)
    answer = CliRunner().invoke(evaluate, ["--model", "together", "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert (found["train_sessions"], found["test_sessions"], found["n"], found["hr@20"]) == (80, 20, 20, 1.0)


@pytest.mark.redis
def test_of_several_sites_one_must_be_named(environment: Settings, redis_client: RedisClient, demo_site: Site) -> None:
    add_site(redis_client, "other", [])
    answer = CliRunner().invoke(evaluate, [])
    assert answer.exit_code == 2
    assert "say with --site which of these: demo, other" in answer.stderr
    assert isinstance(CliRunner().invoke(evaluate, ["--site", "nowhere"]).exception, NotFound)


def test_a_sample_of_test_is_told_apart(files: list[str]) -> None:
    answer = CliRunner().invoke(evaluate, [*files, "--model", "together", "--json", "--sample", "1"])
    assert json.loads(answer.stdout)["test_sessions"] == 1
