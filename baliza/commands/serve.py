"""baliza serve | health: one service, and the question whether one is well."""

import logging
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import MutableMapping
from importlib import import_module
from typing import Final

import click

from baliza.errors import BadSetting
from baliza.settings import PARENT_VARIABLE, Settings, load_settings

__all__ = ["SERVICES", "health", "serve", "share_metrics"]

SERVICES: Final = {
    "tracker": "baliza.public:serve_tracker",
    "ingest": "tracker.serve:serve_ingest",
    "personalizer": "baliza.public:serve_personalizer",
    "retargeting": "personalizer.loops:serve_retargeting",
    "trainer": "personalizer.loops:serve_trainer",
    "console": "console.serve:serve_console",
    "public": "baliza.public:serve_public",
    "shoppers": "demo.serve:serve_shoppers",
}
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@click.argument("name", type=click.Choice(list(SERVICES)), metavar="SERVICE")
def serve(name: str) -> None:
    """Run one service: tracker, ingest, personalizer, retargeting, trainer, console (or public: tracker and personalizer).

    \b
    Example: BALIZA_REDIS_URL=redis://localhost/0 baliza serve tracker
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)  # a stack trace of what we say in a sentence
    settings = load_settings()
    share_metrics(settings, name, os.environ)
    # After that: who imports the metrics decides then and there where they are kept.
    if PARENT_VARIABLE in os.environ:
        import_module("baliza.parent").end_with_parent(int(os.environ[PARENT_VARIABLE]))
    module, _, function = SERVICES[name].partition(":")
    getattr(import_module(module), function)(settings)


def share_metrics(settings: Settings, name: str, env: MutableMapping[str, str]) -> None:
    """Give a service that runs by itself an empty folder in which its processes add up their metrics, unless it has one."""
    if env.get(METRICS_VARIABLE):
        return
    folder = settings.data_dir.resolve() / "run" / f"metrics-{name}-{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for old in folder.parent.glob(f"metrics-{name}-*"):
            if old == folder or not _alive(int(old.name.rpartition("-")[2])):
                shutil.rmtree(old, ignore_errors=True)
        folder.mkdir()
    except OSError as error:
        raise BadSetting(
            f"BALIZA_DATA_DIR: expected a folder to write to, got {folder.parent}: {error.strerror}; "
            f"or say another folder for the metrics in {METRICS_VARIABLE}"
        ) from None
    env[METRICS_VARIABLE] = str(folder)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@click.command()
@click.argument("url")
def health(url: str) -> None:
    """Exit 0 when URL answers 200, else 1: for health checks of containers, which have no curl.

    \b
    Example: baliza health http://127.0.0.1:8000/ready
    """
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"expected an http URL, got {url!r}")
    # Proxies are for the way out of the box, not for asking a neighbour.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            click.echo(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            click.echo(f"{url}: {error}\n{error.read().decode(errors='replace')}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{url}: {error}", err=True)
        sys.exit(1)
