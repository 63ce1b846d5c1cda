"""POST /v1/offers/batch: the offers of many visitors at once, for e-mail and other things that a shop's server sends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

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

__all__ = ["MAX_VISITORS", "Batches"]

MAX_VISITORS: Final = 500
MAX_BODY: Final = 200_000
NDJSON: Final = "application/x-ndjson"

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The body. item_id, category: of what the message is about, if it is about something."""

    visitors: Annotated[list[Id], Meta(min_length=1, max_length=MAX_VISITORS)]
    placement: str = "email"
    limit: Annotated[int, Meta(ge=1, le=MAX_OFFERS)] = 5
    item_id: Id | None = None
    category: Id | None = None
    explain: bool = False


_decode: Final = msgspec.json.Decoder(Wanted).decode


@dataclass(frozen=True)
class Batches:
    """Answers batches. Profiles are read in one round trip; a live store that is away is 503: a server can ask again."""

    decider: Decider
    profiles: ProfileReader
    registry: KnownSites
    clocks: Clocks

    def answer(self) -> Response:
        """JSON with `decisions`, or a line for each visitor if the request accepts application/x-ndjson."""
        site = site_of_secret(self.registry())
        wanted = _wanted()
        decisions = self._decisions(site, wanted)
        if request.accept_mimetypes.best_match(["application/json", NDJSON]) == NDJSON:
            return Response((encode_exactly(each) + b"\n" for each in decisions), mimetype=NDJSON, headers=_NO_STORE)
        body = encode_exactly({"decisions": list(decisions)})
        return Response(body, mimetype="application/json", headers=_NO_STORE)

    def _decisions(self, site: Site, wanted: Wanted) -> Iterator[dict[str, Any]]:
        found = self.profiles.read_many(site.name, wanted.visitors)

        def decided() -> Iterator[dict[str, Any]]:
            for visitor_id, profile in zip(wanted.visitors, found, strict=True):
                asked = Asked(visitor_id, wanted.placement, wanted.item_id, wanted.category, wanted.limit, wanted.explain)
                fallback: Fallback | None = None if profile else "no_profile"
                decision = self.decider.of_profile(site, asked, profile, fallback, self.clocks.monotonic())
                yield {"visitor_id": visitor_id, **_fields(decision)}

        return decided()


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
    placement_of(wanted.placement)
    return wanted
