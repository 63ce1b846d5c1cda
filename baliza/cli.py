"""The command line. Commands are imported when they are called: `baliza --help` answers at once, on any box."""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

import click

from baliza import __version__
from baliza.errors import BalizaError

__all__ = ["COMMANDS", "cli", "main"]

STOPPED_BY_USER: Final = 130
DRIVERS: Final = ("redis", "clickhouse_driver")


class Late(NamedTuple):
    """Where a command is defined, and its line in the list of commands: the beginning of its own help."""

    where: str
    help: str


COMMANDS: Final = {
    "up": Late("baliza.commands.run:up", "Run everything on this box"),
    "demo": Late("baliza.commands.run:demo", "The same as `up`, with a demo shop and simulated shoppers"),
    "reload": Late("baliza.commands.run:reload", "Let a running `baliza up` run the code that is installed now"),
    "serve": Late("baliza.commands.serve:serve", "Run one service"),
    "health": Late("baliza.commands.serve:health", "Exit 0 when URL answers 200, else 1"),
    "migrate": Late("baliza.commands.stores:migrate", "Bring ClickHouse's tables and the live store's functions up to date"),
    "settings": Late("baliza.commands.stores:settings", "List every setting with its value, its variable and what it means"),
    "site": Late("baliza.commands.registry:site", "Sites"),
    "user": Late("baliza.commands.registry:user", "Users of the console"),
    "token": Late("baliza.commands.registry:token", "Bearer tokens for the report API"),
    "catalogue": Late("personalizer.catalogue.cli:catalogue", "What the shop sells"),
    "train": Late("personalizer.learning.cli:train", "Learn a model from the history and let it serve at once"),
    "model": Late("personalizer.models.cli:model", "Models"),
    "evaluate": Late("personalizer.evaluation.cli:evaluate", "How good the offers are"),
    "readiness": Late("personalizer.readiness.cli:readiness", "Who tells how ready visitors are to buy"),
    "responses": Late("personalizer.feedback.cli:responses", "How visitors answered offers"),
    "replay": Late("tracker.cli:replay", "Send a log of real shoppers through the public door, as if they came again"),
    "quarantine": Late("tracker.quarantine_cli:quarantine", "Events that were refused or cannot be stored, with the reason"),
    "receipts": Late("tracker.receipts_cli:receipts", "What became of every event that came in, by site and hour"),
    "report": Late("console.cli:report", "Reports"),
}  # fmt: skip


class LateCommands(click.Group):
    """A group whose commands are loaded when they are needed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without loading any of them, which takes seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, late.help) for name, late in COMMANDS.items()])


@click.group(cls=LateCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="baliza")
def cli() -> None:
    """baliza: web tracking and personalization for shops.

    \b
    Start everything on this box:   baliza up
    See it with a demo shop:        baliza demo
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point. What is raised on purpose, and what a store's driver raises, is told in a sentence.

    Exits 0 when all went well, 1 or 2 when not, 130 after Ctrl-C.
    """
    # Only what baliza itself says: an HTTP client would tell every request.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("baliza").setLevel(logging.INFO)
    try:
        sys.exit(cli.main(args=arguments, prog_name="baliza", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(STOPPED_BY_USER)
    except BrokenPipeError:
        # Who reads our output (head, less) has seen enough; Python would complain once more at its end.
        sys.stdout = None
        sys.exit(1)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        click.echo(f"baliza: {sentence}", err=True)
        sys.exit(2)


def _sentence(error: Exception) -> str | None:
    """What to tell a person. None for a bug of ours: that needs its traceback."""
    if isinstance(error, BalizaError):
        return str(error)
    if type(error).__module__.partition(".")[0] in DRIVERS:
        first_line = import_module("baliza.stores").first_line
        return f"a store answered with an error: {first_line(error)}"
    return None


if __name__ == "__main__":
    main()
