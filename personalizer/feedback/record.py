"""What is written down about one decision, and its bytes on the way to the history. Pure."""

from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from baliza.errors import BalizaError

__all__ = ["NOT_KNOWN", "BadRecord", "DecisionRecord", "LoggedOffer", "decode", "encode"]

NOT_KNOWN: Final = float("nan")

Text = Annotated[str, Meta(max_length=300)]
Milliseconds = Annotated[int, Meta(ge=0, lt=10_413_792_000_000)]
Rank = Annotated[int, Meta(ge=1, le=65_535)]
Probability = Annotated[float, Meta(gt=0, le=1)]


class BadRecord(BalizaError):
    """Bytes that are no record of a decision."""


class LoggedOffer(Struct, array_like=True, frozen=True):
    """One offer of a decision, as it was given out. New fields go to the end, with a default: see decode().

    rank: from 1. score: what it was ranked by. p_next: the model's calibrated probability that this is the visitor's next
    item, NOT_KNOWN from sources that have none. p_response: P(response | shown) that was reckoned with. value: what a
    response was held to be worth, in major units of the shop's currency. source: where the candidate came from, such as
    `sellers`; reason: the code that the shop was told.

    propensity: the probability, over the policy's own dice and with everything else as it was, that this item stood at
    this rank. 1 where no dice were thrown. Learning divides by it, so it must never be a guess.
    """

    item_id: Text
    rank: Rank
    score: float
    source: Text
    reason: Text
    response_code: Text
    propensity: Probability = 1.0
    p_next: float = NOT_KNOWN
    p_response: float = NOT_KNOWN
    value: float = NOT_KNOWN


class DecisionRecord(Struct, array_like=True, frozen=True):
    """One decision. visitor_id: only of somebody who may be remembered; without one nothing is logged.

    decided_at_ms: UTC. fallback: what was missing, empty when nothing was. explored: whether dice changed the list.
    """

    site: Text
    decision_id: Text
    decided_at_ms: Milliseconds
    visitor_id: Text
    placement: Text
    offers: tuple[LoggedOffer, ...]
    session_id: Text = ""
    model: Text = ""
    fallback: Text = ""
    explored: bool = False


def _plain(number: Any) -> Any:
    """Ranking reckons in NumPy; its numbers are numbers."""
    if isinstance(number, np.generic):
        return number.item()
    raise TypeError(f"a record of a decision holds text and numbers, got {type(number).__name__}")


encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decoder = msgspec.msgpack.Decoder(DecisionRecord)


def decode(stored: bytes) -> DecisionRecord:
    """The record of what encode() gave, by this version, an older or a newer one. Raises BadRecord."""
    try:
        return _decoder.decode(stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecord(f"a logged decision cannot be read: {error}") from error
