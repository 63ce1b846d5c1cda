"""POST /v1/offers/batch: the offers of many at once, for e-mail and other things that a shop's server sends.

A mail program knows customers and no browsers; of a customer the browser counts on which they were known last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from flask import Response, request
from msgspec import Meta, Struct

from baliza.errors import BadRequest, TooLarge
from baliza.http import site_of_secret
from baliza.sites import Site
from personalizer.offers.answer import Decision, Fallback
from personalizer.offers.asking import MAX_ID, MAX_OFFERS, Asked, placement_of
from personalizer.offers.deciding import Clocks, Decider
from personalizer.offers.endpoint import encode_exactly
from personalizer.offers.profiles import KnownSites, ProfileReader
from schema.profile import VisitorProfile

__all__ = ["MAX_PEOPLE", "Batches"]

MAX_PEOPLE: Final = 500
MAX_BODY: Final = 200_000
NDJSON: Final = "application/x-ndjson"

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
People = Annotated[list[Id], Meta(min_length=1, max_length=MAX_PEOPLE)]


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The body: one of visitors and customers. item_id, category: of what the message is about, if it is about something."""

    visitors: People | None = None
    customers: People | None = None
    placement: str = "email"
    limit: Annotated[int, Meta(ge=1, le=MAX_OFFERS)] = 5
    item_id: Id | None = None
    category: Id | None = None
    explain: bool = False


_decode: Final = msgspec.json.Decoder(Wanted).decode


class _Person(NamedTuple):
    """Who is asked for, and what is live about them. named: how the answer calls them."""

    named: dict[str, str | None]
    visitor_id: str | None
    profile: VisitorProfile | None


@dataclass(frozen=True)
class Batches:
    """Answers batches. Profiles are read in one round trip; a live store that is away is 503: a server can ask again."""

    decider: Decider
    profiles: ProfileReader
    registry: KnownSites
    clocks: Clocks

    def answer(self) -> Response:
        """JSON with `decisions`, or a line for each person if the request accepts application/x-ndjson."""
        site = site_of_secret(self.registry())
        wanted = _wanted()
        decisions = self._decisions(site, wanted)
        if request.accept_mimetypes.best_match(["application/json", NDJSON]) == NDJSON:
            return Response((encode_exactly(each) + b"\n" for each in decisions), mimetype=NDJSON, headers=_NO_STORE)
        body = encode_exactly({"decisions": list(decisions)})
        return Response(body, mimetype="application/json", headers=_NO_STORE)

    def _decisions(self, site: Site, wanted: Wanted) -> Iterator[dict[str, Any]]:
        people = self._customers(site, wanted.customers) if wanted.customers else self._visitors(site, wanted.visitors or [])

        def decided() -> Iterator[dict[str, Any]]:
            for person in people:
                asked = Asked(
                    person.visitor_id, wanted.placement, wanted.item_id, wanted.category, wanted.limit, wanted.explain
                )
                fallback: Fallback | None = None if person.profile else "no_profile"
                decision = self.decider.of_profile(site, asked, person.profile, fallback, self.clocks.monotonic())
                yield {**person.named, **_fields(decision)}

        return decided()

    def _visitors(self, site: Site, visitor_ids: Sequence[str]) -> list[_Person]:
        profiles = self.profiles.read_many(site.name, visitor_ids)
        return [
            _Person({"visitor_id": visitor_id}, visitor_id, profile)
            for visitor_id, profile in zip(visitor_ids, profiles, strict=True)
        ]

    def _customers(self, site: Site, customer_ids: Sequence[str]) -> list[_Person]:
        """A browser on which somebody else is known by now says nothing of the customer."""
        visitor_ids = self.profiles.visitors_of(site.name, customer_ids)
        profiles = iter(self.profiles.read_many(site.name, [one for one in visitor_ids if one is not None]))
        people = []
        for customer_id, visitor_id in zip(customer_ids, visitor_ids, strict=True):
            profile = None if visitor_id is None else next(profiles)
            if profile is None or profile.customer_id != customer_id:
                visitor_id, profile = None, None
            people.append(_Person({"customer_id": customer_id, "visitor_id": visitor_id}, visitor_id, profile))
        return people


_NO_STORE: Final = {"Cache-Control": "no-store"}


def _fields(decision: Decision) -> dict[str, Any]:
    return {name: value for name in Decision.__struct_fields__ if (value := getattr(decision, name)) is not msgspec.UNSET}


def _wanted() -> Wanted:
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(f"the body: expected at most {MAX_BODY:,} bytes, got {request.content_length:,}")
    try:
        wanted = _decode(request.get_data(cache=False))
    except msgspec.MsgspecError as error:
        raise BadRequest(f'the body: expected JSON such as {{"visitors": ["v-1"], "limit": 5}}: {error}') from None
    if (wanted.visitors is None) == (wanted.customers is None):
        given = "neither" if wanted.visitors is None else "both"
        raise BadRequest(f"the body: expected one of `visitors` and `customers`, got {given}")
    placement_of(wanted.placement)
    return wanted
