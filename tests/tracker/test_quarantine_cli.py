"""`baliza quarantine`: what was refused, readable; and its end."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from baliza.cli import cli
from baliza.sites import add_site, load_sites
from schema import keys
from tests.support.collecting import START, Shop, event
from tracker.quarantine import all_kept, newest, set_aside_command, tallied
from tracker.quarantine_cli import quarantine

pytestmark = pytest.mark.redis


def run(url: str, *args: str, command: str = "list", said: str | None = None) -> Result:
    env = {"BALIZA_REDIS_URL": url, "BALIZA_PARTITIONS": "8", "COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=env).invoke(quarantine, [command, *args], said)


def refuse(shop: Shop, count: int = 3) -> None:
    for number in range(count):
        shop.now = START + timedelta(minutes=number)
        shop.send(event(colour=f"red-{number}"), visitor=f"v-{number}")


def test_shows_the_newest_first(shop: Shop, valkey_url: str) -> None:
    refuse(shop)
    result = run(valkey_url, "--limit", "2")
    assert result.exit_code == 0, result.output
    assert "2026-11-21 10:02:00" in result.output
    assert "10:01:00" in result.output
    assert "10:00:00 " not in result.output
    assert "expected known fields only" in result.output
    assert result.output.index("10:02:00") < result.output.index("10:01:00")


def test_json_is_for_machines(shop: Shop, valkey_url: str) -> None:
    refuse(shop)
    found = [json.loads(line) for line in run(valkey_url, "--json").output.splitlines()]
    assert [each["at"] for each in found] == [f"2026-11-21T10:0{minute}:00Z" for minute in (2, 1, 0)]
    assert found[0]["site"] == "demo"
    assert json.loads(found[0]["event"])["colour"] == "red-2"
    assert found[0]["error"] == 'expected known fields only (your own belong into properties), got "colour" at events[0]'


def test_shows_one_site_only(shop: Shop, valkey_url: str) -> None:
    add_site(shop.redis, "other", ["*"], publishable_key="pk_other", secret_key="sk_other")
    shop.collector.registry = load_sites(shop.redis)
    refuse(shop, 1)
    shop.key = "pk_other"
    refuse(shop, 30)
    assert [each.site for each in newest(all_kept(shop.redis, 8, "demo"), 5)] == ["demo"]
    assert len(list(all_kept(shop.redis, 8))) == 31
    assert run(valkey_url, "--site", "nobody").output == "nothing in quarantine of the site nobody\n"


def test_choices_are_told_what_they_may_be(shop: Shop, valkey_url: str) -> None:
    refuse(shop)
    assert run(valkey_url, "--reason", "nobody says so").output.startswith("nothing in quarantine")
    assert len(run(valkey_url, "--since", "2026-11-21T10:01", "--json").output.splitlines()) == 2
    result = run(valkey_url, "--since", "yesterday")
    assert (result.exit_code, "how long ago (90m, 12h, 7d), got 'yesterday'" in result.output) == (2, True)


def test_says_how_many_are_not_shown_and_how_many_are_gone(shop: Shop, valkey_url: str) -> None:
    for number in range(11):
        shop.send(*[event(colour=f"red-{number}")] * 100)
    shop.send(event())
    (stream_id,) = [found[0] for found in shop.redis.xrange(keys.events(keys.partition_of("v-1", 8))) if b"b" in found[1]]
    shop.redis.execute_command(*set_aside_command(keys.partition_of("v-1", 8), stream_id.decode(), "no such column", 7))
    output = run(valkey_url, "--limit", "1").output
    assert "1 shown of 1000 refused and 1 accepted that cannot be stored" in output
    assert "100 older ones had to make room" in output


def test_shows_one_whole(shop: Shop, valkey_url: str) -> None:
    shop.send(event(colour="red", search_term="x" * 500 + "\u001b[31m"))
    (kept,) = all_kept(shop.redis, 8)
    output = run(valkey_url, kept.id, command="show").output
    assert "received  2026-11-21 10:01:00 UTC" in output
    assert "sender    browser" in output
    assert '  "colour": "red"' in output
    assert "x" * 500 in output
    assert "\x1b" not in output
    assert json.loads(run(valkey_url, kept.id, "--json", command="show").output)["visitor"] == "v-1"
    missing = run(valkey_url, "r-0-1-0", command="show")
    assert (missing.exit_code, "nothing has the id 'r-0-1-0'" in missing.output) == (1, True)


def test_deletes_what_was_chosen_after_asking(shop: Shop, valkey_url: str) -> None:
    refuse(shop)
    assert run(valkey_url, command="delete").exit_code == 2
    assert run(valkey_url, "--all", "--site", "demo", command="delete").exit_code == 2
    assert run(valkey_url, "--all", command="delete", said="n\n").exit_code == 1
    assert tallied(shop.redis, 8).refused == 3
    (last, *_) = newest(all_kept(shop.redis, 8), 3)
    assert run(valkey_url, last.id, command="delete", said="y\n").output.endswith("1 deleted\n")
    assert run(valkey_url, "--reason", "known fields", "--yes", command="delete").output == "2 deleted\n"
    assert tallied(shop.redis, 8).refused == 0


def test_says_when_there_is_nothing(shop: Shop, valkey_url: str) -> None:
    assert run(valkey_url).output == "nothing in quarantine\n"


def test_what_strangers_send_does_not_draw_on_the_terminal(shop: Shop, valkey_url: str) -> None:
    body = b'{"key":"pk_demo","visitor":"v","events":[{"event_id":"[bold]\xff","x":"\\u001b[31m\xe2\x80\xae"}]}'
    assert shop.post(body).status == 400
    output = run(valkey_url).output
    assert "[bold]�" in output
    assert not set("\x1b\u202e") & set(output)


def test_is_a_command_of_baliza() -> None:
    result = CliRunner().invoke(cli, ["quarantine", "list", "--help"])
    assert result.exit_code == 0
    assert "Show what is kept aside" in result.output
