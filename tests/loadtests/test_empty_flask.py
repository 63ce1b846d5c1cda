from loadtests.empty_flask import app


def test_answers_nothing_to_whatever_comes() -> None:
    answer = app.test_client().post("/o", data=b"not even JSON")
    assert (answer.status_code, answer.data) == (204, b"")
