"""What another HTTP implementation, h11, reads out of the same bytes: the reference for our framing."""

from dataclasses import dataclass, field

import h11

from tests.support.ends import Ends
from tests.support.wire import Got, split_answer
from tracker.connection import MAX_HEAD_BYTES
from tracker.request import origin_form

Seen = tuple[str, str, dict[str, str], bytes]
# An offer that we take back, so that its body can be read; and a length, which the body has.
LEFT_OUT = ("upgrade", "content-length")


@dataclass
class Reading:
    """Whole requests in order, and why the bytes behind them are none ("" when they are good, or not whole yet).

    `ended`: what follows is not read, because the connection ends with the last answer.
    """

    requests: list[Seen] = field(default_factory=list)
    refused: str = ""
    ended: bool = False


def read_by_h11(data: bytes) -> Reading:
    """Each request is answered with an empty 200 before the next is read."""
    found, connection = Reading(), h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    head, body = None, bytearray()
    try:
        if data:  # nothing would mean the end
            connection.receive_data(data)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                head, body = event, bytearray()
                if event.method == b"CONNECT":
                    raise h11.RemoteProtocolError("CONNECT is for proxies")
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head:
                found.requests.append(_seen(head, bytes(body)))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    found.ended = True  # of HTTP/1.0 always, whatever it asks for
                    break
                connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        found.refused = str(error)
    return found


def _seen(head: h11.Request, body: bytes) -> Seen:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        if name in LEFT_OUT:
            continue
        if name in headers:
            value = headers[name] + ("; " if name == "cookie" else ", ") + value
        headers[name] = value
    return head.method.decode(), origin_form(head.target.decode("latin-1")), headers, body


def read_by_us(data: bytes, cuts: list[int]) -> Reading:
    """The same by the edge worker's connection, fed in pieces that end at these places. Its answers must be whole."""
    ends, found = Ends(), Reading()
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if ends.connection.closed:
                break
            ends.send(data[start:end])
        answers = _answers(ends)
        for each in ends.requests:
            kept = {name: value for name, value in each.headers.items() if name not in LEFT_OUT}
            if "transfer-encoding" in kept:
                kept["transfer-encoding"] = kept["transfer-encoding"].lower()  # as h11 has it
            found.requests.append((each.method, each.target, kept, each.body))
        assert len(answers) - len(found.requests) in (0, 1), answers
        assert [answer.status for answer in answers[: len(found.requests)]] == [200] * len(found.requests)
        if len(answers) > len(found.requests):
            assert answers[-1].status in (400, 413), answers
            found.refused = answers[-1].body.decode()
        found.ended = bool(answers) and answers[-1].headers.get("connection") == "close" and not found.refused
        ends.connection.expire()
        assert ends.forgotten == [ends.connection], "a connection that is over is forgotten once"
    finally:
        ends.close()
    return found


def _answers(ends: Ends) -> list[Got]:
    """All that were sent, without the interim ones; they must end with a whole one."""
    of_heads = [request.method == "HEAD" for request in ends.requests] + [False]
    found: list[Got] = []
    left = ends.received()
    while left:
        split = split_answer(left, of_head=of_heads[len(found)])
        assert split, f"an answer is cut short: {left[:200]!r}"
        found += [split[0]] if split[0].status != 100 else []
        left = split[1]
    return found
