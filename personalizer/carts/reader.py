"""Carts in the live store: found by idle time over all partitions, checked again on the profile at the moment of reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from baliza.stores import RedisClient, call
from personalizer.carts.cart import AbandonedCart, CartState, Place, cart_state, newest, show_cart
from personalizer.offers.profiles import read_profile
from schema import keys
from schema.profile import VisitorProfile

__all__ = ["CartReader", "CartSeen", "Page"]

MAX_ROUNDS: Final = 20  # looks of one page at most, when many carts turn out not to be abandoned


@dataclass(frozen=True)
class CartSeen:
    """A cart as it was a moment ago. last_purchase_ms: of its customer, in any session. gone: the profile has expired."""

    visitor_id: str
    partition: int
    profile: VisitorProfile | None
    last_purchase_ms: int | None
    state: CartState
    gone: bool


@dataclass(frozen=True)
class Page:
    """Carts, newest change first, and where the next page begins; None at the end."""

    carts: list[AbandonedCart]
    next: Place | None


class CartReader:
    """Reads and settles the carts of a store with `partitions` partitions; carts idle for `idle_ms` are abandoned."""

    def __init__(self, redis: RedisClient, partitions: int, idle_ms: int) -> None:
        self._redis, self._partitions, self._idle_ms = redis, partitions, idle_ms

    def abandoned(self, site: str, since_ms: int, until_ms: int, before: Place | None, limit: int, now_ms: int) -> Page:
        """Abandoned carts last changed in [since_ms, until_ms), at most `limit`. Takes off those bought elsewhere.

        A page may hold fewer than `limit` and still have a next one. Raises StoreDown.
        """
        latest = min(until_ms - 1, now_ms - self._idle_ms)
        found: list[AbandonedCart] = []
        for _ in range(MAX_ROUNDS):
            places = self._places(site, since_ms, latest, before, limit + 1)
            for place, cart in zip(places[:limit], self._checked(site, places[:limit], now_ms), strict=True):
                before = place
                if cart and since_ms <= int(cart.changed_at.timestamp() * 1000) <= latest:
                    found.append(cart)
                if len(found) == limit:
                    return Page(found, before if place != places[-1] else None)
            if len(places) <= limit:
                return Page(found, None)
        return Page(found, before)

    def look(self, site: str, visitor_ids: Sequence[str], now_ms: int) -> list[CartSeen]:
        """The carts of these visitors as they are now, in two round trips. Raises StoreDown."""
        partitions = [keys.partition_of(visitor_id, self._partitions) for visitor_id in visitor_ids]
        stored = self._pipelined(
            ("GET", keys.visitor(partition, site, visitor_id))
            for partition, visitor_id in zip(partitions, visitor_ids, strict=True)
        )
        profiles = [read_profile(raw) for raw in stored]
        purchases = self._purchases(site, profiles)
        return [
            CartSeen(
                visitor_id, partition, profile, bought_ms,
                state=cart_state(profile, bought_ms, now_ms, self._idle_ms), gone=raw is None,
            )
            for visitor_id, partition, raw, profile, bought_ms in zip(
                visitor_ids, partitions, stored, profiles, purchases, strict=True
            )
        ]  # fmt: skip

    def cancel(self, site: str, seen: Sequence[CartSeen]) -> int:
        """Take those off that their customer bought elsewhere. Answers how many. Raises StoreDown."""
        answers = self._pipelined(
            (
                "FCALL",
                "cancel_cart_v1",
                2,
                keys.carts(cart.partition, site),
                keys.abandoned(cart.partition, site),
                cart.visitor_id,
                cart.last_purchase_ms,
            )
            for cart in seen
            if cart.state is CartState.BOUGHT and cart.last_purchase_ms is not None
        )
        return sum(answers)

    def mark(self, site: str, seen: Sequence[CartSeen], now_ms: int) -> int:
        """Mark those that are abandoned, and forget those whose profile is gone. Answers how many are newly marked.

        The store looks at the cart's clock again, so that one which changed meanwhile is left alone. Raises StoreDown.
        """
        answers = self._pipelined(
            (
                "FCALL",
                "mark_abandoned_v1",
                3,
                keys.visitor(cart.partition, site, cart.visitor_id),
                keys.carts(cart.partition, site),
                keys.abandoned(cart.partition, site),
                cart.visitor_id,
                now_ms - self._idle_ms,
                now_ms,
            )
            for cart in seen
            if cart.state is CartState.ABANDONED or cart.gone
        )
        return sum(answers)

    def due(self, site: str, after_ms: Sequence[int], now_ms: int, most: int) -> list[list[Place]]:
        """For each partition the oldest idle carts, at most `most`, last changed at after_ms[partition] or later."""
        answers = self._pipelined(
            ("ZRANGE", keys.carts(partition, site), after_ms[partition], now_ms - self._idle_ms,
             "BYSCORE", "LIMIT", 0, most, "WITHSCORES")
            for partition in range(self._partitions)
        )  # fmt: skip
        return [_scored(answer) for answer in answers]

    def _places(self, site: str, since_ms: int, latest_ms: int, before: Place | None, most: int) -> list[Place]:
        """The newest `most` places below `before`, over all partitions."""
        highest = min(latest_ms, before.changed_ms) if before else latest_ms
        ties = [0] * self._partitions
        if before:
            same = before.changed_ms
            ties = self._pipelined(("ZCOUNT", keys.carts(n, site), same, same) for n in range(self._partitions))
        # Those that changed in the same millisecond as the cursor may all have been given already.
        answers = self._pipelined(
            ("ZRANGE", keys.carts(n, site), highest, since_ms, "BYSCORE", "REV", "LIMIT", 0, most + tied, "WITHSCORES")
            for n, tied in enumerate(ties)
        )
        found = [place for answer in answers for place in _scored(answer)]
        return newest([place for place in found if before is None or place < before], most)

    def _checked(self, site: str, places: Sequence[Place], now_ms: int) -> list[AbandonedCart | None]:
        seen = self.look(site, [place.visitor_id for place in places], now_ms)
        self.cancel(site, seen)
        marks = self._pipelined(("ZSCORE", keys.abandoned(cart.partition, site), cart.visitor_id) for cart in seen)
        return [
            show_cart(cart.visitor_id, cart.profile, None if mark is None else int(float(mark)), now_ms)
            if cart.profile and cart.state is CartState.ABANDONED
            else None
            for cart, mark in zip(seen, marks, strict=True)
        ]

    def _purchases(self, site: str, profiles: Sequence[VisitorProfile | None]) -> list[int | None]:
        customers = [profile.customer_id if profile and profile.cart.lines else None for profile in profiles]
        known = [customer for customer in customers if customer]
        answers = iter(
            self._pipelined(
                ("HGET", keys.customer(keys.partition_of(customer, self._partitions), site, customer), "last_purchase")
                for customer in known
            )
        )
        found = [next(answers) if customer else None for customer in customers]
        return [None if raw is None else int(float(raw)) for raw in found]

    def _pipelined(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Answers of all commands, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = call(pipeline.execute)
        return answers


def _scored(answer: Sequence[Any]) -> list[Place]:
    """Places from an answer WITHSCORES, whether the connection gives pairs or a flat list."""
    pairs = answer if answer and isinstance(answer[0], (list, tuple)) else list(zip(answer[::2], answer[1::2], strict=True))
    return [Place(int(float(score)), member.decode()) for member, score in pairs]
