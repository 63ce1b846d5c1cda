"""Processes that must not outlive the one that started them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.product import ROOT, wait_for

# A parent that starts a child which ends with it, tells the child's id, and is killed.
PARENT = """
import os, subprocess, sys, time
child = '''
import os, signal, time
from baliza.parent import end_with_parent
signal.signal(signal.SIGTERM, lambda *_: (open("ended", "w").close(), os._exit(0)))
end_with_parent(int(os.environ["BALIZA_PARENT_PID"]), 0.05)
open("began", "w").close()
time.sleep(60)
'''
subprocess.Popen([sys.executable, "-c", child], env=os.environ | {"BALIZA_PARENT_PID": str(os.getpid())})
time.sleep(60)
"""


def test_a_process_ends_in_order_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for((tmp_path / "began").exists, 10)
    parent.kill()
    parent.wait()
    wait_for((tmp_path / "ended").exists, 10)
