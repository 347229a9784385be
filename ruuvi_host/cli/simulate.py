"""`ruuvi-host simulate`: serve a simulated board on a pseudo-terminal until told to stop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.groups import Whole

if TYPE_CHECKING:
    from firmware_protocol.coprocessor import CoprocessorEvent
    from ruuvi_host.simulator.pty import PtyServer

BAUD = 115200
HIGHEST_RATE = 100_000


def _checked_rate(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value <= HIGHEST_RATE:  # "nan" is a number to click
        raise click.BadParameter(f"{value} is not in the range 0<x<={HIGHEST_RATE}")
    return value


def _checked_baud(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
    if value and value < 1200:
        raise click.BadParameter(f"{value} is too slow; 0, or 1200 and more")
    return value


@click.command(
    epilog="\b\nExample, in two terminals:\n"
    "  ruuvi-host simulate --tags 5 --link /tmp/ruuvi\n"
    "  ruuvi-host listen --port /tmp/ruuvi"
)
@click.option(
    "--tags",
    type=Whole(0, 10_000),
    default=10,
    show_default=True,
    help="Number of simulated tags.",
)
@click.option(
    "--tag",
    "kinds",
    metavar="KIND",
    multiple=True,
    default=("5",),
    show_default=True,
    help="What the tags are: the data format that they send (2 3 4 5 6 7 8 c5 e0 e1 f0 fa); air, "
    "which sends 6 and e1 as a real one does; 2in1 or 3in1, with fewer sensors. Repeatable: the "
    "kinds are dealt out in turn.",
)
@click.option(
    "--rate",
    type=float,
    callback=_checked_rate,
    help="Advertisements per second, of all tags together.  [default: as real tags, one in "
    "1.29 s each]",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Determines the tags, their readings and the identity of the board.",
)
@click.option(
    "--firmware",
    type=click.Choice(["2.0.0", "1.0.0"]),
    default="2.0.0",
    show_default=True,
    help="Firmware version to simulate.",
)
@click.option(
    "--link",
    type=click.Path(),
    metavar="PATH",
    help="Symbolic link to make to the pseudo-terminal, so that its name stays the same. Only "
    "another symbolic link is replaced.",
)
@click.option(
    "--baud",
    type=Whole(0, 12_000_000),
    callback=_checked_baud,
    help="Speed of the line; 0: sending takes no time.  [default: 115200, or 0 with --rate when "
    "transmitting is ideal]",
)
@click.option(
    "--transmit",
    type=click.Choice(["ideal", "drop-if-busy", "faithful"]),
    default="ideal",
    show_default=True,
    help="When reports come faster than the line can send them: ideal queues them, so that none is "
    "lost; drop-if-busy loses those that collide; faithful loses as many as the real firmware.",
)
def command(
    tags: int,
    kinds: tuple[str, ...],
    rate: float | None,
    seed: int,
    firmware: str,
    link: str | None,
    baud: int | None,
    transmit: str,
) -> None:
    """Serve a simulated coprocessor on a pseudo-terminal.

    Prints the path of the pseudo-terminal, then on stderr a line each time the board boots or is
    configured. A host opens the path like a serial port. Ctrl-C stops it.
    """
    from ruuvi_host.cli.learnt import somebody_learns_the_path
    from ruuvi_host.formats import FORMATS
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.kinds import KEY
    from ruuvi_host.simulator.pty import PtyServer

    somebody_learns_the_path(link)
    if baud is None:
        baud = 0 if rate and transmit == "ideal" else BAUD
    board = Board(
        tags=tags,
        kinds=kinds,
        rate=rate,
        seed=seed,
        firmware=firmware,
        transmit=transmit,
        baud=baud,
    )
    if any(FORMATS[number].cipher for tag in board.tags for number in tag.kind.formats):
        click.echo(f"encrypted tags: listen with --key {KEY.hex().upper()}", err=True)
    server = PtyServer(board, link=link, on_event=_print_event)
    _serve(server)
    counters = board.counters
    click.echo(
        f"stopped: {counters.reports_sent} reports sent, {counters.reports_lost} lost because "
        f"the line was busy, {server.bytes_lost} bytes not read by a host",
        err=True,
    )


def _serve(server: PtyServer) -> None:
    """Open the pty, print its path, and serve until SIGINT or SIGTERM."""
    import os
    import sys

    from ruuvi_host.errors import RuuviHostError
    from ruuvi_host.lifetime import run_until_stopped

    async def serve() -> None:
        with server:
            try:
                click.echo(server.path)
            except OSError as error:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the exit
                raise RuuviHostError(f"the path cannot be printed: {error.strerror}") from error
            await server.run()

    run_until_stopped(serve())


def _print_event(event: CoprocessorEvent) -> None:
    from firmware_protocol.coprocessor import Booted, Cause
    from ruuvi_host.simulator.told import told_settings

    if isinstance(event, Booted):
        what = {
            Cause.POWER_ON: "booted",
            Cause.WATCHDOG: "reset by its watchdog: no report for too long",
            Cause.CRASH: "crashed and booted: it received more than its buffers hold",
        }[event.cause]
        line = f"{what}; waits for SET_ALL"
    else:
        line = f"configured: {told_settings(event.settings)}"
        if event.refused:
            line += "; answered with an error"
    with suppress(OSError):  # the board goes on without a reader
        click.echo(f"{event.at:10.3f} s  {line}", err=True)
