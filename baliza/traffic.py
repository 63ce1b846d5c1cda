"""Where a visit comes from, read off its landing page and referrer: source, medium and campaign in Google's terms."""

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

__all__ = ["Traffic", "path_of", "traffic_of"]

# Names in front of any country's ending; full hosts where the name alone would say too little.
SEARCH_ENGINES: Final = frozenset("google bing duckduckgo yahoo ecosia baidu yandex qwant startpage brave".split())
SOCIAL: Final = frozenset("facebook instagram twitter linkedin pinterest reddit tiktok youtube".split())
SOCIAL_HOSTS: Final = frozenset({"t.co", "x.com", "lnkd.in", "youtu.be"})
# Ad networks mark their clicks with these even where nobody tagged the campaign.
CLICK_IDS: Final = {"gclid": "google", "msclkid": "bing", "fbclid": "facebook", "ttclid": "tiktok"}


class Traffic(NamedTuple):
    """All lower case but the campaign. `direct` means that nothing is known."""

    source: str
    medium: str
    campaign: str


@lru_cache(maxsize=8_192)  # of URLs up to 2 KB each
def traffic_of(landing_url: str, referrer: str) -> Traffic:
    """Campaign tags win, then click ids, then the referring host; the shop's own pages are no source."""
    landing, referring = _split(landing_url), _split(referrer)
    tags = parse_qs(landing[1], max_num_fields=200) if "=" in landing[1] and landing[1].count("&") < 200 else {}

    def tag(name: str) -> str:
        return tags.get(name, [""])[0][:100]

    if tag("utm_source"):
        return Traffic(tag("utm_source").lower(), tag("utm_medium").lower(), tag("utm_campaign"))
    for name, network in CLICK_IDS.items():
        if name in tags:
            return Traffic(network, "social" if network in ("facebook", "tiktok") else "cpc", tag("utm_campaign"))
    host = referring[0].removeprefix("www.")
    if not host or host == landing[0].removeprefix("www."):
        return Traffic("direct", "", "")
    return Traffic(host[:100], _medium_of(host), "")


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.query
    except ValueError:
        return "", ""


def _medium_of(host: str) -> str:
    labels = set(host.split(".")[:-1])
    if labels & SEARCH_ENGINES:
        return "organic"
    return "social" if labels & SOCIAL or host in SOCIAL_HOSTS else "referral"


def path_of(url: str) -> str:
    """The path of a page's URL; empty when it is none, for nobody checked what a page said."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
