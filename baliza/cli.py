"""The command line. Services are imported late, inside their command: the ground does not stand on them."""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from baliza import __version__
from baliza.errors import BalizaError

__all__ = ["cli", "main"]

# Command → where it is defined. Imported when it is called (or when its help is asked for).
COMMANDS: Final = {
    "up": "baliza.commands.run:up",
    "demo": "baliza.commands.run:demo",
    "serve": "baliza.commands.run:serve",
    "health": "baliza.commands.run:health",
    "migrate": "baliza.commands.stores:migrate",
    "settings": "baliza.commands.stores:settings",
    "site": "baliza.commands.registry:site",
    "user": "baliza.commands.registry:user",
    "token": "baliza.commands.registry:token",
    "train": "personalizer.cli:train",
    "replay": "tracker.cli:replay",
    "quarantine": "tracker.cli:quarantine",
    "report": "console.cli:report",
}


class LateCommands(click.Group):
    """A group whose commands are loaded when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=LateCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="baliza")
def cli() -> None:
    """baliza: web tracking and personalization for shops.

    \b
    Start everything on this box:   baliza up
    See it with a demo shop:        baliza demo
    """


def main(arguments: Sequence[str] | None = None) -> Any:
    """The entry point: what baliza raises on purpose is told in a sentence, without a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return cli.main(args=arguments, prog_name="baliza")
    except BalizaError as error:
        click.echo(f"baliza: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
