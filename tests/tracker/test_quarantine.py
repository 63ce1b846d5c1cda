"""`baliza quarantine list`: what was refused, readable."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from baliza.cli import cli
from baliza.sites import add_site, load_sites
from tests.support.collecting import START, Shop, event
from tracker.quarantine import newest, quarantine

pytestmark = pytest.mark.redis


def run(url: str, *args: str) -> Result:
    env = {"BALIZA_REDIS_URL": url, "BALIZA_PARTITIONS": "8", "COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=env).invoke(quarantine, ["list", *args])


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
    assert [each.site for each in newest(shop.redis, 8, 5, "demo")] == ["demo"]
    assert len(newest(shop.redis, 8, 100)) == 31
    assert run(valkey_url, "--site", "nobody").output == "nothing in quarantine of the site nobody\n"


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
    assert "Show the newest refused events" in result.output
