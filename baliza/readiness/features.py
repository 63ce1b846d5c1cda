"""What a visit looks like at one moment, in numbers: from the live profile, and nothing that comes later. Pure.

Training makes the same profile from the history and asks here as well, so the two cannot mean different things.
"""

from typing import Final, NamedTuple

from baliza.traffic import traffic_of
from schema.events import MICROS
from schema.profile import LiveSession, ViewedItem, VisitorProfile

__all__ = ["NEVER", "Features", "features_of"]

NEVER: Final = -1.0  # in place of an age or a length of what has not happened
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
PAID: Final = frozenset("cpc ppc paid display cpm retargeting affiliate paidsearch paid_social paidsocial".split())
MAIL: Final = frozenset("email e-mail mail newsletter".split())
THURSDAY: Final = 3  # the epoch began on one


class Features(NamedTuple):
    """One moment. Ages and lengths end at that moment; seconds unless the name says otherwise; NEVER where there is none."""

    events: float
    page_views: float
    item_views: float
    cart_adds: float
    orders: float  # in this session
    elapsed_s: float  # from the first event to the last
    idle_s: float  # since the last event
    pace_s: float  # between two events, in the mean
    items_seen: float  # different ones in this session, 20 at most
    looks_at_last: float  # how often the item viewed last was viewed, in earlier sessions as well
    most_looks: float  # the same of the item viewed most often
    last_look_age_s: float
    categories_seen: float  # 20 at most
    top_category_share: float
    item_share: float  # item views among page and item views
    cart_pieces: float
    cart_value: float  # major units of the cart's currency
    cart_age_s: float  # since the cart changed
    searched: float
    sessions: float  # this one included
    known: float  # is a customer known?
    past_orders: float  # before this session, 10 at most
    since_order_days: float
    since_session_h: float  # from the end of the session before to the beginning of this one
    first_seen_days: float
    from_search: float
    from_ad: float
    from_social: float
    from_mail: float
    from_elsewhere: float
    hour: float  # UTC
    weekday: float  # UTC; 0 is Monday


def features_of(profile: VisitorProfile, session: LiveSession, now_ms: int) -> Features:
    """The features of the profile's session, now. now_ms: not before the last event, else that counts as now."""
    now_ms = max(now_ms, session.ended_at)
    started = session.started_at
    elapsed_s = (session.ended_at - started) / 1000
    views, pages = session.item_views, session.page_views
    return Features(
        session.events,
        pages,
        views,
        session.cart_adds,
        session.orders,
        elapsed_s,
        (now_ms - session.ended_at) / 1000,
        elapsed_s / (session.events - 1) if session.events > 1 else NEVER,
        *_looks([item for item in profile.viewed if item.last_viewed_at >= started], now_ms),
        *_categories(session),
        views / (views + pages) if views + pages else 0.0,
        *_cart(profile, now_ms),
        bool(session.search_term),
        *_known(profile, started),
        *_origin(session),
        now_ms // HOUR_MS % 24,
        (now_ms // DAY_MS + THURSDAY) % 7,
    )


def _looks(viewed: list[ViewedItem], now_ms: int) -> tuple[float, float, float, float]:
    if not viewed:
        return 0.0, 0.0, 0.0, NEVER
    last = viewed[-1]
    most = max([item.views for item in viewed])
    return len(viewed), last.views, most, (now_ms - last.last_viewed_at) / 1000


def _categories(session: LiveSession) -> tuple[float, float]:
    counts = [each.views for each in session.categories]
    return (len(counts), max(counts) / sum(counts)) if counts else (0.0, 0.0)


def _cart(profile: VisitorProfile, now_ms: int) -> tuple[float, float, float]:
    cart = profile.cart
    pieces = sum([line.quantity for line in cart.lines])
    if not pieces:
        return 0.0, 0.0, NEVER
    micros = sum([line.quantity * line.price_micros for line in cart.lines if line.price_micros > 0])
    return pieces, micros / MICROS, max(0, now_ms - cart.changed_at) / 1000


def _known(profile: VisitorProfile, started: int) -> tuple[float, float, float, float, float, float]:
    past = [order.bought_at for order in profile.orders if order.bought_at < started]
    ended = [session.ended_at for session in profile.past if session.ended_at <= started]
    return (
        profile.sessions,
        profile.customer_id is not None,
        len(past),
        (started - max(past)) / DAY_MS if past else NEVER,
        (started - max(ended)) / HOUR_MS if ended else NEVER,
        max(0, started - profile.first_seen_at) / DAY_MS,
    )


def _origin(session: LiveSession) -> tuple[bool, bool, bool, bool, bool]:
    came = traffic_of(session.landing_url, session.referrer)
    medium = came.medium.lower()
    search, ad, social, mail = medium == "organic", medium in PAID, medium == "social", medium in MAIL
    return search, ad, social, mail, came.source != "direct" and not (search or ad or social or mail)
