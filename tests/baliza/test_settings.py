"""Settings: what is taken, from where, and what a wrong value is told."""

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from baliza.errors import BadSetting
from baliza.settings import Settings, load_settings

NOWHERE = Path("/nonexistent/baliza.toml")
KINDS = get_type_hints(Settings)
# A value of each setting that is not its default.
OTHER: dict[str, Any] = {
    "data_dir": Path("/srv/baliza"),
    "redis_url": "redis://:pw@store:6379/1",
    "clickhouse_url": "clickhouse://u:p@store:9000/baliza",
    "public_host": "0.0.0.0",
    "private_host": "10.0.0.7",
    "health_host": "localhost",
    "public_url": "https://events.shop.example",
    "secure_cookies": False,
    "ingest_workers": 3,
}
NUMBERS = [entry for entry in fields(Settings) if KINDS[entry.name] in (int, float)]


def other(name: str) -> Any:
    default = Settings.__dataclass_fields__[name].default
    return OTHER.get(name, default + 1 if KINDS[name] in (int, float) else None)


def toml(folder: Path, text: str) -> Path:
    file = folder / "baliza.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", list(KINDS))
def test_every_variable_is_read(name: str) -> None:
    env = {f"BALIZA_{name.upper()}": str(other(name))}
    if name == "ingest_worker":
        env["BALIZA_INGEST_WORKERS"] = "3"
    loaded = getattr(load_settings(env, NOWHERE), name)
    assert loaded == other(name)
    assert type(loaded) is type(other(name))
    assert loaded != getattr(Settings(), name)


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings({"PATH": "/bin", "BALIZA_UNKNOWN": "x"}, NOWHERE) == Settings()


@pytest.mark.parametrize("entry", fields(Settings), ids=lambda entry: entry.name)
def test_every_setting_says_what_it_is(entry: Any) -> None:
    assert len(entry.metadata["help"]) > 10
    if KINDS[entry.name] in (int, float):
        assert entry.metadata["least"] is not None


@pytest.mark.parametrize("entry", NUMBERS, ids=lambda entry: entry.name)
def test_numbers_have_bounds_that_are_told(entry: Any) -> None:
    variable = f"BALIZA_{entry.name.upper()}"
    least = entry.metadata["least"]
    below = min(-1, least - 1)
    with pytest.raises(BadSetting, match=rf"^{variable}: expected a value ≥ {least}.*, got {below}(\.0)?$"):
        load_settings({variable: str(below)}, NOWHERE)
    if entry.metadata["most"] is not None:
        most = entry.metadata["most"]
        with pytest.raises(BadSetting, match=f"^{variable}: expected .* ≤ {most}, got {most + 1}$"):
            load_settings({variable: str(most + 1)}, NOWHERE)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("public_port", "eighty", "a whole number, got 'eighty'"),
        ("public_port", "80.5", "a whole number, got '80.5'"),
        ("public_port", "", "a whole number, got ''"),
        ("redis_timeout_s", "soon", "a number, got 'soon'"),
        ("redis_timeout_s", "nan", "a number, got 'nan'"),
        ("redis_timeout_s", "inf", "a number, got 'inf'"),
        ("secure_cookies", "maybe", "true or false, got 'maybe'"),
        ("data_dir", "", "a path, got ''"),
        ("public_host", "", "a host name or an address"),
        ("public_host", "http://shop", "a host name or an address"),
        ("public_host", "two words", "a host name or an address"),
        ("redis_url", "localhost:6379", r"a URL such as redis://"),
        ("clickhouse_url", "http://localhost:8123", "a URL such as clickhouse://"),
        ("public_url", "shop.example", "a URL such as https://"),
        ("public_url", "https://shop.example/?a=1", "a URL such as https://"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_was_expected(name: str, value: str, expected: str) -> None:
    variable = f"BALIZA_{name.upper()}"
    with pytest.raises(BadSetting, match=f"^{variable}: expected {expected}"):
        load_settings({variable: value}, NOWHERE)


def test_a_wrong_url_is_not_repeated_with_its_password() -> None:
    with pytest.raises(BadSetting) as caught:
        load_settings({"BALIZA_REDIS_URL": "http://:hunter2@host"}, NOWHERE)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("1", True), ("TRUE", True), (" yes ", True), ("on", True), ("0", False), ("no", False), ("off", False)],
)
def test_words_for_true_and_false(word: str, meant: bool) -> None:
    assert load_settings({"BALIZA_SECURE_COOKIES": word}, NOWHERE).secure_cookies is meant


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = toml(tmp_path, 'public_port = 9000\nprivate_port = 9001\nredis_timeout_s = 2\npublic_host = "0.0.0.0"\n')
    loaded = load_settings({"BALIZA_PRIVATE_PORT": "9100"}, file)
    assert (loaded.public_port, loaded.private_port, loaded.redis_timeout_s) == (9000, 9100, 2.0)
    assert load_settings({"BALIZA_CONFIG": str(file)}).public_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("public_prot = 1", "there is no setting 'public_prot'"),
        ("public_port = [1]", r"public_port in .*baliza.toml: expected a whole number, got \[1\]"),
        ("public_port = 80.0", "expected a whole number, got 80.0"),
        ("public_port = true", "expected a whole number, got True"),
        ("redis_timeout_s = nan", "expected a number, got nan"),
        ("public_host = 7", "expected text, got 7"),
        ("data_dir = 7", "expected a path, got 7"),
        ("public_port = 70000", "public_port in .*baliza.toml: expected a value ≥ 1 and ≤ 65535, got 70000"),
        ("public_port", "not TOML"),
    ],
)
def test_a_wrong_file_names_itself_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said) as caught:
        load_settings({}, toml(tmp_path, text))
    assert "baliza.toml" in str(caught.value)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="BALIZA_CONFIG: expected a file"):
        load_settings({"BALIZA_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"INGEST_WORKER": "1"}, r"BALIZA_INGEST_WORKER: expected less than BALIZA_INGEST_WORKERS \(1\)"),
        ({"INGEST_WORKERS": "9", "PARTITIONS": "8"}, "BALIZA_INGEST_WORKERS: expected at most one for each of the 8"),
        ({"SESSION_MAX_S": "60"}, r"BALIZA_SESSION_MAX_S: expected at least BALIZA_SESSION_IDLE_S \(1800\), got 60"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        load_settings({f"BALIZA_{name}": value for name, value in given.items()}, NOWHERE)


def test_urls_are_those_that_can_be_reached() -> None:
    assert Settings(public_host="0.0.0.0", public_port=9).local_url == "http://127.0.0.1:9"
    assert Settings(private_host="::", private_port=9).console_url == "http://[::1]:9"
    assert Settings(public_url="https://events.shop.example/").base_url == "https://events.shop.example"
    assert Settings(public_port=9).base_url == "http://127.0.0.1:9"
