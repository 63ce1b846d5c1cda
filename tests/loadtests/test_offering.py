import pytest

from loadtests.client import Answer
from loadtests.offering import has_offers


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (200, b'{"decision_id":"d","offers":[{"rank":1}],"fallback":null}', True),
        (200, b'{"decision_id":"d","offers":[],"fallback":null}', False),
        (200, b'{"decision_id":"d","offers":[{"rank":1}],"fallback":"no_profile"}', False),
        (500, b'{"offers":[{"rank":1}],"fallback":null}', False),
    ],
)
def test_only_personal_offers_count(status: int, body: bytes, good: bool) -> None:
    assert has_offers(Answer(status, b"", body)) is good
