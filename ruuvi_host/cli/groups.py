"""Commands that tell what a mistyped one may mean, and what is meant by a stray word."""

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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            told = error.format_message().rstrip(".")
            if "Did you mean" in told:
                raise
            why = "options of a command stand behind its name"
            raise click.UsageError(f"{told}: {why}", ctx) from error

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


SHORT = {
    "-p": "--port",
    "-u": "--url",
    "-c": "--config",
    "-i": "--interval",
    "-s": "--simulate",
    "-j": "--json",
    "-v": "--debug",
    "--verbose": "--debug",
    "--device": "--port",
    "--serial": "--port",
    "--server": "--url",
    "--period": "--interval",
    "--simulated": "--simulate",
    "--conf": "--config",
}
"""What is no option, and what it may be meant for."""


class Command(click.Command):
    """Says which option a stray word belongs behind."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            ours = {name for option in self.params for name in option.opts}
            told = error.format_message()
            meant = next((hint for word in given if (hint := _meant(word, told, ours))), None)
            if meant is None or "Did you mean" in told:
                raise
            raise click.UsageError(f"{told.rstrip('.')}. Did you mean {meant!r}?", ctx) from error


def _meant(word: str, told: str, ours: set[str]) -> str | None:
    """told: the error, which names the word that is wrong."""
    if word not in told:
        return None
    option = SHORT.get(word)
    if option:
        return option if option in ours else None
    if word.startswith(("http://", "https://")):
        option = "--url"
    elif word.startswith(("/dev/", "usb:", "socket://", "rfc2217://", "tty")):
        option = "--port"
    elif word.endswith((".toml", ".json")):
        option = "--config"
    return f"{option} {word}" if option in ours else None


class Whole(click.IntRange):
    """A range of whole numbers, called so when something else is given."""

    name = "whole number"
