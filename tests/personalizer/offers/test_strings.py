"""Sentences for shoppers."""

import pytest

from personalizer.offers.situation import Reason
from personalizer.offers.strings import OF_BOUGHT, OF_CART, REASONS, reason_text


def test_every_reason_has_its_sentences() -> None:
    assert set(REASONS) == set(Reason)
    assert all(text and "{item}" not in text for text in (plain for _, plain in REASONS.values()))


def test_names_what_led_to_the_offer() -> None:
    assert reason_text(Reason.BOUGHT_TOGETHER, "Desk lamp Oslo") == "Often bought together with Desk lamp Oslo"


def test_does_without_a_name() -> None:
    assert reason_text(Reason.BOUGHT_TOGETHER) == "Often bought together with what you chose"


@pytest.mark.parametrize("name", ["{0}", "{item}", "{item.__class__}"])
def test_a_name_with_braces_stays_a_name(name: str) -> None:
    assert reason_text(Reason.BOUGHT_TOGETHER, name) == f"Often bought together with {name}"


@pytest.mark.parametrize("texts", [OF_CART, OF_BOUGHT])
def test_what_is_there_already_is_told_apart(texts: tuple[str, str]) -> None:
    assert "Lamp" in reason_text(Reason.BOUGHT_TOGETHER, "Lamp", texts)
    assert "{" not in reason_text(Reason.BOUGHT_TOGETHER, "", texts)
