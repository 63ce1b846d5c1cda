"""The docs are held to the code: every setting, every metric and every command is described, and the example works."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest
from prometheus_client.metrics import MetricWrapperBase

from baliza import metrics
from baliza.cli import COMMANDS, cli
from baliza.commands.serve import SERVICES
from baliza.settings import Settings, load_settings

DOCS = Path(__file__).parent.parent / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()
ALL = "\n".join(file.read_text() for file in sorted(DOCS.rglob("*.md")))
METRICS = [
    (each._name, each._labelnames) if isinstance(each, MetricWrapperBase) else (each.name, each.labels)
    for each in vars(metrics).values()
    if isinstance(each, MetricWrapperBase | metrics.Read)
]


def shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"


def commands() -> list[str]:
    found = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        found += [f"{name} {inner}" for inner in command.commands] if isinstance(command, click.Group) else [name]
    return found


@pytest.mark.parametrize("entry", fields(Settings), ids=lambda entry: entry.name)
def test_every_setting_is_documented_with_its_default_and_meaning(entry: object) -> None:
    name, default, meaning = entry.name, entry.default, entry.metadata["help"]  # type: ignore[attr-defined]
    assert f"| `BALIZA_{name.upper()}` | {shown(default)} | {meaning} |" in CONFIGURATION


def test_no_setting_is_documented_that_is_not_there() -> None:
    documented = {name.lower() for name in re.findall(r"^\| `BALIZA_(\w+)` \| (?:`[^`]*`|empty) \|", CONFIGURATION, re.M)}
    assert documented == {entry.name for entry in fields(Settings)}


def test_the_example_file_is_taken(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.S)
    file = tmp_path / "baliza.toml"
    file.write_text(example)
    assert load_settings({}, file).public_url == "https://events.shop.example"


@pytest.mark.parametrize(("metric", "labels"), METRICS, ids=[name for name, _ in METRICS])
def test_every_metric_is_documented_with_its_labels(metric: str, labels: tuple[str, ...]) -> None:
    (row,) = re.findall(rf"^\| `{metric}(?:_total)?` \|.*$", OPERATIONS, re.M)
    for label in labels:
        assert f"`{label}`" in row


def test_no_metric_is_documented_that_is_not_there() -> None:
    documented = {name.removesuffix("_total") for name in re.findall(r"^\| `(baliza_\w+)` \|", OPERATIONS, re.M)}
    assert documented == {name for name, _ in METRICS}


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"`baliza {command}" in ALL or f"    baliza {command}" in ALL


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_is_documented(service: str) -> None:
    assert f"`{service}`" in OPERATIONS
