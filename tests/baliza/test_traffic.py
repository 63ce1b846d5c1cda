"""Where visits come from."""

import pytest

from baliza.traffic import Traffic, path_of, traffic_of

DIRECT = Traffic("direct", "", "")
SHOP = "https://www.shop.test/p/lamp"


@pytest.mark.parametrize(
    ("landing", "referrer", "expected"),
    [
        (SHOP, "", DIRECT),
        ("", "", DIRECT),
        (SHOP, "https://shop.test/", DIRECT),
        (SHOP, "https://www.shop.test/cart", DIRECT),
        (SHOP, "https://www.google.com/", Traffic("google.com", "organic", "")),
        (SHOP, "https://google.co.uk/", Traffic("google.co.uk", "organic", "")),
        (SHOP, "https://duckduckgo.com/", Traffic("duckduckgo.com", "organic", "")),
        (SHOP, "https://m.facebook.com/", Traffic("m.facebook.com", "social", "")),
        (SHOP, "https://t.co/x", Traffic("t.co", "social", "")),
        (SHOP, "https://Blog.Example:8443/post", Traffic("blog.example", "referral", "")),
        (f"{SHOP}?utm_source=News&utm_medium=E-Mail&utm_campaign=Autumn+25", "https://google.com/",
         Traffic("news", "e-mail", "Autumn 25")),
        (f"{SHOP}?utm_medium=email", "https://blog.example/", Traffic("blog.example", "referral", "")),
        (f"{SHOP}?gclid=abc", "", Traffic("google", "cpc", "")),
        (f"{SHOP}?fbclid=abc&utm_campaign=Sale", "https://l.facebook.com/", Traffic("facebook", "social", "Sale")),
        (f"{SHOP}?utm_source=a&gclid=b", "", Traffic("a", "", "")),
        (f"{SHOP}?utm_source=%FF%00", "", Traffic("\ufffd\0", "", "")),
        (f"{SHOP}?utm_source={'s' * 200}", "", Traffic("s" * 100, "", "")),
        (f"{SHOP}?utm_source=a" + "&x=1" * 500, "", DIRECT),
        ("http://[broken", "http://[too", DIRECT),
        ("javascript:alert(1)", "android-app://com.example.mail/", Traffic("com.example.mail", "referral", "")),
        ("\ud7ff\u0000", "not a url", DIRECT),
    ],
)  # fmt: skip
def test_tells_the_source(landing: str, referrer: str, expected: Traffic) -> None:
    assert traffic_of(landing, referrer) == expected


@pytest.mark.parametrize(
    ("url", "path"),
    [(SHOP, "/p/lamp"), ("/relative?x=1#y", "/relative"), ("", ""), ("http://[broken/p", ""), ("https://shop.test", "")],
)
def test_tells_the_path(url: str, path: str) -> None:
    assert path_of(url) == path
