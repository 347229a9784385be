"""`ruuvi-host bridge`: make a coprocessor of a Bluetooth controller, on a pseudo-terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ruuvi_host.bridge.settings import BridgeSettings
    from ruuvi_host.config.coprocessor import ResetCommand


@click.command(
    epilog="""\b
Examples:
  ruuvi-host bridge --hci hci0 --check           what can this adapter hear?
  ruuvi-host bridge --hci hci0 --link /tmp/ruuvi
  ruuvi-host listen --port /tmp/ruuvi            in another terminal
  ruuvi-host bridge --hci /dev/serial/by-id/usb-ZEPHYR_…
  ruuvi-host run --hci hci0 --url https://my.server/record   both in one

An adapter of this machine (hci0) takes CAP_NET_ADMIN: run it as root, or by the systemd unit
ruuvi-host-bridge@, which gives it that and nothing else. It must be switched off for everybody
else: `bluetoothctl power off`. A Raspberry Pi's own radio cannot hear Ruuvi Air's format E1; it
hears formats 3, 5 and 6."""
)
@click.option(
    "--hci",
    "transport",
    metavar="TRANSPORT",
    required=True,
    help="The controller: hci0, or hci:AA:BB:CC:DD:EE:FF by its address; a serial port with HCI on "
    "it, such as /dev/serial/by-id/… or usb:VID:PID[:SERIAL], with @BAUD behind it unless it is "
    "1000000; or socket://host:port.",
)
@click.option(
    "--link",
    type=click.Path(),
    metavar="PATH",
    help="Symbolic link to make to the pseudo-terminal. It stays when the controller was lost, so "
    "give this for a host that runs for long. Only another symbolic link is replaced.",
)
@click.option(
    "--group",
    metavar="GROUP",
    help="Group that may open the pseudo-terminal, too, for a host that runs as another user.",
)
@click.option(
    "--scan",
    type=click.Choice(["auto", "legacy", "extended"]),
    default="auto",
    show_default=True,
    help="Which commands to scan with. auto: extended if the controller has it, and the other kind "
    "if that does not work.",
)
@click.option(
    "--take",
    is_flag=True,
    help="Take an adapter that is switched on. Cuts off keyboards and headsets that use it.",
)
@click.option(
    "--address",
    metavar="MAC",
    help="Address of the gateway, in place of the controller's: AA:BB:CC:DD:EE:FF.",
)
@click.option(
    "--device-id",
    metavar="HEX",
    help="Identifier of the gateway, 16 hex digits; the key of its signature unless another is "
    "set. [default: made of this machine's id and the address]",
)
@click.option(
    "--reset-command",
    metavar="COMMAND",
    help="Program with its arguments that switches the controller's power off and on, for when "
    "nothing else helps. Run without a shell.",
)
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop at the end of stdin.")
@click.option(
    "--check",
    is_flag=True,
    help="Open it, ask what it can do, listen for some seconds, and tell what would disappoint.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1, 600),
    default=10,
    show_default=True,
    help="How long --check listens.",
)
def command(
    transport: str,
    link: str | None,
    group: str | None,
    scan: str,
    take: bool,
    address: str | None,
    device_id: str | None,
    reset_command: str | None,
    until_eof: bool,
    check: bool,
    seconds: int,
) -> None:
    """Make a coprocessor of a Bluetooth controller, on a pseudo-terminal.

    Prints the path of the pseudo-terminal, which any host opens as it would open the port of a
    coprocessor. It is there as long as the controller answers. Ctrl-C stops it.
    """
    from ruuvi_host.bridge.names import read_address, read_name
    from ruuvi_host.bridge.settings import BridgeSettings
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.hci.plan import ScanChoice

    settings = BridgeSettings(
        read_name(transport),
        link=link,
        group=_group(group),
        scan=ScanChoice(scan),
        take=take,
        address=None if address is None else read_address("--address", address),
        device_id=None if device_id is None else _identifier(device_id),
        reset_command=None if reset_command is None else _reset_command(reset_command),
    )
    if settings.address in (bytes(6), b"\xff" * 6):
        raise ConfigError("--address", "is nobody's; each gateway needs one of its own")
    if check:
        _check(settings, seconds)
    else:
        _serve(settings, until_eof=until_eof)


def _serve(settings: BridgeSettings, *, until_eof: bool) -> None:
    """Until SIGINT or SIGTERM."""
    _do_without_openssl()
    from ruuvi_host import logs
    from ruuvi_host.cli.learnt import somebody_learns_the_path
    from ruuvi_host.jobs.bridge import serve
    from ruuvi_host.lifetime import run_until_stopped

    somebody_learns_the_path(settings.link)
    logs.configure()
    run_until_stopped(serve(settings, click.echo, until_eof=until_eof))


def _do_without_openssl() -> None:
    """As a Python that was built without it. asyncio and hashlib only use it when it is there, and
    it is a sixth of the memory of a process that encrypts nothing. To be called before they come.
    """
    import sys
    from importlib.util import find_spec

    if find_spec("_sha2") or find_spec("_sha256"):  # Python's own, which a few builds leave out
        for name in ("ssl", "_hashlib"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def _check(settings: BridgeSettings, seconds: int) -> None:
    from ruuvi_host.bridge.check import look
    from ruuvi_host.errors import DeviceError
    from ruuvi_host.lifetime import run_once

    looked = run_once(look(settings, seconds=seconds))
    if looked.problem:
        raise DeviceError(looked.problem)
    for line in [*looked.lines, *looked.happened, looked.heard]:
        click.echo(line)
    if not looked.reports:
        raise SystemExit(1)


def _group(text: str | None) -> int | None:
    import grp

    from ruuvi_host.errors import ConfigError

    if text is None:
        return None
    try:
        return int(text) if text.isdecimal() else grp.getgrnam(text).gr_gid
    except KeyError as error:
        raise ConfigError("--group", f"there is no group {text!r}") from error


def _identifier(text: str) -> bytes:
    from ruuvi_host.errors import ConfigError

    if not re.fullmatch(r"[0-9a-fA-F]{16}", text):
        raise ConfigError("--device-id", "must be 16 hex digits")
    return bytes.fromhex(text)


def _reset_command(text: str) -> ResetCommand:
    import shlex
    from shutil import which

    from ruuvi_host.config.coprocessor import ResetCommand
    from ruuvi_host.errors import ConfigError

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError("--reset-command", f"cannot be read: {error}") from error
    if not any(words[:1]):
        raise ConfigError("--reset-command", "names no program")
    if which(words[0]) is None:
        raise ConfigError("--reset-command", f"there is no program {words[0]}")
    return ResetCommand(tuple(words))
