"""Start the retargeting loop and the trainer. Apart from the personalizer: neither needs the models in memory."""

import threading
import time
from typing import Final

from baliza import stores
from baliza.http import Probe
from baliza.loops import run_loop
from baliza.metrics import read_with
from baliza.settings import Settings
from personalizer.carts.retarget import serve_retargeting as retargeting_loop
from personalizer.feedback.carrier import serve_carrier
from personalizer.feedback.gauges import DecisionGauges
from personalizer.learning.trainer import serve_trainer as training_loop

STOP_WITHIN_S: Final = 10.0  # what is cut off is carried by the next one

__all__ = ["serve_retargeting", "serve_trainer"]


def _live_store(settings: Settings) -> Probe:
    redis = stores.redis(settings)
    return lambda: "answers" if stores.call(redis.ping) else "silent"


def serve_retargeting(settings: Settings) -> None:
    """The retargeting loop, and beside it the carrier of decisions. Blocks until told to stop."""
    read_with(DecisionGauges(stores.redis(settings), settings.partitions, lambda: time.time_ns() // 1_000_000))

    def loops(settings: Settings, stop: threading.Event) -> None:
        carrier = threading.Thread(target=serve_carrier, args=(settings, stop), name="decisions", daemon=True)
        carrier.start()
        retargeting_loop(settings, stop)
        carrier.join(STOP_WITHIN_S)

    run_loop("retargeting", settings, loops, {"live_store": _live_store(settings)})


def serve_trainer(settings: Settings) -> None:
    """The training loop. Blocks until told to stop."""
    run_loop("trainer", settings, training_loop, {"live_store": _live_store(settings)})
