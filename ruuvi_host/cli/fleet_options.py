"""The options of `ruuvi-host listen` that say which broker, and what of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TOPIC = "ruuvi/+/+"
"""All readings and states of all gateways that have the usual prefix."""
DEFAULT_WINDOW = 120.0
VERSIONS = ("3.1.1", "5")
_FILE = click.Path(path_type=Path)


class Wanted(NamedTuple):
    """What the options of --mqtt say."""

    url: str
    """Or @FILE."""
    topics: tuple[str, ...]
    group: str | None
    window: float
    user: str | None
    password_file: Path | None
    ca: Path | None
    certificate: Path | None
    key: Path | None
    version: str


_OPTIONS = (
    click.option(
        "--mqtt",
        metavar="URL|@FILE",
        help="A broker in place of a port: mqtt://, mqtts://, mqttws:// or mqttwss://, then "
        "[USER[:PASSWORD]@]HOST[:PORT]. @FILE reads it from a file.",
    ),
    click.option(
        "--topic",
        "topics",
        metavar="FILTER",
        multiple=True,
        help=f"What to subscribe to. Repeatable. [default: {DEFAULT_TOPIC}]",
    ),
    click.option(
        "--share",
        "group",
        metavar="GROUP",
        help="Share the messages with others of this group: each of them gets a part.",
    ),
    click.option(
        "--window",
        type=click.FloatRange(1, 86_400),
        metavar="SECONDS",
        help="How long the same measurement of a sensor is one, and each step in judging its "
        "place: twice the interval of the hosts, if that is over a minute. "
        f"[default: {DEFAULT_WINDOW:.0f}]",
    ),
    click.option(
        "--user", metavar="NAME", help="Who we are to the broker. [default: $RUUVI_HOST_MQTT_USER]"
    ),
    click.option(
        "--password-file",
        metavar="FILE",
        type=_FILE,
        help="Its first line is the password. [default: $RUUVI_HOST_MQTT_PASS]",
    ),
    click.option(
        "--ca",
        metavar="FILE",
        type=_FILE,
        help="PEM; trust only these certificates. [default: those of the system]",
    ),
    click.option("--cert", "certificate", metavar="FILE", type=_FILE, help="PEM; of the client."),
    click.option("--cert-key", "key", metavar="FILE", type=_FILE, help="PEM; its key."),
    click.option(
        "--mqtt-version",
        "version",
        type=click.Choice(VERSIONS),
        help="5 falls back to 3.1.1 where a broker does not know it. [default: 3.1.1]",
    ),
)
_NAMES = {
    "topics": "--topic",
    "group": "--share",
    "window": "--window",
    "user": "--user",
    "password_file": "--password-file",
    "ca": "--ca",
    "certificate": "--cert",
    "key": "--cert-key",
    "version": "--mqtt-version",
}


def fleet_options(function: F) -> F:
    """Add --mqtt and what belongs to it to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def unfit(given: Mapping[str, Any]) -> str:
    """An option that was given, though there is no --mqtt; empty: none."""
    return next((_NAMES[name] for name, value in given.items() if value not in (None, ())), "")


def wanted(url: str, given: Mapping[str, Any]) -> Wanted:
    """What was given, and what is usual where nothing was."""
    said = {name: value for name, value in given.items() if value not in (None, ())}
    usual: dict[str, Any] = dict.fromkeys(_NAMES)
    usual |= {"topics": (DEFAULT_TOPIC,), "window": DEFAULT_WINDOW, "version": VERSIONS[0]}
    return Wanted(url, **(usual | said))
