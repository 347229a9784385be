"""Groups of commands that tell what a mistyped one may mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

ELSEWHERE = {
    "help": "--help",
    "version": "--version",
    "start": "run",
    "scan": "listen",
    "log": "journalctl -u ruuvi-host",
    "logs": "journalctl -u ruuvi-host",
    "init": "config init",
    "setup": "config init",
    "set": "config set",
    "show": "config show",
    "import": "config import",
    "password": "config password",
    "list": "spool list",
    "drain": "spool drain",
    "anonymize": "capture --anonymize",
    "record": "capture",
    "test": "check",
}
"""What is no command at the top, and what it may be meant for."""


class Group(click.Group):
    """As click's, with suggestions whatever its version."""

    elsewhere: ClassVar[Mapping[str, str]] = {}

    def meant_by(self, name: str) -> str | None:
        """What a name that is no command is surely meant for; None: nothing is known."""
        return self.elsewhere.get(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            name = args[0]
            names = self.list_commands(ctx)
            near = self.meant_by(name) or next(iter(get_close_matches(name, names, 1)), None)
            if near is None:
                raise
            told = f"No such command {name!r}. Did you mean {near!r}?"
            raise click.UsageError(told, ctx) from error
