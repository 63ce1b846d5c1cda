"""Addresses of the shop's pages below the place it is mounted at; the shop's routes and the shoppers both use them."""

from typing import Final
from urllib.parse import quote, urlencode

__all__ = [
    "CART",
    "CHECKOUT",
    "FEED",
    "HOME",
    "LOGIN",
    "SEEN",
    "THANKS",
    "category",
    "picture",
    "product",
    "search",
    "story",
]

HOME: Final = "/"
CART: Final = "/cart"
CHECKOUT: Final = "/checkout"
THANKS: Final = "/thanks"
LOGIN: Final = "/login"
SEEN: Final = "/seen"
FEED: Final = "/feed.xml"


def category(slug: str) -> str:
    """The page of one category."""
    return f"/c/{quote(slug)}"


def product(item_id: str) -> str:
    """The page of one product."""
    return f"/p/{quote(item_id)}"


def search(term: str) -> str:
    """The page with what was found for a term."""
    return "/search?" + urlencode({"q": term})


def story(slug: str) -> str:
    """The page of one story."""
    return f"/stories/{quote(slug)}"


def picture(item_id: str) -> str:
    """The picture of one product, SVG."""
    return f"/pictures/{quote(item_id)}.svg"
