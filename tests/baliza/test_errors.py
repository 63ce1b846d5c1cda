"""The tree of errors: drawn as it is, exported whole, and safe to show."""

import inspect
import re

from baliza import errors
from baliza.errors import BalizaError, problem


def tree() -> dict[str, type[BalizaError]]:
    return {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, BalizaError) and kind.__module__ == errors.__name__
    }


def test_the_drawing_shows_every_error_in_its_place_with_its_status() -> None:
    drawn = re.findall(r"^( *)[*+-] (\w+) *(\d+)?", errors.__doc__ or "", re.MULTILINE)
    assert {name for _, name, _ in drawn} == set(tree())
    for indent, name, status in drawn:
        kind = tree()[name]
        parent = {0: Exception, 2: BalizaError, 4: errors.BadRequest}[len(indent)]
        assert kind.__base__ is parent, f"{name} is drawn in the wrong place"
        assert not status or kind.status == int(status)


def test_all_names_are_exported() -> None:
    assert set(errors.__all__) == set(tree()) | {"problem"}


def test_a_problem_says_what_the_error_says() -> None:
    found = problem(errors.Forbidden("the site demo does not allow the origin http://evil.test"))
    assert found == {
        "type": "about:blank",
        "title": "Not allowed",
        "status": 403,
        "detail": "the site demo does not allow the origin http://evil.test",
    }


def test_what_names_a_host_is_not_for_everybody() -> None:
    error = errors.StoreDown("the live store does not answer", "Error 111 connecting to redis.internal:6379")
    assert str(error) == "the live store does not answer: Error 111 connecting to redis.internal:6379"
    assert problem(error)["detail"] == "the live store does not answer"


def test_only_what_may_help_when_repeated_says_when() -> None:
    assert errors.StoreDown.status == 503
    assert errors.StoreDown.retry_after_s > 0
    assert not hasattr(errors.BadRequest, "retry_after_s")
