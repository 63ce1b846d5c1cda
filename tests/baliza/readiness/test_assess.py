"""The answer from a profile."""

import subprocess
import sys

import pytest

from baliza.readiness.assess import NOTHING_KNOWN, assess
from baliza.readiness.model import ReadinessModel
from schema.profile import Cart, CartLine
from tests.baliza.readiness.test_model import file
from tests.baliza.readiness.visits import MINUTE, T, profile, session

FULL = Cart("EUR", T, 0, [CartLine("A", 1, -1, "", "")])


def test_without_a_profile_or_session_nothing_is_known() -> None:
    assert assess(None, T) is NOTHING_KNOWN
    over = profile()
    over.session = None
    assert assess(over, T) is NOTHING_KNOWN


def test_rules_answer_until_there_is_a_model() -> None:
    visit = profile(session(cart_adds=1, page_views=3), cart=FULL)
    found = assess(visit, T)
    assert (found.basis, found.purpose, round(found.probability, 2)) == ("rules", "buy", 0.18)
    learned = assess(visit, T, ReadinessModel.of_file(file()))
    assert (learned.basis, learned.purpose, learned.probability) == ("model", "buy", 0.5)


def test_waiting_makes_an_order_less_likely_and_does_not_undo_the_purpose() -> None:
    visit = profile(session(cart_adds=1, page_views=3), cart=FULL)
    fresh, later = assess(visit, T), assess(visit, T + 20 * MINUTE)
    assert later.probability < fresh.probability / 3
    assert later.purpose == fresh.purpose == "buy"


def test_a_first_page_is_unknown() -> None:
    found = assess(profile(), T)
    assert found.purpose == "unknown"
    assert sum(found.purposes) == pytest.approx(1)


def test_who_serves_needs_neither_numpy_nor_scikit_learn() -> None:
    told = "import sys, baliza.readiness.files, baliza.readiness.assess; print({'numpy', 'sklearn'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "set()"
