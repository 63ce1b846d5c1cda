import math

import msgspec
import numpy as np
import pytest

from personalizer.feedback.record import BadRecord, DecisionRecord, decode, encode
from tests.personalizer.feedback.records import decision, logged_offer


def test_a_record_comes_back_as_it_was() -> None:
    record = decision("d-1", "bulb rug", session_id="s-1", model="m-1", fallback="no_profile", explored=True)
    found = decode(encode(record))
    assert repr(found) == repr(record)  # not ==: what is not a number equals nothing
    assert [offer.item_id for offer in found.offers] == ["bulb", "rug"]


def test_what_no_source_knows_is_not_a_number() -> None:
    (offer,) = decode(encode(decision("d-1"))).offers
    assert math.isnan(offer.p_next)
    assert math.isnan(offer.value)


def test_numbers_of_numpy_are_numbers() -> None:
    offer = logged_offer("bulb", score=np.float32(0.25), propensity=np.float64(0.5), p_next=np.float32(0.125))
    (found,) = decode(encode(decision("d-1", offers=(offer,)))).offers
    assert (found.score, found.propensity, found.p_next) == (0.25, 0.5, 0.125)


def test_an_older_version_reads_what_a_newer_one_writes() -> None:
    plain = msgspec.msgpack.decode(encode(decision("d-1")))
    assert decode(msgspec.msgpack.encode([*plain, "a field of tomorrow"])).decision_id == "d-1"


def test_a_newer_version_reads_what_an_older_one_wrote() -> None:
    plain = msgspec.msgpack.decode(encode(decision("d-1", session_id="s-1")))
    assert decode(msgspec.msgpack.encode(plain[:6])).session_id == ""


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.5, math.nan])
def test_a_propensity_is_a_probability_above_zero(propensity: float) -> None:
    with pytest.raises(BadRecord):
        decode(encode(decision("d-1", offers=(logged_offer("bulb", propensity=propensity),))))


@pytest.mark.parametrize(
    "stored", [b"", b"\xc1", b"\x91\x01", msgspec.msgpack.encode(["demo", "\ud800".encode("utf-8", "surrogatepass")])]
)
def test_what_is_no_record_is_told(stored: bytes) -> None:
    with pytest.raises(BadRecord, match="a logged decision cannot be read"):
        decode(stored)


def test_a_record_of_ten_offers_is_small() -> None:
    record = DecisionRecord(
        "demo", "d" * 36, 1, "v" * 36, "product-detail", tuple(logged_offer("LAMP-1", n) for n in range(1, 11))
    )
    assert len(encode(record)) < 1_200
