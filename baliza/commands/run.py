"""baliza up | demo: everything on one box."""

import logging
import os
import random
import shutil
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import IO, Final

import click

from baliza import sites, stores
from baliza.commands.live import LiveLine
from baliza.disk import DiskGuard
from baliza.errors import BalizaError, Conflict, EngineError
from baliza.files import holder, wait_until_free
from baliza.migrations import migrate
from baliza.settings import Settings, load_settings
from baliza.status import read_status
from baliza.supervisor import (
    Child,
    Supervisor,
    check_ports,
    engines,
    lock_data_dir,
    metrics_folder,
    supervisor_lock,
    take_over,
)
from schema import keys

__all__ = ["demo", "reload", "up"]

ON_ONE_BOX: Final = ("public", "ingest", "retargeting", "trainer", "console")
HISTORY_SHOPPERS: Final = 700
HISTORY_DAYS: Final = 14
START_WITHIN_S: Final = 60.0
RELOAD: Final = signal.SIGUSR1
FIGURES_TIMEOUT_S: Final = 2.0  # who waits for figures neither watches processes nor sees Ctrl-C


@click.command()
def up() -> None:
    """Run everything on this box: live store, history, collector, ingest, personalizer, retargeting, console.

    \b
    Example: BALIZA_PUBLIC_PORT=9000 baliza up
    """
    _run(load_settings(), _announce_up)


@click.command()
@click.option("--shoppers-per-minute", default=60.0, show_default=True, help="simulated visits that begin in a minute")
@click.option("--speed", default=6.0, show_default=True, help="how much faster than people the simulated shoppers walk")
def demo(shoppers_per_minute: float, speed: float) -> None:
    """The same as `up`, with a demo shop and simulated shoppers, and with two weeks of their past.

    \b
    Example: baliza demo --shoppers-per-minute 200
    """
    settings = load_settings()
    extra = {"BALIZA_DEMO": "1", "BALIZA_DEMO_PER_MINUTE": str(shoppers_per_minute), "BALIZA_DEMO_SPEED": str(speed)}
    _run(settings, _announce_demo, extra)


@click.command()
def reload() -> None:
    """Let a running `baliza up` run the code that is installed now; no event and no offer fails.

    The services do. Stores, settings and the parent itself stay as they are. When a new version has migrations, run
    `baliza migrate` before.

    \b
    Example: pip install --upgrade baliza && baliza migrate && baliza reload
    """
    chosen = load_settings()
    if wait_until_free(supervisor_lock(chosen.data_dir), 0):
        raise BalizaError(f"nothing runs in {chosen.data_dir.resolve()}: start `baliza up` there")
    os.kill(int(holder(supervisor_lock(chosen.data_dir))), RELOAD)
    click.echo("reloading; its output and logs say how it went")


def _run(settings: Settings, announce: Callable[[Settings], str], extra_env: dict[str, str] | None = None) -> None:
    """Start all, say where to look, then a live line until Ctrl-C or SIGTERM; then stop all. `extra_env`: it is the demo."""
    os.umask(0o077)  # what shoppers did, and passwords: for the owner's eyes only
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)  # a stack trace of what the live line says in words
    live, stop = LiveLine(sys.stdout), threading.Event()
    lock = lock_data_dir(settings.data_dir)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(RELOAD, signal.SIG_IGN)  # until there is something to reload
    try:
        take_over(settings.data_dir, live.tell)
        check_ports(settings)
        _clear_metrics(settings)
        _run_all(settings, announce, extra_env, live, stop)
    finally:
        stores.endpoints_file(settings).unlink(missing_ok=True)
        _give_back(lock)


def _run_all(
    given: Settings,
    announce: Callable[[Settings], str],
    extra_env: dict[str, str] | None,
    live: LiveLine,
    stop: threading.Event,
) -> None:
    started_at, with_demo = time.monotonic(), extra_env is not None
    engine_parts, settings = engines(given)
    names = [*ON_ONE_BOX, *(["shoppers"] if with_demo else [])]
    children = [Child(name, settings, extra_env or {}) for name in names]
    stores_first, services = Supervisor(engine_parts), Supervisor(children)
    live.tell("starting the live store and the history")
    stores_first.start()
    try:
        _prepare(settings, live)
        if with_demo:
            _register_demo(settings)
        services.start()
        _wait_until_up(settings, children, stop)
        if with_demo and not stop.is_set():
            _send_feed(settings, live)
            _send_past(settings, live)
        if not stop.is_set():
            live.tell(announce(settings))
            live.tell(f"ready after {time.monotonic() - started_at:.0f} s; Ctrl-C stops everything\n")
        reserve_mb = 0 if given.redis_url else settings.disk_reserve_mb
        _watch(replace(settings, disk_reserve_mb=reserve_mb), Supervisor([*engine_parts, *children], live.tell), live, stop)
    finally:
        live.tell("\nstopping")
        services.stop()
        stores_first.stop()


def _give_back(lock: IO[str]) -> None:
    lock.truncate(0)
    lock.close()


def _clear_metrics(settings: Settings) -> None:
    shutil.rmtree(metrics_folder(settings.data_dir), ignore_errors=True)


def _prepare(settings: Settings, live: LiveLine) -> None:
    """Install functions and tables, and tell other commands on this box where the stores are."""
    client = stores.clickhouse(settings)
    migrate(client, lambda step: live.tell(f"applying {step.name}"))
    client.disconnect()
    with stores.redis(settings) as redis:
        stores.call(lambda: stores.install(redis, settings))
    stores.write_endpoints(settings, settings.redis_url, settings.clickhouse_url)


def _register_demo(settings: Settings) -> None:
    """The demo's site, user and token. Everybody knows them, so they exist in the demo only."""
    port = settings.public_port
    origins = sorted({settings.base_url, f"http://localhost:{port}", f"http://127.0.0.1:{port}"})
    with stores.redis(settings) as redis:
        try:
            sites.add_site(
                redis,
                "demo",
                origins,
                publishable_key="pk_demo",
                secret_key="sk_demo",  # noqa: S106
                count_automation=True,  # whoever tries the demo with a driven browser wants to see its session
            )
        except Conflict:
            sites.set_origins(redis, "demo", origins)
        sites.add_user(redis, "demo", "demo-demo", ["demo"])
        sites.add_token(redis, "demo", "tok_demo")


def _send_feed(settings: Settings, live: LiveLine) -> None:
    """The demo shop's own product feed, through the public endpoint, as another shop's cron job would send it."""
    live.tell("sending the shop's product feed")
    feed = import_module("demo.feed").google_feed(f"{settings.base_url}/shop")
    url, secret = f"{settings.local_url}/v1/catalogue", {"Authorization": "Bearer sk_demo"}
    asked = urllib.request.Request(url, feed.encode(), secret, method="PUT")  # noqa: S310 - our own address
    try:
        with _opener().open(asked, timeout=START_WITHIN_S):
            pass
    except OSError as error:
        live.tell(f"the product feed was not taken: {error}")


def _send_past(settings: Settings, live: LiveLine) -> None:
    """Two weeks of past visits through the public endpoint, once, so that there is something to learn from."""
    with stores.redis(settings) as redis:
        if redis.hexists(keys.INSTALLED, "demo_past"):
            return
        live.tell("sending two weeks of past visits")
        walks, shoppers = import_module("demo.walks"), import_module("demo.shoppers")
        rng, now = random.Random(7), datetime.now(UTC)  # noqa: S311
        past = walks.history(HISTORY_DAYS, HISTORY_SHOPPERS, rng, now, f"{settings.base_url}/shop")
        sent = shoppers.send_history(settings.local_url, "sk_demo", past)
        redis.hset(keys.INSTALLED, "demo_past", sent)


def _wait_until_up(settings: Settings, children: Sequence[Child], stop: threading.Event) -> None:
    """Until both ports are ready, or `stop`. EngineError with its last words when a service ends, or when none listens.

    A port that answers and is not ready (events may wait from before the start) is let be.
    """
    urls, deadline = [settings.local_url, settings.console_url], time.monotonic() + START_WITHIN_S
    while not stop.wait(0.1) and not all(_answers(f"{url}/ready") for url in urls):
        for child in children:
            if not child.running():
                raise EngineError(f"{child.name} did not start: {child.last_words()} (all of it: {child.log_file})")
        if time.monotonic() > deadline:
            silent = [url for url in urls if not _answers(f"{url}/health")]
            if silent:
                logs = settings.data_dir.resolve() / "logs"
                raise EngineError(f"{silent[0]} does not answer within {START_WITHIN_S:.0f} s; {logs} says why")
            return


def _answers(url: str) -> bool:
    try:
        with _opener().open(url, timeout=2):
            return True
    except OSError:
        return False


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _announce_up(settings: Settings) -> str:
    command = _command()
    return f"""
  console   {settings.console_url}/
  beacon    <script async src="{settings.base_url}/b.js" data-site="pk_…"></script>
  a site    {command} site add SITE --origin https://shop.example
  a user    {command} user add NAME --site SITE
  logs      {settings.data_dir / "logs"}/
"""


def _command() -> str:
    """What to type in another terminal: a newcomer's .venv is in no PATH."""
    found = shutil.which("baliza") is not None or Path(sys.argv[0]).name != "baliza"
    return "baliza" if found else sys.argv[0]


def _announce_demo(settings: Settings) -> str:
    public, private = settings.base_url, settings.console_url
    return f"""
  shop      {public}/shop/
  console   {private}/      user demo, password demo-demo
  offers    curl -H 'Authorization: Bearer sk_demo' '{public}/v1/offers?placement=home-hero&limit=3'
  carts     curl -H 'Authorization: Bearer sk_demo' '{public}/v1/carts/abandoned?limit=3'
  feed      {public}/shop/feed.xml
  reports   curl -H 'Authorization: Bearer tok_demo' '{private}/v1/reports/sessions?period=today&limit=3'
  logs      {settings.data_dir / "logs"}/
"""


def _watch(settings: Settings, supervisor: Supervisor, live: LiveLine, stop: threading.Event) -> None:
    redis = stores.redis(settings)
    history = stores.History(lambda: stores.clickhouse(settings, FIGURES_TIMEOUT_S))
    guard = DiskGuard(
        redis,
        lambda: shutil.disk_usage(settings.data_dir).free,
        settings.disk_reserve_mb,
        settings.redis_max_memory_mb,
        live.tell,
    )
    asked_to_reload = threading.Event()
    signal.signal(RELOAD, lambda *_: asked_to_reload.set())
    while not stop.wait(1.0):
        now = time.monotonic()
        if asked_to_reload.is_set():
            asked_to_reload.clear()
            supervisor.reload()
            live.tell("reloaded: the services run the code that is on the disk now")
        for name in supervisor.watch(now):
            live.tell(f"{name} runs again")
        guard.look()
        live.show(lambda: read_status(redis, history, settings, datetime.now(UTC)), now)
    redis.close()
