"""Start the simulated shoppers."""

import os
import random
import threading

from baliza.loops import run_loop
from baliza.settings import Settings
from demo.shoppers import run

__all__ = ["serve_shoppers"]


def serve_shoppers(settings: Settings) -> None:
    """Send shoppers into the demo shop until told to stop. Blocks."""
    per_minute = float(os.environ.get("BALIZA_DEMO_PER_MINUTE", "60"))
    speed = float(os.environ.get("BALIZA_DEMO_SPEED", "6"))

    def loop(chosen: Settings, stop: threading.Event) -> None:
        run(chosen.base_url, "pk_demo", per_minute, speed, random.Random(), stop, lambda _sent: None)  # noqa: S311

    run_loop("shoppers", settings, loop, {})
