"""User agents of real people, of machines, and of nobody."""

import time

import pytest

from tracker.enrich import Agent, agent_of

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT} Version/18.5 Mobile/15E148 Safari/604.1",
         Agent("phone", "Mobile Safari", "iOS", "")),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT} Mobile/15E148 [FBAN/FBIOS;FBAV/500.0]",
         Agent("phone", "Facebook", "iOS", "")),
        (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {BLINK} Chrome/137.0.0.0 Mobile Safari/537.36",
         Agent("phone", "Chrome Mobile", "Android", "")),
        (f"Mozilla/5.0 (Linux; Android 10; K) {BLINK} Chrome/137.0.0.0 Mobile Safari/537.36",
         Agent("phone", "Chrome Mobile", "Android", "")),
        (f"Mozilla/5.0 (Linux; Android 14; SM-X710) {BLINK} Chrome/137.0.0.0 Safari/537.36",
         Agent("tablet", "Chrome", "Android", "")),
        (f"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1",
         Agent("tablet", "Mobile Safari", "iOS", "")),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} Chrome/137.0.0.0 Safari/537.36",
         Agent("desktop", "Chrome", "Windows", "")),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
         Agent("desktop", "Edge", "Windows", "")),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.5 Safari/605.1.15",
         Agent("desktop", "Safari", "Mac OS X", "")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         Agent("desktop", "Firefox", "Linux", "")),
        (f"Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) {BLINK} SamsungBrowser/2.1 TV Safari/537.36",
         Agent("tv", "Samsung Internet", "Tizen", "")),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
         Agent("other", "Googlebot", "Other", "crawler")),
        (f"Mozilla/5.0 {BLINK}; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
         Agent("other", "GPTBot", "Other", "crawler")),
        (f"Mozilla/5.0 (X11; Linux x86_64) {BLINK} HeadlessChrome/137.0.0.0 Safari/537.36",
         Agent("desktop", "HeadlessChrome", "Linux", "automated browser")),
        ("curl/8.5.0", Agent("other", "curl", "Other", "crawler")),
        ("python-requests/2.32.3", Agent("other", "Python Requests", "Other", "crawler")),
        ("", Agent("other", "", "", "no user agent")),
        ("\0\x85\xff", Agent("other", "Other", "Other", "")),
    ],
)  # fmt: skip
def test_tells_device_browser_system_and_bots(user_agent: str, expected: Agent) -> None:
    assert agent_of(user_agent) == expected


@pytest.mark.parametrize(
    "junk", ["x" * 5000, "(" * 5000, "Mozilla/5.0 (" + "a;" * 2400, "9." * 2500], ids=lambda junk: junk[:14]
)
def test_junk_of_five_kilobytes_costs_little(junk: str) -> None:
    began = time.process_time()
    assert agent_of(junk).bot in ("", "crawler")
    assert time.process_time() - began < 0.3


def test_the_same_agent_is_parsed_once() -> None:
    assert agent_of("curl/9.9") is agent_of("curl/9.9")
