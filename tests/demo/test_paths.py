import pytest
from flask import url_for

from demo import paths
from demo.shop import create_app


@pytest.mark.parametrize(
    ("path", "endpoint", "values"),
    [
        (paths.HOME, "home", {}),
        (paths.LOGIN, "login_form", {}),
        (paths.story("first-cup"), "story", {"slug": "first-cup"}),
        (paths.category("light"), "category", {"slug": "light"}),
        (paths.product("LAMP-1"), "product", {"item_id": "LAMP-1"}),
        (paths.picture("LAMP-1"), "picture", {"item_id": "LAMP-1"}),
        (paths.search("rain jacket"), "find", {"q": "rain jacket"}),
    ],
)
def test_paths_are_the_shops_routes(path: str, endpoint: str, values: dict[str, str]) -> None:
    with create_app("pk_test").test_request_context():
        assert url_for(f"shop.{endpoint}", **values) == path  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "endpoint"), [(paths.CART, "cart"), (paths.CHECKOUT, "checkout"), (paths.THANKS, "thanks")]
)
def test_paths_are_the_tills_routes(path: str, endpoint: str) -> None:
    with create_app("pk_test").test_request_context():
        assert url_for(f"till.{endpoint}") == path


def test_path_of_what_was_seen_is_a_route() -> None:
    with create_app("pk_test").test_request_context():
        assert url_for("seen.page") == paths.SEEN
