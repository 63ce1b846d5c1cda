"""docker-compose.yml says what the product really has: its commands, its settings, its ports."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from baliza.cli import cli
from baliza.embedded.valkey import EmbeddedValkey
from baliza.public import PERSONALIZER_PATHS
from baliza.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STORES = {"redis", "clickhouse"}
OURS = sorted(SERVICES.keys() - STORES)
LOOPS = {"ingest", "retargeting", "trainer"}
SECRETS = {"REDIS_PASSWORD": "abc", "CLICKHOUSE_PASSWORD": "def", "PUBLIC_URL": "https://b.example"}


def settings_of(service: dict[str, Any]) -> Settings:
    """The settings that a container would have."""
    filled = {
        name: re.sub(r"\$\{(\w+):\?[^}]*}", lambda found: SECRETS[found[1]], value)
        for name, value in service["environment"].items()
    }
    return load_settings(filled, Path("/nonexistent"))


def test_has_every_service() -> None:
    assert OURS == ["collector", "console", "ingest", "migrate", "personalizer", "retargeting", "trainer"]
    assert SERVICES.keys() >= STORES


@pytest.mark.parametrize("name", OURS)
def test_command_exists(name: str) -> None:
    program, *words = SERVICES[name]["command"]
    assert program == "baliza"
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("name", OURS)
def test_environment_is_of_real_settings(name: str) -> None:
    given = {key for key in SERVICES[name]["environment"] if key.startswith("BALIZA_")}
    known = {f"BALIZA_{field.upper()}" for field in Settings.__dataclass_fields__}
    assert given <= known
    assert SERVICES[name]["environment"].keys() - given == {"PROMETHEUS_MULTIPROC_DIR"}
    settings = settings_of(SERVICES[name])
    assert (settings.redis_url, settings.clickhouse_url) == (
        "redis://:abc@redis:6379/0",
        "clickhouse://baliza:def@clickhouse:9000/baliza",
    )


def test_image_sets_real_settings() -> None:
    found = re.findall(r"BALIZA_(\w+)=", (ROOT / "Dockerfile").read_text())
    assert found == ["DATA_DIR"]
    assert "data_dir" in Settings.__dataclass_fields__


@pytest.mark.parametrize("name", sorted({*OURS} - {"migrate"}))
def test_health_is_asked_where_the_service_listens(name: str) -> None:
    settings = settings_of(SERVICES[name])
    port = settings.health_port if name in LOOPS else settings.private_port if name == "console" else settings.public_port
    host = settings.health_host if name in LOOPS else settings.private_host if name == "console" else settings.public_host
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "baliza", "health", f"http://127.0.0.1:{port}/health"]
    assert host == "0.0.0.0"
    targets = [each.rpartition(":")[2] for each in SERVICES[name].get("ports", [])]
    assert targets == ([] if name in LOOPS else [str(port)])


def test_published_ports_are_of_this_box_only_and_differ() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published) == 3


@pytest.mark.parametrize("name", OURS)
def test_containers_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text()


def test_nothing_starts_before_the_migration() -> None:
    for name in set(OURS) - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"].keys() == STORES
    for service in SERVICES.values():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()


def test_images_are_pinned_and_ours_is_one() -> None:
    for name in STORES:
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+\.\d+(\.\d+)?(-\w+)?", SERVICES[name]["image"])
    assert len({SERVICES[name]["image"] for name in OURS}) == 1


def test_volumes_are_declared_and_used() -> None:
    used = {each.split(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])
    kept = {each.split(":")[1] for name in OURS for each in SERVICES[name].get("volumes", [])}
    made = (ROOT / "Dockerfile").read_text()
    assert all(f"{folder}\n" in made or f"{folder} " in made for folder in kept)


def test_models_lie_where_they_are_looked_for() -> None:
    data_dir = Path("/var/lib/baliza")
    assert f"BALIZA_DATA_DIR={data_dir}" in (ROOT / "Dockerfile").read_text()
    assert SERVICES["trainer"]["volumes"] == [f"models:{Settings(data_dir=data_dir).model_dir}"]
    assert SERVICES["personalizer"]["volumes"] == [f"models:{Settings(data_dir=data_dir).model_dir}:ro"]


def test_no_secret_stands_in_the_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"PASSWORD: *\"?(?!\$\{)\w", text)
    example = (ROOT / "docker/secrets.env.example").read_text()
    assert set(re.findall(r"^(\w+)=", example, re.M)) == SECRETS.keys()
    assert not re.search(r"^\w*PASSWORD=.", example, re.M)


def redis_config() -> dict[str, str]:
    shell = SERVICES["redis"]["command"][2]
    lines = shell.split("<<END\n")[1].split("END")[0].splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_live_store_loses_nothing_it_accepted() -> None:
    config = redis_config()
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"


@pytest.mark.redis
def test_live_store_takes_this_configuration(tmp_path: Path) -> None:
    given = {name: value for name, value in redis_config().items() if name not in ("dir", "requirepass")}
    server = EmbeddedValkey(tmp_path, options={**given, "maxmemory": "1gb"})
    server.start()
    server.stop()


def test_docs_route_by_path_as_the_one_box_does() -> None:
    text = (ROOT / "docs/deployment.md").read_text()
    for path in PERSONALIZER_PATHS:
        assert f"`{path}" in text
    for name in SERVICES:
        assert f"`{name}`" in text
