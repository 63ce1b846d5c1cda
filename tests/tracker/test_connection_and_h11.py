"""Our framing beside another implementation's: where both take a request they take the same one, and we refuse in doubt."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.reference import Reading, read_by_h11, read_by_us
from tests.support.wire import chunked, get, post

NAMES = st.sampled_from(
    "Host Content-Length Transfer-Encoding Connection Expect Upgrade Cookie X-Forwarded-For X_Forwarded_For Origin X".split()
)
VALUES = st.sampled_from(
    ["0", "3", "5", "05", "+3", "-1", "3, 3", "3,4", "0x3", "99999999999999999999", "chunked", "Chunked", "gzip, chunked",
     "chunked, identity", "identity", "\x0bchunked", "close", "keep-alive", "Upgrade", "h2c", "websocket", "100-continue",
     "a=1", "collector.test", "", " ", "a\tb", "ä", "x" * 200, "a\r\n b", "a\nb", "a\rb", "a\x00b", "a\x7fb"]
)  # fmt: skip
COLONS = st.sampled_from([": ", ":", ":  \t", " : ", "\t:", " "])
ENDS = st.sampled_from(["\r\n"] * 12 + ["\n", "\r", "\r\n\r\n"])
LINES = st.tuples(NAMES, COLONS, VALUES, ENDS).map("".join)
FIRST = st.tuples(
    st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "get", "PRI", "BREW", ""]),
    st.sampled_from([" ", " ", " ", "  ", "\t"]),
    st.sampled_from(["/", "/o", "/o.gif?a=%20", "http://collector.test/o", "*", "collector.test:443", "/ä", "/a b", ""]),
    st.sampled_from([" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", " HTTP/1.10", " http/1.1", ""]),
    ENDS,
).map("".join)
CHUNKS = [
    "3\r\nabc\r\n0\r\n\r\n",
    "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "0\r\n\r\n",
    "3\nabc\n0\n\n",
    "3 \r\nabc\r\n0\r\n\r\n",
]
NO_CHUNKS = [
    "-3\r\nabc\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "ffffffffffffffffff\r\nabc",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nabc0\r\n\r\n",
]
BODIES = st.sampled_from(["", "", "abc", "abcde", *CHUNKS, *NO_CHUNKS])
ODD = st.tuples(FIRST, st.lists(LINES, max_size=4).map("".join), ENDS, BODIES).map(
    lambda parts: "".join([parts[0], "Host: collector.test\r\n", *parts[1:]]).encode("latin-1")
)
SOUND = st.one_of(
    st.binary(max_size=60).map(post),
    st.lists(st.binary(min_size=1, max_size=30), max_size=3).map(lambda parts: chunked(*parts)),
    st.sampled_from(
        [get("/"), get("/h", "Cookie: a=1", "Cookie: b=2"), get("/o.gif", method="HEAD"), get("/", version="1.0")]
    ),
)


def compare(ours: Reading, theirs: Reading) -> None:
    both = min(len(ours.requests), len(theirs.requests))
    assert ours.requests[:both] == theirs.requests[:both]
    if len(ours.requests) < len(theirs.requests):
        missed = theirs.requests[both]
        # The beginning of HTTP/2's preface is a request to h11; we wait for the rest, to refuse it.
        # What says HTTP/2.0 without a preface is served by both, by us as the last request of its connection.
        assert ours.refused or ours.ended or missed[0] == "PRI", f"what h11 reads was neither answered nor refused: {missed}"
    if len(ours.requests) > len(theirs.requests) and not theirs.ended:
        assert theirs.refused.startswith(LENIENT), f"h11 refuses it: {theirs.refused!r}, we take {ours.requests[both]}"


# What we take and h11 does not: empty lines before a request, two blanks in its first line, HTTP/0.9 with a head, no Host
# (nothing here depends on it). None of it is about where a request ends.
LENIENT = ("illegal request line", "no request line received", "Missing mandatory Host: header")


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.lists(ODD | SOUND, min_size=1, max_size=3).map(b"".join), st.lists(st.integers(0, 400), max_size=4))
def test_reads_what_h11_reads_or_refuses(data: bytes, places: list[int]) -> None:
    cuts = sorted(place % (len(data) + 1) for place in places)
    compare(read_by_us(data, cuts), read_by_h11(data))
