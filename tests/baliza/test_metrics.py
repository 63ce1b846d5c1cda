"""The metrics: named once, and summed over the processes that share a folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from baliza import metrics

COUNT = "from baliza import metrics; metrics.TAKEN.labels('lamps').inc({}); metrics.INGEST_LAG.set({})"
SHOW = "from baliza import metrics; print(metrics.exposition().decode())"


def run(code: str, folder: Path) -> str:
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout


def test_numbers_of_all_processes_are_added_up(tmp_path: Path) -> None:
    run(COUNT.format(3, 10), tmp_path)
    run(COUNT.format(4, 2), tmp_path)
    shown = run(SHOW, tmp_path)
    assert 'baliza_events_taken_total{site="lamps"} 7.0' in shown
    assert "baliza_ingest_lag_seconds 2.0" in shown


def test_alone_a_process_shows_its_own() -> None:
    env = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    code = COUNT.format(3, 10) + "; print(metrics.exposition().decode())"
    shown = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    assert 'baliza_events_taken_total{site="lamps"} 3.0' in shown


def test_every_metric_is_ours_by_name_and_says_what_it_counts() -> None:
    found = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    assert len(found) >= 10
    for each in found:
        (family,) = each.describe()
        assert re.fullmatch(r"baliza(_[a-z]+)+", family.name)
        assert len(family.documentation) > 10
