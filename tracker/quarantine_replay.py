"""Take in what was refused, after a fix: by the collector's own rules, as of the time at which it came.

An event leaves quarantine in the same step of the live store in which it is observed, so that a replay may be killed
anywhere and repeated. Its rejection is taken back there too: the receipts of its hour say what it is now.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from baliza.errors import BadRequest
from baliza.settings import Settings
from baliza.sites import SiteRegistry
from baliza.stores import History, RedisClient, call
from tracker.admission import Sender
from tracker.beacon import Decoded, decode
from tracker.checks import TimeWindow
from tracker.observe import (
    COUNTED,
    HELD,
    Command,
    Context,
    claim_command,
    observe_command,
    receipt_command,
    remembered_ms,
    session_rules,
    settle_command,
)
from tracker.quarantine import REFUSED, Kept, put_back_command, refuse_again_command, unrefuse_command

__all__ = ["BACK", "CONSENT", "DUPLICATE", "STAYS", "TAKEN", "Again", "Fate"]

TAKEN, DUPLICATE, CONSENT, BACK, STAYS = "taken", "duplicate", "consent", "back to ingest", "stays"
IN_HISTORY: Final = (
    "SELECT count() FROM events WHERE site = %(site)s AND visitor_id = %(visitor)s AND event_id = %(event)s"
    " AND occurred_at >= toDateTime64(%(since)s, 3, 'UTC') AND occurred_at <= toDateTime64(%(until)s, 3, 'UTC')"
)


class Fate(NamedTuple):
    """What became of one: TAKEN, DUPLICATE, CONSENT (it may not be kept), BACK or STAYS, and then why."""

    name: str
    why: str = ""


class Again:
    """Takes things in again. One at a time in the whole product: the caller has the lease of the role."""

    def __init__(
        self, redis: RedisClient, history: History, settings: Settings, registry: SiteRegistry, now_ms: Callable[[], int]
    ) -> None:
        self._redis, self._history, self._settings, self._registry = redis, history, settings, registry
        self._now_ms = now_ms
        self._rules = session_rules(settings)

    def take(self, kept: Kept, *, dry_run: bool = False) -> Fate:
        """Take one in again, or say what would become of it as far as that can be known. Raises StoreDown."""
        if kept.kind != REFUSED:
            if not dry_run:
                self._do(put_back_command(kept.partition, kept.stream_id))
            return Fate(BACK)
        context = kept.context
        site = self._registry.by_name.get(kept.site)
        if context is None or kept.cut:
            return Fate(STAYS, "it was not kept whole")
        if site is None:
            return Fate(STAYS, f"there is no site {kept.site!r} any more")
        try:
            decoded = self._decoded(kept, context)
        except BadRequest as error:
            return self._refused_again(kept, str(error), dry_run)
        event = decoded.events[0]
        # Whoever had opted out of everything is not in quarantine.
        allowed = Sender(site, context.sender, opted_out=False).allows(event.consent)
        if dry_run:
            return Fate(TAKEN if allowed else CONSENT)
        said = msgspec.structs.replace(context, offered=0, consent=0, rejected=-1, known=0)
        if not allowed:
            self._note(kept, msgspec.structs.replace(said, consent=1))
            return Fate(CONSENT)
        return self._observe(kept, decoded, said)

    def _decoded(self, kept: Kept, context: Context) -> Decoded:
        """The event as the collector would have read it then. BadRequest says what is wrong with it."""
        late_ms = None if context.sender == "server" else self._settings.late_max_s * 1000
        window = TimeWindow(context.received_ms, late_ms, self._settings.future_max_s * 1000)
        head: dict[str, Any] = {"visitor": context.visitor_id}
        if kept.shift_ms:
            head["sent_at"] = datetime.fromtimestamp(context.received_ms / 1000, UTC) - timedelta(milliseconds=kept.shift_ms)
        body = msgspec.json.encode(head)[:-1] + b',"events":[' + kept.fields[b"event"] + b"]}"
        decoded = decode(body, window)
        if decoded.rejected:
            raise BadRequest(decoded.rejected[0].error)
        return decoded

    def _observe(self, kept: Kept, decoded: Decoded, said: Context) -> Fate:
        event, partitions = decoded.events[0], self._settings.partitions
        if self._is_in_history(decoded, said):
            self._note(kept, msgspec.structs.replace(said, offered=1))
            return Fate(DUPLICATE)
        if event.type == "purchase":
            claim = self._do(claim_command(event, msgspec.structs.replace(said, received_ms=self._now_ms()), partitions))
            if claim == HELD:
                return Fate(STAYS, "another request is just recording this order; try again in a minute")
            if claim == COUNTED:
                self._note(kept, msgspec.structs.replace(said, known=1))
                return Fate(DUPLICATE)
        said = msgspec.structs.replace(said, offered=1)
        marks = self._move(kept, observe_command(decoded, [0], said, self._rules, partitions, self._now_ms()))
        if event.type == "purchase":
            self._do(settle_command(event, said, partitions))
        return Fate(TAKEN if marks == [b"1"] else DUPLICATE)

    def _is_in_history(self, decoded: Decoded, said: Context) -> bool:
        """Whether it came again and was taken so long ago that the live store has forgotten it."""
        if self._now_ms() - said.received_ms <= remembered_ms(self._settings):
            return False
        at_s = decoded.times_ms[0] // 1000
        day_s = 24 * 3600
        wanted = {
            "site": said.site, "visitor": said.visitor_id, "event": decoded.events[0].event_id,
            "since": at_s - day_s, "until": at_s + day_s,
        }  # fmt: skip
        ((count,),) = self._history.rows(IN_HISTORY, wanted)
        return bool(count)

    def _refused_again(self, kept: Kept, why: str, dry_run: bool) -> Fate:
        if not dry_run and why != kept.error:
            self._do(refuse_again_command(kept, why))
        return Fate(STAYS, why)

    def _note(self, kept: Kept, said: Context) -> None:
        """It is not recorded, and counts as something else than rejected from now on."""
        self._move(kept, receipt_command(said, kept.partition))

    def _move(self, kept: Kept, command: Command) -> Any:
        """Run what adds an entry to the kept one's partition, and take it out of quarantine, both or none."""
        context = command[-1] if command[0] == "FCALL" else command[4]
        assert isinstance(context, bytes)
        pipe = self._redis.pipeline(transaction=True)
        pipe.execute_command(*command)
        pipe.execute_command(*unrefuse_command(kept.partition, kept.stream_id, context))
        return call(pipe.execute)[0]

    def _do(self, command: Command) -> Any:
        return call(lambda: self._redis.execute_command(*command))
