"""Ending with the process that started us. Imports nothing else of ours: see GunicornServer about reloading."""

import logging
import os
import signal
import threading
import time

__all__ = ["end_with_parent"]

log = logging.getLogger("baliza.loops")


def end_with_parent(parent_pid: int, every_s: float = 1.0) -> None:
    """Send ourselves SIGTERM when the process that started us is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(every_s)
        log.warning("the supervisor is gone; stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
