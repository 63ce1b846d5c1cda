"""baliza up | demo | serve | health: running things."""

import os
import random
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import IO, Any, Final

import click

from baliza import sites, stores
from baliza.errors import BalizaError, Conflict
from baliza.loops import PARENT_VARIABLE, end_with_parent
from baliza.migrations import Migration, migrate
from baliza.settings import Settings, load_settings
from baliza.status import Status, read_status
from baliza.supervisor import Child, Part, Supervisor, check_ports, engines, lock_data_dir

__all__ = ["demo", "health", "serve", "up"]

SERVICES: Final = {
    "tracker": "tracker.serve:serve_tracker",
    "ingest": "tracker.serve:serve_ingest",
    "personalizer": "personalizer.serve:serve_personalizer",
    "retargeting": "personalizer.serve:serve_retargeting",
    "trainer": "personalizer.serve:serve_trainer",
    "console": "console.serve:serve_console",
    "public": "baliza.public:serve_public",
    "shoppers": "demo.serve:serve_shoppers",
}
ON_ONE_BOX: Final = ("public", "ingest", "retargeting", "trainer", "console")
HISTORY_SHOPPERS: Final = 700
HISTORY_DAYS: Final = 14


@click.command()
@click.argument("name", type=click.Choice(list(SERVICES)), metavar="SERVICE")
def serve(name: str) -> None:
    """Run one service: tracker, ingest, personalizer, retargeting, trainer, console (or public: tracker and personalizer).

    \b
    Example: BALIZA_REDIS_URL=redis://localhost/0 baliza serve tracker
    """
    if PARENT_VARIABLE in os.environ:
        end_with_parent(int(os.environ[PARENT_VARIABLE]))
    module, _, function = SERVICES[name].partition(":")
    getattr(import_module(module), function)(load_settings())


@click.command()
@click.argument("url")
def health(url: str) -> None:
    """Exit 0 when URL answers 200, else 1: for health checks of containers, which have no curl.

    \b
    Example: baliza health http://127.0.0.1:8000/ready
    """
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"expected an http URL, got {url!r}")
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - checked above
            click.echo(answer.read().decode())
    except (urllib.error.URLError, OSError) as error:
        click.echo(f"{url}: {error}", err=True)
        sys.exit(1)


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
    """The same as `up`, with a demo shop, simulated shoppers, and two weeks of their past.

    \b
    Example: baliza demo --shoppers-per-minute 200
    """
    settings = load_settings()
    extra = {"BALIZA_DEMO": "1", "BALIZA_DEMO_PER_MINUTE": str(shoppers_per_minute), "BALIZA_DEMO_SPEED": str(speed)}
    _run(settings, _announce_demo, extra)


def _run(settings: Settings, announce: Callable[[Settings], None], extra_env: dict[str, str] | None = None) -> None:
    """Start all, say where to look, then a live line until Ctrl-C or SIGTERM; then stop all."""
    started_at = time.monotonic()
    with_demo = extra_env is not None
    lock = lock_data_dir(settings.data_dir)
    check_ports(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _clear_metrics(settings)
    engine_parts, settings = engines(settings)
    names = [*ON_ONE_BOX, *(["shoppers"] if with_demo else [])]
    children: list[Part] = [Child(name, settings, extra_env or {}) for name in names]
    stores_first, services = Supervisor(engine_parts), Supervisor(children)
    _tell("starting the live store and the history")
    stores_first.start()
    try:
        _prepare(settings, with_demo)
        services.start()
        if _wait_for(f"{settings.base_url}/ready", stop) and with_demo:
            _send_past(settings)
        if not stop.is_set():
            announce(settings)
            _tell(f"ready after {time.monotonic() - started_at:.0f} s; Ctrl-C stops everything\n")
        _watch(settings, Supervisor([*engine_parts, *children]), stop)
    finally:
        _tell("\nstopping")
        services.stop()
        stores_first.stop()
        stores.endpoints_file(settings).unlink(missing_ok=True)
        _give_back(lock)


def _give_back(lock: IO[str]) -> None:
    lock.truncate(0)
    lock.close()


def _clear_metrics(settings: Settings) -> None:
    folder = settings.data_dir / "run" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _prepare(settings: Settings, with_demo: bool) -> None:
    """Install functions and tables, and tell other commands on this box where the stores are."""

    def told(step: Migration) -> None:
        _tell(f"applying {step.name}")

    client = stores.clickhouse(settings)
    migrate(client, told)
    client.disconnect()
    redis = stores.redis(settings)
    stores.install(redis, settings)
    if with_demo:
        _register_demo(redis, settings)
    redis.close()
    stores.write_endpoints(settings, settings.redis_url, settings.clickhouse_url)


def _register_demo(redis: stores.RedisClient, settings: Settings) -> None:
    """The demo's site, user and token. Everybody knows them, so they exist in the demo only."""
    port = settings.public_port
    origins = sorted({settings.base_url, f"http://localhost:{port}", f"http://127.0.0.1:{port}"})
    try:
        sites.add_site(redis, "demo", origins, publishable_key="pk_demo", secret_key="sk_demo")  # noqa: S106
    except Conflict:
        sites.set_origins(redis, "demo", origins)
    sites.add_user(redis, "demo", "demo-demo", ["demo"])
    sites.add_token(redis, "demo", "tok_demo")


def _send_past(settings: Settings) -> None:
    """Two weeks of past visits through the public endpoint, once, so that there is something to learn from."""
    redis = stores.redis(settings)
    if redis.hsetnx("baliza:installed", "demo_past", "sending"):
        _tell("sending two weeks of past visits")
        walks, shoppers = import_module("demo.walks"), import_module("demo.shoppers")
        rng, now = random.Random(7), datetime.now(UTC)  # noqa: S311
        past = walks.history(HISTORY_DAYS, HISTORY_SHOPPERS, rng, now, f"{settings.base_url}/shop")
        sent = shoppers.send_history(settings.base_url, "sk_demo", past)
        redis.hset("baliza:installed", "demo_past", sent)
    redis.close()


def _wait_for(url: str, stop: threading.Event, timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not stop.wait(0.1):
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own port
                return True
        except OSError:
            if time.monotonic() > deadline:
                raise BalizaError(f"{url} does not answer within {timeout_s:.0f} s; the logs folder says why") from None
    return False


def _announce_up(settings: Settings) -> None:
    _tell(
        f"""
  console   http://{settings.private_host}:{settings.private_port}/      a user: baliza user add NAME --site SITE
  beacon    <script async src="{settings.base_url}/b.js" data-site="pk_…"></script>
  a site    baliza site add NAME --origin https://shop.example
  logs      {settings.data_dir / "logs"}/
"""
    )


def _announce_demo(settings: Settings) -> None:
    _tell(
        f"""
  shop      {settings.base_url}/shop/
  console   http://{settings.private_host}:{settings.private_port}/      user demo, password demo-demo
  offers    curl -H 'Authorization: Bearer sk_demo' '{settings.base_url}/v1/offers?placement=home-hero&limit=3'
  carts     curl -H 'Authorization: Bearer sk_demo' '{settings.base_url}/v1/carts/abandoned?limit=3'
  reports   curl -H 'Authorization: Bearer tok_demo' 'http://{settings.private_host}:{settings.private_port}/v1/reports/sessions?period=today&limit=3'
  logs      {settings.data_dir / "logs"}/
"""
    )


def _watch(settings: Settings, supervisor: Supervisor, stop: threading.Event) -> None:
    redis = stores.redis(settings)
    history = stores.History(lambda: stores.clickhouse(settings))
    printed_at = -60.0
    while not stop.wait(1.0):
        now = time.monotonic()
        supervisor.watch(now)
        # A terminal gets a line that lives; a log file gets one a minute.
        if sys.stdout.isatty() or now - printed_at >= 60:
            printed_at = now
            _show(lambda: read_status(redis, history, settings, datetime.now(UTC)))


def _show(read: Callable[[], Status]) -> None:
    try:
        line = read().line()
    except BalizaError as error:
        line = f"the stores do not answer: {error}"
    except Exception as error:  # noqa: BLE001 - the live line must not stop what it only watches
        line = f"no figures right now: {error}"
    width = shutil.get_terminal_size((120, 20)).columns - 1
    end: Any = "\r" if sys.stdout.isatty() else "\n"
    click.echo(line[:width].ljust(width if end == "\r" else 0) + end, nl=False)
    sys.stdout.flush()


def _tell(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
