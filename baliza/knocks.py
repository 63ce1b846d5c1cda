"""Leaving a TCP port without a reset for anybody: first nobody new gets in, then who is inside is answered.

What a listening socket has taken but its process has not is reset when the socket closes, and between the last accept() and
the close() somebody may always come. A filter at the socket lets the system drop what asks to connect: the client's system
asks again after a second, and is refused by then.
"""

import ctypes
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

__all__ = ["ignore_knocks"]

SO_ATTACH_FILTER: Final = 26  # Linux; Python's socket module does not name it
# Classic BPF over a TCP segment from its header on: (code, jump if true, jump if false, operand), see linux/filter.h.
NO_KNOCKS: Final = (
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x54, 0, 0, 0x12),  # SYN and ACK of it
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then take nothing of it,
    (0x06, 0, 0, 0xFFFFFFFF),  # and all of any other: who is half inside comes in
)


def ignore_knocks(listeners: Sequence[socket.socket]) -> bool:
    """Let no one else connect, in whatever process the sockets are open. False where the system cannot do that."""
    if sys.platform != "linux":
        return False
    program = b"".join(struct.pack("=HBBI", *step) for step in NO_KNOCKS)
    held = ctypes.create_string_buffer(program, len(program))
    option = struct.pack("HP", len(NO_KNOCKS), ctypes.addressof(held))
    done = False
    for listener in listeners:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):
                listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)
                done = True
    return done
