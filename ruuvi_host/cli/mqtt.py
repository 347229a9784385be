"""`ruuvi-host mqtt`: what to do by hand at an MQTT broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.configuration import configuration_options, inputs

if TYPE_CHECKING:
    from ruuvi_host.config.load import Loaded
    from ruuvi_host.config.mqtt_target import MqttTarget


@click.group()
def command() -> None:
    """What to do by hand at an MQTT broker."""


@command.command(
    epilog="""\b
Examples:
  ruuvi-host mqtt forget CB:B8:33:4C:88:4F
  ruuvi-host mqtt forget --all --target site --config ruuvi-host.toml"""
)
@click.argument("sensors", metavar="[ADDRESS]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that this host has told, and itself.")
@click.option("--target", metavar="NAME", help="Only at this broker; by default at each.")
@click.option(
    "--prefix",
    metavar="PREFIX",
    help="Discovery prefix of Home Assistant. [default: as configured, else homeassistant]",
)
@configuration_options
@click.option("--state-dir", metavar="DIR", help="As for `run`.")
@click.option("--simulate", is_flag=True, help="That of a host with --simulate.")
def forget(
    sensors: tuple[str, ...],
    everything: bool,
    target: str | None,
    prefix: str | None,
    config_file: Path | None,
    files: Path | None,
    settings: tuple[str, ...],
    trust_clock: bool,
    state_dir: str | None,
    simulate: bool,
) -> None:
    """Have Home Assistant forget sensors: their devices and entities are removed there.

    For sensors that are gone. One that a running host still hears is told again with its next
    connection: leave such a one out by scan_filter_list. Also while `run` is running, and with
    discovery switched off.

    Exit status 4: a broker has not taken it.
    """
    from ruuvi_host import logs
    from ruuvi_host.cli.place import place, state_of
    from ruuvi_host.config.homeassistant import wrong_with_prefix
    from ruuvi_host.config.load import load_to_run
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.forget import announced_topics, forget_at, topics_of
    from ruuvi_host.jobs.state import StateDirectory
    from ruuvi_host.lifetime import run_once

    logs.configure()
    logs.adjust("warning", as_json=False)
    if bool(sensors) == everything:
        raise ConfigError("ADDRESS", "name the sensors, or give --all (one of both)")
    addresses = [_address(text) for text in sensors]
    if prefix is not None and (why := wrong_with_prefix(prefix)):
        raise ConfigError("--prefix", why)
    where = place(config_file, state_dir, simulate=simulate)
    where.tell()
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    loaded = load_to_run(
        inputs(
            *(where.config, files, settings),
            trust_clock=trust_clock,
            options=options,
            simulated=simulate,
            state=where.state,
        )
    )
    state = StateDirectory.look_into(state_of(loaded, simulate=simulate))
    for broker in _brokers(loaded, target):
        topics = topics_of(broker, addresses, prefix)
        if everything:
            topics = announced_topics(state.path, broker.name)
        run_once(forget_at(broker, state.load_gateway(), topics))
        click.echo(f"{broker.name}: taken back from Home Assistant: devices {len(topics)}")


def _address(text: str) -> bytes:
    """Raises ConfigError."""
    from ruuvi_host.config.sensors import normal_address
    from ruuvi_host.errors import ConfigError

    try:
        return bytes.fromhex(normal_address(text).replace(":", ""))
    except ValueError as error:
        raise ConfigError("ADDRESS", f"{text} {error}") from None


def _brokers(loaded: Loaded, name: str | None) -> list[MqttTarget]:
    """Raises ConfigError when there is none."""
    from ruuvi_host.config.mqtt_target import MqttTarget
    from ruuvi_host.errors import ConfigError

    found = {t.name: t for t in loaded.config.targets if isinstance(t, MqttTarget)}
    if name is not None and name not in found:
        known = f"; there are {', '.join(found)}" if found else ""
        raise ConfigError("--target", f"there is no broker called {name}{known}")
    if not found:
        why = "there is no broker in the configuration: give --config, or set use_mqtt"
        raise ConfigError("use_mqtt", why)
    return [found[name]] if name is not None else list(found.values())
