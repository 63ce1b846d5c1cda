"""The live profile as it was after each event of the history, so that training sees what serving will see. Pure.

A mirror of schema/redis/baliza_v1 for events in the order of time; tests send the same events through the collector and
compare. What arrived too late for its live session (session_event 0) never was in a live profile and is left out; what
arrived out of order within its session counts at its time.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from schema.events import CART_CHANGES
from schema.profile import Cart, CartLine, CategoryCount, Link, LiveSession, Order, PastSession, ViewedItem, VisitorProfile

__all__ = ["PROFILE_LIVES_MS", "Past", "Visitor"]

PROFILE_LIVES_MS: Final = 30 * 24 * 3600 * 1000
MAX_VIEWED, MAX_CATEGORIES, MAX_ORDERS, MAX_PAST = 20, 20, 10, 16


class Past(NamedTuple):
    """An event of the history, as train_moments.sql tells it. Items are told of views only: ids and categories."""

    visitor_id: str
    kind: str
    at_ms: int
    session_id: str
    customer_id: str
    page_url: str
    referrer: str
    search_term: str
    cart_pieces: int
    cart_micros: int
    items: tuple[tuple[str, str], ...]


@dataclass
class Visitor:
    """One visitor's profile, brought forward event by event."""

    profile: VisitorProfile

    @classmethod
    def at(cls, first: Past) -> "Visitor":
        """The empty profile of who comes for the first time."""
        cart = Cart("", 0, 0, [])
        return cls(VisitorProfile(first.at_ms, first.at_ms, 0, [], [], [], [], cart))

    def live(self, event: Past) -> bool:
        """Whether the event belongs to the session that is live or opens one; else it came too late to be seen live."""
        now = self.profile.session
        if now is None or now.session_id == event.session_id:
            return True
        return all(past.session_id != event.session_id for past in self.profile.past)

    def take(self, event: Past) -> None:
        """Apply the event."""
        profile = self.profile
        self._identify(event)
        session = self._session_of(event)
        session.events += 1
        profile.last_seen_at = max(profile.last_seen_at, event.at_ms)
        if event.search_term:
            session.search_term = event.search_term
        if event.kind == "page_view":
            session.page_views += 1
        elif event.kind == "view_item":
            session.item_views += 1
            self._view(session, event)
        elif event.kind == "add_to_cart":
            session.cart_adds += 1
        elif event.kind == "purchase":
            session.orders += 1
            profile.orders = [*profile.orders, Order("", event.at_ms, 0, "", [])][-MAX_ORDERS:]
        self._cart(event)

    def _identify(self, event: Past) -> None:
        """Another person on the same browser begins anew, with a session of their own."""
        profile = self.profile
        if not event.customer_id or event.customer_id == profile.customer_id:
            return
        if profile.customer_id is not None:
            self._close()
            profile.viewed, profile.orders, profile.cart = [], [], Cart("", 0, event.at_ms, [])
        profile.customer_id = event.customer_id
        profile.links = [*profile.links, Link(event.customer_id, event.at_ms)][-MAX_ORDERS:]

    def _close(self) -> None:
        session = self.profile.session
        if session is not None:
            over = PastSession(session.session_id, session.opened_at, session.started_at, session.ended_at)
            self.profile.past = [*self.profile.past, over][-MAX_PAST:]
        self.profile.session = None

    def _session_of(self, event: Past) -> LiveSession:
        session = self.profile.session
        if session is None or session.session_id != event.session_id:
            self._close()
            self.profile.sessions += 1
            at = event.at_ms
            url, referrer = event.page_url, event.referrer
            session = LiveSession(event.session_id, at, at, at, 0, 0, 0, 0, 0, [], url, referrer, "", [])
            self.profile.session = session
        elif event.page_url and not session.landing_url:
            session.landing_url, session.referrer = event.page_url, event.referrer
        session.ended_at = max(session.ended_at, event.at_ms)
        return session

    def _view(self, session: LiveSession, event: Past) -> None:
        viewed = self.profile.viewed
        for item_id, category in event.items:
            views = 1
            for place, item in enumerate(viewed):
                if item.item_id == item_id:
                    views += viewed.pop(place).views
                    break
            viewed.append(ViewedItem(item_id, category, "", views, event.at_ms, -1, ""))
            if len(viewed) > MAX_VIEWED:
                del viewed[0]
            if category:
                _count(session.categories, category)

    def _cart(self, event: Past) -> None:
        cart = self.profile.cart
        if event.kind in CART_CHANGES:
            cart.changed_at = max(cart.changed_at, event.at_ms)
        if (cart.pieces, sum(line.price_micros for line in cart.lines)) != (event.cart_pieces, event.cart_micros):
            # The history tells how many and how much; two lines say that: all pieces but one, and one at the price of all.
            lines = [CartLine("", event.cart_pieces - 1, 0, "", ""), CartLine("", 1, event.cart_micros, "", "")]
            cart.lines = lines if event.cart_pieces else []


def _count(counts: list[CategoryCount], category: str) -> None:
    """The latest stand last, so that a full list forgets what was left longest ago."""
    views = 1
    for place, entry in enumerate(counts):
        if entry.category == category:
            views += counts.pop(place).views
            break
    else:
        if len(counts) >= MAX_CATEGORIES:
            del counts[0]
    counts.append(CategoryCount(category, views))
