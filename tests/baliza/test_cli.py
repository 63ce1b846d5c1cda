"""The command line as people meet it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from clickhouse_driver.errors import ServerException
from redis.exceptions import ResponseError

from baliza import cli as entry
from baliza.cli import COMMANDS, cli, main
from baliza.errors import StoreDown

HEAVY = (
    "numpy",
    "scipy",
    "sklearn",
    "clickhouse_driver",
    "redis",
    "flask",
    "httpx",
    "gunicorn",
    "rich",
    "prometheus_client",
)


def commands() -> Iterator[str]:
    """The words of every command that does something."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from (f"{name} {inner}" for inner in command.commands)
        else:
            yield name


def run(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "baliza.cli", *words], capture_output=True, text=True, timeout=30, cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(root)} | env,
    )  # fmt: skip


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys\nfrom baliza.cli import main\ntry:\n    main(['--help'])\nfinally:\n"
        f"    print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert "loaded []" in shown
    for name in COMMANDS:
        assert f"\n  {name} " in shown


def test_help_comes_at_once() -> None:
    """Processor time of the command, for what else the machine does is not its fault."""
    took = []
    for _ in range(3):
        before = os.times()
        assert run("--help").returncode == 0
        after = os.times()
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert 0 < min(took) < 0.4


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_line_in_the_list_is_the_commands_own(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").startswith(COMMANDS[name].help)


@pytest.mark.parametrize("name", list(commands()))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*name.split(), "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"baliza {name}" in shown


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (StoreDown("the live store does not answer: gone"), "baliza: the live store does not answer: gone\n"),
        (ResponseError("WRONGTYPE no"), "baliza: a store answered with an error: WRONGTYPE no\n"),
        (
            ServerException("DB::Exception: Unknown table x. Stack trace:\n\n0. one", 60),
            "baliza: a store answered with an error: Code: 60. DB::Exception: Unknown table x.\n",
        ),
    ],
)
def test_errors_are_one_sentence_and_exit_2(
    raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_options: object) -> None:
        raise raised

    monkeypatch.setattr(entry.cli, "main", fail)
    with pytest.raises(SystemExit) as caught:
        main(["settings"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == said


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(entry.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        main(["settings"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["site", "list"], "baliza: redis_url is not set and nothing runs in "),
        (["report", "sessions", "--site", "demo"], "baliza: redis_url is not set and nothing runs in "),
        (["serve", "nothing"], "'nothing' is not one of"),
        (["bake"], "No such command 'bake'"),
    ],
)
def test_what_cannot_be_done_exits_2_without_a_traceback(tmp_path: Path, words: list[str], said: str) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_setting_is_told_before_anything_starts(tmp_path: Path) -> None:
    done = run("up", cwd=tmp_path, BALIZA_PUBLIC_PORT="eighty")
    assert (done.returncode, done.stderr) == (2, "baliza: BALIZA_PUBLIC_PORT: expected a whole number, got 'eighty'\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_exits_130() -> None:
    code = (
        "import click, time\nfrom baliza import cli\n"
        "def work():\n    print('on', flush=True)\n    time.sleep(60)\n"
        "cli.LateCommands.get_command = lambda *_: click.Command('x', callback=work)\n"
        "cli.main(['up'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=50)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    words = f"{sys.executable} -m baliza.cli settings | head -1"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, timeout=30, check=True, cwd=tmp_path)
    assert done.stdout.startswith("BALIZA_DATA_DIR=")
    assert done.stderr == ""


def test_only_baliza_itself_is_heard() -> None:
    code = (
        "import logging\nfrom baliza.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "logging.getLogger('httpx').info('a request')\nlogging.getLogger('baliza.x').info('heard')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == "heard\n"
