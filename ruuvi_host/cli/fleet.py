"""`ruuvi-host listen --mqtt`: what many hosts publish, as one."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING

import click

from ruuvi_host.errors import ConfigError

if TYPE_CHECKING:
    from ruuvi_host.cli.fleet_options import Wanted
    from ruuvi_host.config.mqtt_target import MqttTarget
    from ruuvi_host.fleet.fleet import Told
    from ruuvi_host.intake.readings import Readings

USER, PASSWORD = "RUUVI_HOST_MQTT_USER", "RUUVI_HOST_MQTT_PASS"
"""Variables of the environment, as for the keys mqtt_user and mqtt_pass."""
_LONGEST = 4096
"""Bytes of a file with an address or a password."""
_OFTEN = 0.1
"""Seconds between two writes: a line at a time would cost more than all the rest."""


def listen_to_fleet(wanted: Wanted, known: Readings, *, as_json: bool) -> None:
    """Show what the hosts of a broker publish, until Ctrl-C. Raises RuuviHostError."""
    from importlib.util import find_spec

    from ruuvi_host.fleet.fleet import Fleet
    from ruuvi_host.fleet.subscription import checked_filters
    from ruuvi_host.lifetime import run_until_stopped, together
    from ruuvi_host.relay.mqtt.kind import MISSING

    filters = checked_filters(wanted.topics, wanted.group)
    target = broker_of(wanted)
    if find_spec("aiomqtt") is None:
        raise ConfigError("--mqtt", MISSING)
    from ruuvi_host.fleet.subscriber import follow

    shows = not as_json and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    fleet = Fleet(wanted.window, shows=shows)
    output = Output(known, as_json=as_json)

    def received(topic: str, payload: bytes) -> None:
        output.take(fleet.receive(topic, payload, asyncio.get_running_loop().time(), time()))

    def show(topic: str, payload: bytes) -> None:
        fleet.receive(topic, payload, asyncio.get_running_loop().time(), time())

    client_id = f"ruuvi-host-listen-{token_hex(4)}"
    listening = follow(target, filters, show if shows else received, client_id)
    try:
        if shows:
            from ruuvi_host.cli.fleet_table import FleetTable
            from ruuvi_host.cli.live import show as show_picture

            run_until_stopped(show_picture(FleetTable(fleet, known), listening))
        else:
            run_until_stopped(together(listening=listening, writing=output.run()))
            output.write()
    finally:
        counted = fleet.counters.nonzero()
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counted.items())
        click.echo(
            f"{len(fleet.tags)} sensors, {len(fleet.gateways)} hosts: "
            f"{said or 'nothing was received'}",
            err=True,
        )


def broker_of(wanted: Wanted) -> MqttTarget:
    """The broker, and who we are to it. Raises ConfigError, which shows no password."""
    from ruuvi_host.config.mqtt_target import MqttLogin
    from ruuvi_host.config.mqtt_url import parse_broker
    from ruuvi_host.config.target_parts import TlsFiles

    option, url = "--mqtt", wanted.url
    if url.startswith("@"):
        option = url[1:]
        url = _secret_of(Path(option))
    if (wanted.certificate is None) != (wanted.key is None):
        missing, given = (
            ("--cert-key", "--cert") if wanted.certificate else ("--cert", "--cert-key")
        )
        raise ConfigError(missing, f"is missing: {given} needs it")
    password = os.environ.get(PASSWORD, "")
    if wanted.password_file is not None:
        password = _secret_of(wanted.password_file)
    user = wanted.user if wanted.user is not None else os.environ.get(USER, "")
    tls = TlsFiles(wanted.certificate, wanted.key, None, wanted.ca)
    target = parse_broker(
        option, url, login=MqttLogin("", user, password), tls=tls, version=wanted.version
    )
    if not target.broker.transport.is_tls and (wanted.ca or wanted.certificate):
        given = "--ca" if wanted.ca else "--cert"
        raise ConfigError(given, "is for mqtts:// and mqttwss:// only; this address has no TLS")
    if option == "--mqtt" and target.login.password:
        _keep_out_of_sight(url)
    return target


def _keep_out_of_sight(url: str) -> None:
    """Of others on this machine: the password of an address on the command line."""
    from ruuvi_host.cli.hiding import hide

    written = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    if written and not hide(written):
        click.echo(
            "Warning: others on this machine can see the password in the list of processes: use "
            f"--mqtt @FILE, --password-file, or {PASSWORD}.",
            err=True,
        )


def _secret_of(path: Path) -> str:
    """The first line of a file. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST + 1)
        others = os.stat(path).st_mode & 0o077
    except OSError as error:
        raise ConfigError(str(path), str(error.strerror)) from None
    if len(text) > _LONGEST:
        raise ConfigError(str(path), f"is longer than {_LONGEST} bytes: not what is needed here")
    if others:
        click.echo(
            f"Warning: others can read {path}; chmod 600 keeps them out of the password.", err=True
        )
    lines = text.decode("utf-8-sig", "surrogateescape").splitlines()
    if not lines or not lines[0].strip():
        raise ConfigError(str(path), "its first line is empty")
    return lines[0].strip()


class Output:
    """Writes what is told, line by line, some at a time."""

    def __init__(self, known: Readings, *, as_json: bool) -> None:
        from ruuvi_host.fleet.lines import json_line, text_line

        self._lines: list[str] = []
        self._news = asyncio.Event()
        self._known = known
        self._text = text_line
        self._json = json_line
        self._as_json = as_json

    def take(self, news: list[Told]) -> None:
        for told in news:
            line = (
                self._json(told, time(), self._known)
                if self._as_json
                else self._text(told, self._known)
            )
            self._lines.append(line + "\n")
        if news:
            self._news.set()

    async def run(self) -> None:
        """Raises OSError when nothing can be written any more."""
        while True:
            await self._news.wait()
            self.write()
            await asyncio.sleep(_OFTEN)

    def write(self) -> None:
        """All that there is."""
        lines, self._lines = self._lines, []
        self._news.clear()
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
