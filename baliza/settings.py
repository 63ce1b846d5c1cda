"""All settings: one frozen object, read once at the edge from baliza.toml and the environment (which wins)."""

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from baliza.errors import BadSetting

__all__ = ["ENV_PREFIX", "PARENT_VARIABLE", "Settings", "load_settings"]

ENV_PREFIX = "BALIZA_"
PARENT_VARIABLE = "BALIZA_PARENT_PID"  # no setting: how a supervisor tells a service whom to end with


# A pattern, and what it asks for in words.
Form = tuple[str, str]
HOST: Form = (r"[\w.:%-]+", "a host name or an address without a port, such as 127.0.0.1 or 0.0.0.0")
WEB_URL: Form = (r"(https?://[^\s/?#]+[^\s?#]*)?", "a URL such as https://events.shop.example, or nothing")
REDIS_URL: Form = (
    r"((rediss?|unix|redis\+cluster)://\S+)?",
    "a URL such as redis://:password@host:6379/0, unix:///path or redis+cluster://:password@one:6379,two:6379, or nothing",
)
CLICKHOUSE_URL: Form = (r"(clickhouses?://\S+)?", "a URL such as clickhouse://user:password@host:9000/baliza, or nothing")


def setting(
    default: Any, help_text: str, *, least: float | None = None, most: float | None = None, form: Form | None = None
) -> Any:
    """A field with its help text (shown by `baliza settings`, tested against the docs), its bounds and its form."""
    return field(default=default, metadata={"help": help_text, "least": least, "most": most, "form": form})


@dataclass(frozen=True)
class Settings:
    """What can be set. Each name is BALIZA_<NAME> in the environment and <name> in baliza.toml; units are in the names."""

    data_dir: Path = setting(Path("data"), "folder of everything that is kept: engines, models, secrets")
    redis_url: str = setting(
        "", "redis://, unix:// or redis+cluster:// of Redis or Valkey; empty: the embedded Valkey", form=REDIS_URL
    )
    redis_wait_replicas: int = setting(
        -1, "replicas that must have an event before it is accepted; -1: 1 on a cluster, else 0", least=-1, most=5
    )
    clickhouse_url: str = setting(
        "", "clickhouse://user:password@host:9000/baliza; empty: the embedded engine", form=CLICKHOUSE_URL
    )
    public_host: str = setting("127.0.0.1", "address of the public port (beacon, offers, server API)", form=HOST)
    public_port: int = setting(8000, "the public port", least=1, most=65535)
    private_host: str = setting("127.0.0.1", "address of the private port (console, reports)", form=HOST)
    private_port: int = setting(8001, "the private port", least=1, most=65535)
    public_url: str = setting(
        "", "base URL under which shops reach the public port; empty: made of host and port", form=WEB_URL
    )
    trusted_proxies: int = setting(0, "how many X-Forwarded-For entries, from the right, to believe", least=0, most=10)
    secure_cookies: bool = setting(True, "cookies only over https (browsers make an exception for localhost)")
    partitions: int = setting(64, "partitions of the live store; fixed when the store is first used", least=1, most=4096)
    session_idle_s: int = setting(1800, "idle seconds that end a session", least=1)
    session_max_s: int = setting(86_400, "longest session in seconds", least=60)
    cart_idle_s: int = setting(3600, "idle seconds after which a cart with something in it is abandoned", least=1)
    late_max_s: int = setting(259_200, "age in seconds up to which the publishable key may send events", least=60)
    future_max_s: int = setting(300, "seconds that an event may lie in the future after clock correction", least=0)
    collector_workers: int = setting(2, "collector processes on the public port", least=1, most=256)
    wsgi_threads: int = setting(
        8, "threads per process for everything but the beacon and `GET /v1/offers`", least=1, most=256
    )
    visitor_events_per_minute: int = setting(
        3000, "events a minute that one visitor may send with the publishable key; 0: no limit", least=0, most=1_000_000_000
    )
    visitor_burst: int = setting(6000, "events that one visitor may send at once after a pause", least=1)
    network_events_per_minute: int = setting(
        300_000, "events a minute from one network (/24, IPv6 /48) with the publishable key; 0: no limit",
        least=0, most=1_000_000_000,
    )  # fmt: skip
    network_burst: int = setting(600_000, "events that may come at once from one network after a pause", least=1)
    server_events_per_minute: int = setting(
        0, "events a minute of one site with its secret key; 0: no limit", least=0, most=1_000_000_000
    )
    max_connections: int = setting(2000, "open connections per collector process", least=10)
    request_timeout_s: float = setting(15.0, "seconds a client has to send a whole request", least=0.1)
    redis_timeout_s: float = setting(3.0, "seconds after which an unanswered live store counts as down", least=0.05)
    redis_max_memory_mb: int = setting(
        0, "MiB that the embedded Valkey may keep; when it is full the collector answers 503; 0: no limit", least=0
    )
    disk_reserve_mb: int = setting(
        200, "MiB of free disk below which the embedded Valkey takes no more events (503); 0: fill it up", least=0
    )
    ingest_interval_s: float = setting(0.5, "seconds between two looks at the stream", least=0.01)
    ingest_max_events: int = setting(20_000, "events in one insert, at most (about)", least=1, most=1_000_000)
    ready_max_lag_s: int = setting(300, "age in seconds of the oldest waiting event at which /ready answers 503", least=1)
    decisions_max_waiting: int = setting(
        200_000, "decisions in the live store that the history does not have yet, at most (about)", least=1
    )
    train_interval_s: int = setting(900, "seconds between two trainings by the running product", least=10)
    train_full_interval_s: int = setting(
        86_400, "seconds after which a training learns all anew instead of on top of the model before", least=60
    )
    train_days: int = setting(90, "days of history that a model learns from", least=1)
    catalogue_max_mb: int = setting(2048, "MiB that a product feed may have, without compression", least=1)
    ingest_workers: int = setting(1, "ingest processes; each has its share of the partitions", least=1, most=1024)
    ingest_worker: int = setting(0, "which of them this process is, from 0", least=0, most=1023)
    health_host: str = setting(
        "127.0.0.1", "address on which loops (ingest, retargeting, trainer) answer /health", form=HOST
    )
    health_port: int = setting(0, "port on which a loop answers /health, /ready and /metrics; 0: none", least=0, most=65535)
    offer_budget_ms: int = setting(
        50, "milliseconds that an offer's answer may take; what is not there by then is left out", least=5, most=10_000
    )
    retarget_interval_s: float = setting(5.0, "seconds between two looks for abandoned carts", least=0.1)

    @property
    def model_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def local_url(self) -> str:
        """Where a process on this box reaches the public port."""
        return f"http://{_reachable(self.public_host)}:{self.public_port}"

    @property
    def console_url(self) -> str:
        """Where a person on this box reaches the console."""
        return f"http://{_reachable(self.private_host)}:{self.private_port}"

    @property
    def base_url(self) -> str:
        """Where shops and browsers reach the public port."""
        return self.public_url.rstrip("/") or self.local_url


def _reachable(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what it is replaced by is the point
    return f"[{host}]" if ":" in host else host


def load_settings(env: Mapping[str, str] | None = None, toml_file: Path | None = None) -> Settings:
    """Read baliza.toml (where it exists) and BALIZA_… variables. BadSetting names the variable or the key."""
    env = os.environ if env is None else env
    toml_file = toml_file or _named_file(env)
    given: dict[str, Any] = {}
    places: dict[str, str] = {}
    kinds = get_type_hints(Settings)
    for name, raw in _from_toml(toml_file).items():
        if name not in kinds:
            raise BadSetting(f"{toml_file}: there is no setting {name!r}; `baliza settings` lists them")
        places[name] = f"{name} in {toml_file}"
        given[name] = _convert(places[name], raw, kinds[name])
    for name in kinds:
        variable = ENV_PREFIX + name.upper()
        if variable in env:
            places[name] = variable
            given[name] = _convert(variable, env[variable], kinds[name])
    for entry in fields(Settings):
        if entry.name in given:
            _check(places[entry.name], given[entry.name], entry.metadata)
    settings = Settings(**given)
    _check_together(settings)
    return settings


def _named_file(env: Mapping[str, str]) -> Path:
    named = env.get(f"{ENV_PREFIX}CONFIG")
    if named and not Path(named).is_file():
        raise BadSetting(f"{ENV_PREFIX}CONFIG: expected a file, got {named!r}")
    return Path(named or "baliza.toml")


def _from_toml(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{file}: not TOML: {error}") from None
    except OSError as error:
        raise BadSetting(f"{file}: cannot be read: {error.strerror}") from None


_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _convert(where: str, raw: Any, kind: type) -> Any:
    try:
        if kind is bool:
            return raw if isinstance(raw, bool) else _WORDS[str(raw).strip().lower()]
        if isinstance(raw, bool) or (kind is int and isinstance(raw, float)):
            raise ValueError
        if kind in (str, Path) and (not isinstance(raw, str) or (kind is Path and not raw)):
            raise ValueError
        value = kind(raw)
        if kind is float and not math.isfinite(value):
            raise ValueError
        return value
    except (ValueError, TypeError, KeyError):
        words = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text"}
        raise BadSetting(f"{where}: expected {words[kind]}, got {raw!r}") from None


def _check(where: str, value: Any, rules: Mapping[str, Any]) -> None:
    least, most, form = rules["least"], rules["most"], rules["form"]
    if (least is not None and value < least) or (most is not None and value > most):
        upper = f" and ≤ {most}" if most is not None else ""
        raise BadSetting(f"{where}: expected a value ≥ {least}{upper}, got {value}")
    if form and not re.fullmatch(form[0], value):
        # What came is not repeated: it may hold a password.
        raise BadSetting(f"{where}: expected {form[1]}")


def _check_together(settings: Settings) -> None:
    if settings.ingest_worker >= settings.ingest_workers:
        raise BadSetting(
            f"BALIZA_INGEST_WORKER: expected less than BALIZA_INGEST_WORKERS ({settings.ingest_workers}), because the "
            f"workers are counted from 0; got {settings.ingest_worker}"
        )
    if settings.ingest_workers > settings.partitions:
        raise BadSetting(
            f"BALIZA_INGEST_WORKERS: expected at most one for each of the {settings.partitions} partitions, "
            f"got {settings.ingest_workers}"
        )
    if settings.session_max_s < settings.session_idle_s:
        raise BadSetting(
            f"BALIZA_SESSION_MAX_S: expected at least BALIZA_SESSION_IDLE_S ({settings.session_idle_s}), "
            f"got {settings.session_max_s}"
        )
