"""`ruuvi-host replay`: play a capture on a pseudo-terminal, to a real host."""

from __future__ import annotations

from contextlib import suppress
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.groups import Whole

if TYPE_CHECKING:
    from ruuvi_host.capture.player import Player, PlayerEvent
    from ruuvi_host.capture.script import Survey
    from ruuvi_host.simulator.pty import PtyLine

LAST_READ = 5.0
"""Seconds that the host has for reading the last bytes."""
LAST_ANSWER = 0.3
"""Seconds that the pty stays open after that, so that the host can answer."""
LOOK = 0.05


def _speed(ctx: click.Context, param: click.Parameter, value: str) -> float:
    if value == "max":
        return inf
    with suppress(ValueError):
        speed = float(value)
        if isfinite(speed) and speed >= 0.001:
            return speed
    raise click.BadParameter(f"{value!r} is neither a number from 0.001 on, nor max")


@click.command(
    epilog="""\b
Example, in two terminals:
  ruuvi-host replay air.pcapng --link /tmp/ruuvi
  ruuvi-host listen --port /tmp/ruuvi"""
)
@click.argument("path", metavar="FILE")
@click.option(
    "--speed",
    callback=_speed,
    default="1",
    show_default=True,
    metavar="N|max",
    help="1: as recorded; 100: a hundred times faster; max: as fast as the host reads.",
)
@click.option(
    "--coprocessor",
    "number",
    type=Whole(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Which one to play, if the capture is of a host with several.",
)
@click.option(
    "--link",
    type=click.Path(),
    metavar="PATH",
    help="Symbolic link to make to the pseudo-terminal, so that its name stays the same. Only "
    "another symbolic link is replaced.",
)
def command(path: str, speed: float, number: int, link: str | None) -> None:
    """Play on a pseudo-terminal what the coprocessor sent in a capture.

    Prints the path of the pseudo-terminal, and starts when a host opens it. Then prints on stderr a
    line for each frame that the host sends. Until the host has configured it, replay waits for the
    commands of the recorded host. A command that the capture does not answer is answered by replay,
    which prints that. Ends when everything is played and read.
    """
    from ruuvi_host.capture.player import Player
    from ruuvi_host.capture.script import STAND_IN, survey
    from ruuvi_host.capture.source import open_source
    from ruuvi_host.cli.learnt import somebody_learns_the_path
    from ruuvi_host.errors import ConfigError

    somebody_learns_the_path(link)
    if path == "-" or Path(path).is_fifo():
        raise ConfigError("FILE", "a capture is read twice, and so cannot come from a pipe")
    source = open_source(path)
    known = survey(source, number - 1)
    for remark in source.remarks:
        click.echo(f"{path}: {remark}", err=True)
    if not known.frames:
        which = f"coprocessor {number}" if number > 1 else "a coprocessor"
        raise ConfigError(path, f"holds no frame of {which}: there is nothing to play")
    click.echo(_described(path, known, source.is_capture), err=True)
    if len(known.interfaces) > 1:
        click.echo(
            f"coprocessor {number} of {max(known.interfaces) + 1}; --coprocessor plays another one",
            err=True,
        )
    if not known.configured:
        click.echo(
            "the recording starts after the handshake: replay makes the coprocessor's answers to it"
            + (", and its identity" if known.device == STAND_IN else ""),
            err=True,
        )
    player = Player(open_source(path), known, speed, number - 1)
    _play(player, link)


def _described(path: str, known: Survey, is_capture: bool) -> str:
    frames = ", ".join(f"{count} {command.name}" for command, count in known.frames.items())
    times = f"{known.seconds:.1f} s" if is_capture else "a recording without times"
    return f"{path}: {times}, {known.size} bytes from the coprocessor: {frames}"


def _play(player: Player, link: str | None) -> None:
    import asyncio
    import os
    import sys

    from ruuvi_host.capture.player import Finished
    from ruuvi_host.errors import RuuviHostError
    from ruuvi_host.lifetime import run_until_stopped, together
    from ruuvi_host.simulator.pty import PtyLine

    def on_event(event: PlayerEvent) -> None:
        if isinstance(event, Finished):
            finished.set()
        else:
            _print_event(event)

    async def end(server: PtyLine[PlayerEvent]) -> None:
        await finished.wait()
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_READ
        while server.unread() and loop.time() < until:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(LOOK)
        await asyncio.sleep(LAST_ANSWER)
        raise _Done

    async def serve() -> None:
        with server:
            try:
                click.echo(server.path)
            except OSError as error:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the exit
                raise RuuviHostError(f"the path cannot be printed: {error.strerror}") from error
            await together(server=server.run(), end=end(server))

    finished = asyncio.Event()
    server = PtyLine(player, link=link, on_event=on_event, waits_for_host=True)
    with suppress(_Done):
        run_until_stopped(serve())
    played = player.played
    click.echo(
        f"played {played.size} of {player.known.size} bytes; the host sent "
        f"{played.host_bytes} bytes, {played.host_frames} frames; {played.answered} answered by "
        f"replay; {played.missed} recorded ones not sent; {server.bytes_lost} bytes not read by it",
        err=True,
    )


class _Done(Exception):  # noqa: N818 - it ends what runs, and is no error
    """All was played."""


def _print_event(event: PlayerEvent) -> None:
    from ruuvi_host.capture.player import Answered, HostNoise, HostSent, Missed
    from ruuvi_host.cli.frames import text_of

    match event:
        case HostSent(message):
            line = f"host: {message.command.name} {text_of(message)}".rstrip()
        case HostNoise(size):
            line = f"host: {size} bytes that are no frame"
        case Answered(command):
            line = f"answered {command.name}: there is no answer in the capture"
        case Missed(command):
            line = f"the host has not sent {command.name}, as the recorded one did; going on"
        case _:
            return
    with suppress(OSError):  # the replay goes on without a reader
        click.echo(line, err=True)
