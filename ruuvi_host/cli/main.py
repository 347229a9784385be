"""The command group: a static table of commands, each imported only when it is called.

So `ruuvi-host --help` imports click and nothing else, and `--version` not even that. A command
module exports `command`, and imports other modules inside its function.
"""

from __future__ import annotations

import sys

from ruuvi_host import __version__
from ruuvi_host.cli.output import prepare

TYPE_CHECKING = False  # typing has it too, but importing that is most of what --version takes
if TYPE_CHECKING:
    from typing import NoReturn

    import click

COMMANDS = {
    "run": ("ruuvi_host.cli.run", "Receive from a coprocessor and relay to a server."),
    "listen": ("ruuvi_host.cli.listen", "Show received advertisements, decoded."),
    "config": ("ruuvi_host.cli.config", "Check, show, change and explain the configuration."),
    "status": ("ruuvi_host.cli.status", "Show the state of a running host, with all counters."),
    "spool": ("ruuvi_host.cli.spool", "Undelivered batches: list, show, export, drain, drop."),
    "mqtt": ("ruuvi_host.cli.mqtt", "Have Home Assistant forget sensors, at a broker."),
    "check": ("ruuvi_host.cli.check", "Try one delivery to each target."),
    "doctor": ("ruuvi_host.cli.doctor", "Find out what is wrong, and how to fix it."),
    "bridge": ("ruuvi_host.cli.bridge", "Make a coprocessor of a Bluetooth controller."),
    "simulate": ("ruuvi_host.cli.simulate", "Serve a simulated coprocessor on a pseudo-terminal."),
    "decode": ("ruuvi_host.cli.decode", "Decode advertising data, or a capture of the UART."),
    "capture": ("ruuvi_host.cli.capture", "Record a port into a file, or anonymize such a file."),
    "replay": ("ruuvi_host.cli.replay", "Play a capture on a pseudo-terminal."),
    "hil": ("ruuvi_host.cli.hil", "Test a board, or a simulation of one."),
    "receive": ("ruuvi_host.cli.receive", "Run a small server that accepts and checks batches."),
}


def make_group() -> click.Group:
    """The `ruuvi-host` command with all its sub-commands, none of them imported yet."""
    from importlib import import_module

    import click

    from ruuvi_host.cli.groups import ELSEWHERE, Group

    class LazyGroup(Group):
        elsewhere = ELSEWHERE

        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(COMMANDS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in COMMANDS:
                return None
            command: click.Command = import_module(COMMANDS[cmd_name][0]).command
            return command

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    @click.group(
        cls=LazyGroup,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Try it without hardware: ruuvi-host listen --simulate",
    )
    @click.version_option(__version__, prog_name="ruuvi-host")
    def group() -> None:
        """The host half of a Ruuvi Gateway, for any Linux machine.

        Talks to an nRF52 coprocessor on a serial port, keeps the newest report of every sensor,
        and posts batches to a server as the official gateway does.
        """

    return group


def main() -> None:
    """Entry point. An error ends the process with its exit code."""
    prepare()
    try:
        if sys.argv[1:] == ["--version"]:
            print(f"ruuvi-host, version {__version__}", flush=True)
        else:
            _run()
    except OSError as error:
        if not _is_output(error):
            raise
        _fail(f"the output cannot be written: {error.strerror}", 1, error)
    except ModuleNotFoundError as error:
        from ruuvi_host.cli.lacking import sentence

        if (told := sentence(error.name)) is None:
            raise
        _fail(told, 2, error)


def _run() -> None:
    from ruuvi_host.errors import RuuviHostError

    try:
        make_group()(prog_name="ruuvi-host")
    except RuuviHostError as error:
        _fail(str(error), error.exit_code, error)


def _is_output(error: OSError) -> bool:
    """Can the output not be written, as nobody reads it, or it is full? Of a file there would be a
    name."""
    import errno

    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO)
    return error.errno in numbers and error.filename is None


def _fail(sentence: str, code: int, error: Exception) -> NoReturn:
    import os
    from contextlib import suppress

    if isinstance(error, OSError):
        # What python still holds would fail once more at its end, with another exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):  # whoever read has read enough
        from ruuvi_host.logs import tell_last

        with suppress(OSError):  # there is nowhere left to say it
            tell_last(f"Error: {sentence}")
    raise SystemExit(code) from error
