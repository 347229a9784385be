"""`ruuvi-host receive`: serve the reference receiver, a line for each batch on stdout."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.groups import Whole
from ruuvi_host.errors import ConfigError, RuuviHostError

if TYPE_CHECKING:
    import asyncio

    from ruuvi_host.receiver import Settings

LOOK = 1.0
"""Seconds after which a signal is noticed that came just before the loop began to wait: that one
does not wake it."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=Whole(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@click.option(
    "--key",
    "keys",
    metavar="TEXT|@FILE",
    multiple=True,
    help="A key that signs batches; by default a gateway's key is its device id, as "
    "XX:XX:XX:XX:XX:XX:XX:XX. Repeatable. Without a key, signatures cannot be verified.",
)
@click.option(
    "--simulated",
    metavar="SEED",
    type=int,
    multiple=True,
    help="Also accept the key of the simulated gateway with this seed (its default is 1).",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Serve HTTPS: PEM certificate.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key, if in another file.")
@click.option(
    "--gw-cfg",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Also serve the configurations in this folder: AABBCCDDEEFF.json to the gateway of that "
    "address, gw_cfg.json to all others. A line tells who asked.",
)
@click.option(
    "--answer",
    type=Whole(200, 599),
    default=200,
    show_default=True,
    metavar="STATUS",
    help="HTTP status that answers a good batch; from 300 on it simulates an outage.",
)
@click.option("--hang", is_flag=True, help="Simulate an outage: read, and never answer.")
@click.option(
    "--fail-first",
    type=Whole(0),
    default=0,
    metavar="N",
    help="Only the first N good batches meet the outage (503, or the status of --answer).",
)
@click.option(
    "--fail-every",
    type=Whole(0),
    default=0,
    metavar="N",
    help="Only every Nth good batch meets the outage.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="Wait so long before answering a batch. It is accepted even if the client has gone.",
)
@click.option("--rate", metavar="N", help="Send X-Ruuvi-Gateway-Rate with this value.")
@click.option(
    "--new-key",
    metavar="TEXT",
    help="Send Ruuvi-HMAC-KEY, and expect this key from the next post of a gateway on.",
)
@click.option("--decode", is_flag=True, help="Show the readings of each accepted batch.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    keys: tuple[str, ...],
    simulated: tuple[int, ...],
    rate: str | None,
    new_key: str | None,
    decode: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run a small server that accepts and checks batches.

    To try out `ruuvi-host run`, or a gateway: it checks each body and its signature strictly, and
    prints the result, a line for each batch and for each post of a gateway's statistics, on any
    path. The first line is the address to post to.

    With --gw-cfg it leads gateways, too: remote_cfg_url is then the address of the first line.

    --answer, --hang, --delay, --fail-first and --fail-every simulate a failing network.
    """
    import asyncio

    from ruuvi_host.receiver import Settings

    all_keys = [_read_key(key) for key in keys] + [_simulated_key(seed) for seed in simulated]
    everything = Settings(
        keys=tuple(all_keys),
        rate=None if rate is None else _header_value("--rate", rate),
        new_key=None if new_key is None else _header_value("--new-key", new_key).encode(),
        **settings,
    )
    asyncio.run(_serve(everything, decode, as_json))


async def _serve(settings: Settings, decode: bool, as_json: bool) -> None:
    """Run until a signal, or until standard output cannot be written."""
    import asyncio
    import json
    import signal

    from ruuvi_host.receiver import Receiver, configurations
    from ruuvi_host.receiver.lines import json_line, json_totals, text_lines, text_totals
    from ruuvi_host.receiver.receipt import Receipt
    from ruuvi_host.receiver.rejections import Rejections

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    output = _Output(stop)
    loop.set_exception_handler(_Warnings())

    def on_signal(number: int, frame: object) -> None:
        # Not loop.add_signal_handler: this handler runs also while a write to stdout blocks, and
        # a second signal then ends the program.
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        signal.signal(each, on_signal)
    line = json_line if as_json else text_lines
    rejections = Rejections()

    def report(receipt: Receipt) -> None:
        if count := rejections.due(receipt):
            output.write(line(receipt, decode, count))

    of_asked = configurations.json_line if as_json else configurations.text_line

    def asked(one: configurations.Asked) -> None:
        output.write(of_asked(one))

    async with Receiver(settings, report, keep=0, asked=asked) as receiver:
        url = receiver.url
        output.write(json.dumps({"listening": url}) if as_json else f"Listening on {url}")
        if receiver.is_public:
            click.echo(f"Warning: any machine that reaches {url} can post here", err=True)
        if not settings.keys:
            click.echo(
                "Without --key, signatures cannot be verified; they only have to be there.",
                err=True,
            )
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await stop.wait()
    output.write(json_totals(receiver.totals) if as_json else text_totals(receiver.totals))
    # A reader that has ended (`| head`) is no error.
    if output.error is not None and not isinstance(output.error, BrokenPipeError):
        raise RuuviHostError(f"standard output: {output.error.strerror}") from output.error


class _Output:
    """Standard output. When it cannot be written any more, the program ends."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended
        self.error: OSError | None = None
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")

    def write(self, lines: str) -> None:
        try:
            print(lines, flush=True)
        except OSError as error:
            # Else the rest of the buffer would be written, and fail, again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.error = error
            self._ended.set()


class _Warnings:
    """Errors that asyncio reports, such as too many open files: each is shown once."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        line = f"Warning: {context['message']}: {context.get('exception')!r}"
        if line not in self._shown and len(self._shown) < 100:
            self._shown.add(line)
            click.echo(line, err=True)


def _read_key(text: str) -> bytes:
    """The bytes of --key: of the text itself, or of the file named after an @."""
    from ruuvi_host.receiver.examine import KEY_LIMIT

    key = text.encode("utf-8", "surrogateescape")
    if text.startswith("@"):
        try:
            with open(text[1:], "rb") as file:
                key = file.read(KEY_LIMIT + 3).rstrip(b"\r\n")
        except OSError as error:
            raise ConfigError("--key", f"cannot read {text[1:]}: {error.strerror}") from error
    if not 1 <= len(key) <= KEY_LIMIT:
        raise ConfigError("--key", f"must have 1 to {KEY_LIMIT} bytes, and has {len(key)}")
    return key


def _simulated_key(seed: int) -> bytes:
    """The default key of a gateway: its coprocessor's device id as text."""
    from ruuvi_host.simulator.board import Board

    return Board(tags=0, seed=seed).device.id.hex(":").upper().encode()


def _header_value(option: str, text: str) -> str:
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", text):
        raise ConfigError(option, f"{text!r} cannot be the value of an HTTP header")
    return text
