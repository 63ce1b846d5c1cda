"""wrk as the load of closed loops, where it is on PATH: it costs a fraction of our own client, so it is not the limit.

wrk stops in the middle: requests that were in flight at the end are not counted by it, though servers have done them.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from loadtests.client import LoadError
from loadtests.payloads import Posts

__all__ = ["Said", "available", "script", "send_for"]

# Pieces are joined, since formatting a whole request takes LuaJIT as long as sending it.
SCRIPT: Final = """local t = {{{templates}}}
local number, visits, each, format = 0, {visits}, {each}, string.format
request = function()
  local first = number * each
  local visitor = (number - number % visits) / visits
  number = number + 1
  local p = t[first % #t + 1]
  return {joined}
end
done = function(summary, latency)
  local e = summary.errors
  io.write(format('\\n@{{"requests":%d,"wall_us":%d,"status":%d,"lost":%d,"p50_us":%d,"p99_us":%d}}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
HOLES: Final = re.compile(rb"%0(\d+)d")


class Said(msgspec.Struct):
    """What wrk counted. `status`: answers of 400 and more; `lost`: connections and reads that failed."""

    requests: int
    wall_us: int
    status: int
    lost: int
    p50_us: int
    p99_us: int


def available() -> bool:
    """True when wrk is on PATH."""
    return shutil.which("wrk") is not None


def script(posts: Posts) -> str:
    """The requests in Lua, made from the same templates."""
    templates = [", ".join(map(_quoted, _pieces(template))) for template in posts.templates]
    widths = HOLES.findall(posts.templates[0])
    numbers = ["visitor", *(f"first + {place}" for place in range(posts.events_each))]
    holes = [f"format('%0{int(width)}d', {number})" for width, number in zip(widths, numbers, strict=True)]
    joined = " .. ".join(f"{hole} .. p[{place}]" for place, hole in enumerate(holes, 2))
    return SCRIPT.format(
        templates=",\n".join(f"{{{pieces}}}" for pieces in templates),
        visits=posts.visits,
        each=posts.events_each,
        joined=f"p[1] .. {joined}",
    )


def _pieces(template: bytes) -> list[bytes]:
    """What stands between the holes. split() also gives the widths, every second."""
    return [piece.replace(b"%%", b"%") for piece in HOLES.split(template)[::2]]


def _quoted(raw: bytes) -> str:
    """Any bytes as a Lua string."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03d}" for byte in raw) + '"'


def send_for(address: tuple[str, int], posts: Posts, in_flight: int, seconds: int) -> Said:
    """Load the server with one thread and `in_flight` connections. Blocks.

    LoadError when a connection failed, an answer was 400 or more, or nothing was answered.
    """
    with tempfile.TemporaryDirectory(prefix="baliza-wrk-") as folder:
        file = Path(folder) / "posts.lua"
        file.write_text(script(posts))
        command = ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "--timeout", "20s", "-s", str(file)]
        command.append(f"http://{address[0]}:{address[1]}/o")
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    said = done.stdout.rpartition("\n@")[2].strip()
    if done.returncode or not said.startswith("{"):
        raise LoadError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    counted = msgspec.json.decode(said, type=Said)
    if counted.status or counted.lost or not counted.requests:
        raise LoadError(f"wrk at {in_flight} in flight: expected answers below 400 only, got {counted}")
    return counted
