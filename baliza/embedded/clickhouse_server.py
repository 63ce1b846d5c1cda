"""The embedded engine's TCP server: accepts clients, gives each a thread, watches running queries, stops cleanly."""

import contextlib
import fcntl
import itertools
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from baliza.embedded.conversation import Access, Conversation
from baliza.embedded.engine import Engine, QueryError
from baliza.errors import EngineError

__all__ = ["DataLock", "Server", "Watcher"]

log = logging.getLogger(__name__)

STOP_WITHIN_S = 10
KILL_AGAIN_S = 0.2
# Clients over the limit are let in as far as Hello, to be told why they are refused; beyond these they are just closed.
WAITING_ROOM = 16


class DataLock:
    """Keeps a data directory to one process. The lock goes with the process, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._path = data_dir / "engine.lock"
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise EngineError(
                f"The data directory {data_dir} is in use by process {owner}; stop it or choose another directory."
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another process have the directory."""
        self._file.close()


class Watcher:
    """Kills the query of a client that left or sent Cancel. One thread watches all clients whose query runs."""

    def __init__(self, kill: Callable[[str], None]) -> None:
        self._kill = kill
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._ended: dict[socket.socket, str] = {}
        self._wake, woken = socket.socketpair()
        self._selector.register(woken, selectors.EVENT_READ)
        self._woken = woken
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watching(self, sock: socket.socket, tag: str) -> Iterator[Callable[[], bool]]:
        """Watch while a query runs; the value tells whether the client wants no more of it."""
        with self._lock:
            self._selector.register(sock, selectors.EVENT_READ, tag)
        try:
            yield lambda: sock in self._ended
        finally:
            # A kill under way must end first: it would hit the client's next query.
            with self._lock:
                self._ended.pop(sock, None)
                with contextlib.suppress(KeyError):
                    self._selector.unregister(sock)

    def close(self) -> None:
        """Stop watching."""
        self._wake.close()
        self._thread.join()
        self._selector.close()
        self._woken.close()

    def _run(self) -> None:
        while True:
            ready = self._selector.select(KILL_AGAIN_S if self._ended else None)
            with self._lock:
                for key, _ in ready:
                    if key.fileobj is self._woken:
                        return
                    self._look(key)
                # Again and again: a query that has just been sent to the engine cannot be found yet.
                for tag in self._ended.values():
                    with contextlib.suppress(QueryError):
                        self._kill(tag)

    def _look(self, key: selectors.SelectorKey) -> None:
        sock = key.fileobj
        if not isinstance(sock, socket.socket) or sock not in self._selector.get_map():
            return
        self._selector.unregister(sock)
        try:
            first = sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if first in (b"", b"\x03"):
            self._ended[sock] = key.data


class Server:
    """Accepts clients on `listener` until `stop` is called from any thread, or a byte is written to `wake_fd`."""

    def __init__(self, listener: socket.socket, engine: Engine, user: str, password: str, max_connections: int) -> None:
        self._listener = listener
        self._engine = engine
        self._access = Access(user, password, lambda: len(self._threads) > max_connections)
        self._most_threads = max_connections + WAITING_ROOM
        self._watcher = Watcher(engine.kill)
        self._threads: dict[Conversation, threading.Thread] = {}
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._numbers = itertools.count(1)

    @property
    def wake_fd(self) -> int:
        """For signal.set_wakeup_fd: a signal may go to any of the engine's threads, and only this wakes ours."""
        return self._wake.fileno()

    def run(self) -> None:
        """Serve until stopped; then let running queries end, for ten seconds at most."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in selector.select()):
                self._accept()
        self._listener.close()
        self._finish()

    def stop(self) -> None:
        """Ask `run` to end. Returns at once."""
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            log.warning("a client could not be accepted: %s", error)
            time.sleep(0.05)  # out of file descriptors: do not spin
            return
        if len(self._threads) >= self._most_threads:
            sock.close()
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tag = f"baliza-{os.getpid()}-{next(self._numbers)}"
        conversation = Conversation(sock, tag, self._engine, self._access, self._watcher.watching)
        thread = threading.Thread(target=self._talk, args=(conversation,), name=tag, daemon=True)
        self._threads[conversation] = thread
        thread.start()

    def _talk(self, conversation: Conversation) -> None:
        try:
            conversation.run()
        except Exception:
            log.exception("client %s: an error that should not be", conversation.tag)
        finally:
            self._threads.pop(conversation, None)

    def _finish(self) -> None:
        for conversation in list(self._threads):
            conversation.stopping = True
            if not conversation.busy:
                _shut(conversation.sock, socket.SHUT_RD)
        self._join(time.monotonic() + STOP_WITHIN_S)
        for conversation in list(self._threads):
            with contextlib.suppress(QueryError):
                self._engine.kill(conversation.tag)
            _shut(conversation.sock, socket.SHUT_RDWR)
        self._join(time.monotonic() + 2)
        self._watcher.close()

    def _join(self, until: float) -> None:
        for thread in list(self._threads.values()):
            thread.join(max(0.0, until - time.monotonic()))


def _shut(sock: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(how)
