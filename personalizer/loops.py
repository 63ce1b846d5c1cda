"""Start the retargeting loop and the trainer. Apart from the personalizer: neither needs the models in memory."""

from baliza import stores
from baliza.http import Probe
from baliza.loops import run_loop
from baliza.settings import Settings
from personalizer.retarget import serve_retargeting as retargeting_loop
from personalizer.trainer import serve_trainer as training_loop

__all__ = ["serve_retargeting", "serve_trainer"]


def _live_store(settings: Settings) -> Probe:
    redis = stores.redis(settings)
    return lambda: "answers" if stores.call(redis.ping) else "silent"


def serve_retargeting(settings: Settings) -> None:
    """The retargeting loop. Blocks until told to stop."""
    run_loop("retargeting", settings, retargeting_loop, {"live_store": _live_store(settings)})


def serve_trainer(settings: Settings) -> None:
    """The training loop. Blocks until told to stop."""
    run_loop("trainer", settings, training_loop, {"live_store": _live_store(settings)})
