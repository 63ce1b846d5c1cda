"""The live store's link when it is a cluster: one RedisLink for each master, and every command goes to its key's.

The map of slots is asked for at the beginning, every ten seconds, and whenever an answer says that it is old (MOVED, ASK,
TRYAGAIN, CLUSTERDOWN) or a connection breaks. Such an answer means that nothing was done, so the command is sent again,
within its time. A broken connection leaves open what was done; whoever waits gets StoreDown and repeats the request, which
is safe for the same reason as any repeat: events are known by their ids, and an order's claim by its claimant.
"""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis.crc import key_slot

from baliza.errors import StoreDown
from baliza.redis_cluster import is_cluster, parse_cluster_url
from baliza.settings import Settings
from baliza.stores import function_library, redis_url, replicas_to_wait_for
from tracker.observe import Command
from tracker.redislink import Marked, RedisLink, Server, Waiting, key_of, tag_of
from tracker.watch import Watching

__all__ = ["ClusterLink", "Link", "open_link"]

log = logging.getLogger("baliza.edge")

Address = tuple[str, int]
MAP_EVERY_S: Final = 10.0
# While something is wrong.
MAP_AT_MOST_EVERY_S: Final = 0.1
AGAIN_MOST: Final = 20_000
TAGS_MOST: Final = 20_000
SLOTS: Final = 16_384
NOT_DONE: Final = ("TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "LOADING", "READONLY")
ELSEWHERE: Final = ("MOVED", "ASK", *NOT_DONE)


def nowhere() -> StoreDown:
    """A new one each time: whoever is told raises it, and an error that is raised again keeps all who raised it before."""
    return StoreDown("the live store does not answer", "nobody serves that part of it")


class _NodeLink(RedisLink):
    """The connection to one server of the cluster. Errors among replies are handed on: some of them say where to go."""

    def __init__(self, server: Server, owner: "ClusterLink", wait_replicas: int) -> None:
        super().__init__(server, owner.selector, owner.timeout_s, owner.library, wait_replicas)
        self._owner = owner
        self.master = False
        # Not connected yet, and no try has failed.
        self.fresh = True

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def host(self) -> str:
        return self._server.host

    def become_master(self, now: float) -> None:
        """From now on it must have the functions; a replica takes them from its master and none from us."""
        if not self.master:
            self.master = True
            if self._socket is not None:
                self._load_again(now)

    def _first_words(self) -> list[Command]:
        return [*self._server.greeting, *([self._load] if self.master else [("PING",)])]

    def _greeted(self, replies: Sequence[Any] | StoreDown) -> None:
        super()._greeted(replies)
        if self._ready:
            self.fresh = False
            self._owner.send_again()

    def _loaded(self, _replies: Sequence[Any] | StoreDown) -> None:
        self._loading = False

    def _give(self, done: Waiting, replies: Sequence[Any], now: float) -> None:
        self._owner.now = now
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError) and not str(reply).startswith(ELSEWHERE) and done != self._greeted:
                self._complain(str(reply), now)
        done(replies)

    def _fail(self, why: str, now: float) -> None:
        self._owner.now, self.fresh = now, False
        self._owner.doubt()
        super()._fail(why, now)


class _Request:
    """Commands that were sent together, and what came of each."""

    __slots__ = ("commands", "done", "replies", "until", "waiting")

    def __init__(self, commands: Sequence[Command], done: Waiting, until: float) -> None:
        self.commands, self.done, self.until = commands, done, until
        self.replies: list[Any] = [None] * len(commands)
        self.waiting = len(commands)  # 0: answered

    def set(self, place: int, reply: Any) -> None:
        if self.waiting:
            self.replies[place] = reply
            self.waiting -= 1
            if not self.waiting:
                self.done(self.replies)

    def fail(self, why: StoreDown) -> None:
        if self.waiting:
            self.waiting = 0
            self.done(why)


class ClusterLink:
    """As a RedisLink: send(), flush(), tick(), idle, close(). The selector calls the links of the single servers."""

    def __init__(self, url: str, selector: Watching, timeout_s: float, library: str, wait_replicas: int = 0) -> None:
        place = parse_cluster_url(url)
        self.selector, self.timeout_s, self.library, self.now = selector, timeout_s, library, 0.0
        self._wait_replicas = wait_replicas
        user = (place.username,) if place.username else ()
        self._greeting: tuple[Command, ...] = (("AUTH", *user, place.password),) if place.password else ()
        self._candidates: list[Address] = list(place.seeds)
        self._links: dict[Address, _NodeLink] = {}
        self._slots: list[Address | None] = []
        self._tags: dict[str, int] = {}
        self._again: deque[tuple[_Request, int]] = deque()
        self._asking, self._doubt = False, True
        self._map_at, self._turn = 0.0, 0

    # --- what is sent ---

    def send(self, commands: Sequence[Command], done: Waiting, now: float) -> None:
        """Queue commands, each for the master of its key; `done` is called once, with all replies in order or StoreDown."""
        self.now = now
        if len(commands) == 1 and (only := self._link_of(commands[0])) and only.ready:
            self._send_one(only, commands, done, now + self.timeout_s)
            return
        request = _Request(commands, done, now + self.timeout_s)
        by_link: dict[_NodeLink, list[int]] = {}
        for place, command in enumerate(commands):
            link = self._link_of(command)
            if link is None:
                request.fail(nowhere())
                return
            by_link.setdefault(link, []).append(place)
        for link, places in by_link.items():
            self._hand(link, request, places)

    def observe(self, command: Command, done: Marked, now: float) -> None:
        """As send(), for one of observe_command(). Each is for a slot of its own, so they share nothing but the way."""

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            done(replies if isinstance(replies, StoreDown) else replies[0][0])

        self.send([command], answered, now)

    def _send_one(self, link: _NodeLink, commands: Sequence[Command], done: Waiting, until: float) -> None:
        """What nearly every request is: one command, and nothing to remember unless it is sent back."""

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            if isinstance(replies, StoreDown) or not isinstance(replies[0], hiredis.ReplyError):
                done(replies)
            else:
                self._take(link, _Request(commands, done, until), 0, replies[0])

        link.send(commands, answered, self.now)

    def _link_of(self, command: Command) -> _NodeLink | None:
        tag = tag_of(key_of(command))
        slot = self._tags.get(tag)
        if slot is None:
            if len(self._tags) >= TAGS_MOST:
                self._tags.clear()
            slot = self._tags[tag] = key_slot(tag.encode())
        address = self._slots[slot] if self._slots else None
        return self._links.get(address) if address else None

    def _hand(self, link: _NodeLink, request: _Request, places: list[int]) -> None:
        """To a link that is just being made it is handed a moment later; one that is down says so at once."""
        if link.fresh:
            for place in places:
                self._repeat(request, place)
            return
        commands = [request.commands[place] for place in places]

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            if isinstance(replies, StoreDown):
                request.fail(replies)
                return
            for place, reply in zip(places, replies, strict=True):
                self._take(link, request, place, reply)

        link.send(commands, answered, self.now)

    def _take(self, link: _NodeLink, request: _Request, place: int, reply: Any) -> None:
        if not isinstance(reply, hiredis.ReplyError):
            request.set(place, reply)
            return
        kind, _, rest = str(reply).partition(" ")
        if kind not in ELSEWHERE or self.now >= request.until:
            request.fail(StoreDown("the live store could not take it"))
            return
        self.doubt()
        if kind in NOT_DONE:
            self._repeat(request, place)
            return
        slot, _, where = rest.partition(" ")
        address = self._address(where, link)
        other = self._link(address)
        other.become_master(self.now)
        if kind == "ASK":
            self._ask_there(other, request, place)
        else:
            self._slots[int(slot)] = address
            self._hand(other, request, [place])

    def _ask_there(self, other: _NodeLink, request: _Request, place: int) -> None:
        """A slot is on its way to another master, and this key is there already. It stays with the old one on the map."""
        if other.fresh:
            self._repeat(request, place)
            return

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            if isinstance(replies, StoreDown):
                request.fail(replies)
            else:
                self._take(other, request, place, replies[1])

        other.send([("ASKING",), request.commands[place]], answered, self.now)

    def _repeat(self, request: _Request, place: int) -> None:
        if not request.waiting:
            return
        if len(self._again) >= AGAIN_MOST or self.now >= request.until:
            request.fail(StoreDown("the live store could not take it"))
        else:
            self._again.append((request, place))

    def send_again(self) -> None:
        """What was sent back, or could not be sent yet."""
        for _ in range(len(self._again)):
            request, place = self._again.popleft()
            link = self._link_of(request.commands[place])
            if not request.waiting:
                continue
            if self.now >= request.until or (link is None and self._slots):
                request.fail(nowhere())
            elif link is None:
                self._again.append((request, place))
            else:
                self._hand(link, request, [place])

    # --- the map ---

    def doubt(self) -> None:
        """The map may be old: ask for it soon."""
        self._doubt = True

    def _ask_for_map(self) -> None:
        ready = [link for link in self._links.values() if link.ready]
        if not ready:
            # One more of those that we know each time; what does not answer is tried again at its own pace.
            self._link(self._candidates[self._turn % len(self._candidates)])
            self._turn += 1
            return
        link = ready[self._turn % len(ready)]
        self._turn += 1
        self._asking, self._doubt, self._map_at = True, False, self.now

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            self._asking = False
            if isinstance(replies, StoreDown) or isinstance(replies[0], hiredis.ReplyError):
                self.doubt()
            else:
                self._read_map(replies[0], link)

        link.send([("CLUSTER", "SLOTS")], answered, self.now)

    def _read_map(self, ranges: Sequence[Any], teller: _NodeLink) -> None:
        slots: list[Address | None] = [None] * SLOTS
        known: list[Address] = []
        for first, last, *servers in ranges:
            found = [self._address(f"{_text(server[0])}:{server[1]}", teller) for server in servers]
            slots[first : last + 1] = [found[0]] * (last + 1 - first)
            known.extend(found)
        if not known:
            self.doubt()
            return
        masters = {address for address in slots if address}
        if not self._slots:
            log.info("live store: a cluster of %d masters and %d replicas", len(masters), len(set(known)) - len(masters))
        self._slots, self._candidates = slots, list(dict.fromkeys(known))
        for address in masters:
            self._link(address).become_master(self.now)
        for address in self._links.keys() - masters:
            self._links.pop(address).close()
        self.send_again()

    def _address(self, text: str, teller: _NodeLink) -> Address:
        """Of host:port. No host: the same as that of who tells (it does not know its own address)."""
        host, _, port = text.rpartition(":")
        return host if host not in ("", "?") else teller.host, int(port)

    def _link(self, address: Address) -> _NodeLink:
        link = self._links.get(address)
        if link is None:
            server = Server(address[0], address[1], "", self._greeting)
            link = self._links[address] = _NodeLink(server, self, self._wait_replicas)
            link.tick(self.now)
        return link

    # --- the loop's ---

    def flush(self) -> None:
        """Write what is queued to every master, as far as their sockets take it."""
        for link in self._links.values():
            link.flush()

    def tick(self, now: float) -> None:
        """Connect, give up on who does not answer in time, send again what was not done, ask for the map when it is old."""
        self.now = now
        for link in list(self._links.values()):
            link.tick(now)
        wait_s = MAP_AT_MOST_EVERY_S if self._doubt else MAP_EVERY_S
        if not self._asking and now >= self._map_at + wait_s:
            self._ask_for_map()
        self.send_again()
        self.flush()

    @property
    def idle(self) -> bool:
        return not self._again and all(link.idle for link in self._links.values())

    def close(self) -> None:
        """Drop all connections; whoever waits is told."""
        for link in self._links.values():
            link.close()
        while self._again:
            self._again.popleft()[0].fail(nowhere())


Link = RedisLink | ClusterLink


def open_link(settings: Settings, selector: Watching) -> Link:
    """The link that the settings ask for; it connects with its ticks. BadSetting when the URL cannot be used."""
    url, replicas = redis_url(settings), replicas_to_wait_for(settings)
    kind = ClusterLink if is_cluster(url) else RedisLink
    return kind(url, selector, settings.redis_timeout_s, function_library(), replicas)


def _text(host: bytes | str | None) -> str:
    return host.decode() if isinstance(host, bytes) else host or ""
