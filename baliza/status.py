"""The live line: what is happening right now, in one row of figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from baliza.settings import Settings
from baliza.sites import load_sites
from baliza.stores import History, RedisClient, call, query
from schema import keys

__all__ = ["Status", "read_status"]


@dataclass(frozen=True)
class Status:
    """The figures of one moment. `waiting`: stream entries that are not in the history yet."""

    at: datetime
    events: int
    events_last_minute: int
    sessions_live: int
    carts: int
    orders_today: int
    waiting: int

    def line(self) -> str:
        return (
            f"{self.at:%H:%M:%S}  {self.events:,} events ({self.events_last_minute / 60:.1f}/s)  "
            f"{self.sessions_live:,} live sessions  {self.carts:,} carts  {self.orders_today:,} orders today  "
            f"{self.waiting:,} waiting"
        )


def read_status(redis: RedisClient, history: History, settings: Settings, now: datetime) -> Status:
    """Ask both stores. Two round trips. Raises StoreDown."""
    sites = call(lambda: load_sites(redis)).by_name
    pipe = redis.pipeline(transaction=False)
    for partition in range(settings.partitions):
        pipe.xlen(keys.events(partition))
        for site in sites:
            pipe.zcard(keys.carts(partition, site))
    counts = call(pipe.execute)
    step = 1 + len(sites)
    waiting = sum(counts[::step])
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    idle = now - timedelta(seconds=settings.session_idle_s)
    times = {"minute_ago": now - timedelta(minutes=1), "idle_ago": idle, "day": day}
    ((events, recent, live, orders),) = history.rows(query("status_figures"), times)
    return Status(now, events, recent, live, sum(counts) - waiting, orders, waiting)
