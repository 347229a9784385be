"""`ruuvi-host listen`: show what is received, decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.configuration import config_option, set_option
from ruuvi_host.cli.decoding import key_option, read_entries, read_without, without_option
from ruuvi_host.cli.fleet_options import fleet_options, unfit, wanted
from ruuvi_host.cli.groups import Command

if TYPE_CHECKING:
    from pathlib import Path

    from firmware_protocol.messages import Report
    from ruuvi_host.config.sensors import SensorSettings
    from ruuvi_host.intake.sensors import Reading
    from ruuvi_host.monitoring.link_status import LinkStatus


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  ruuvi-host listen --simulate
  ruuvi-host listen --port /dev/ttyACM0 --json | head
  ruuvi-host listen --mqtt mqtts://reader@broker.example --password-file ./password
  ruuvi-host listen --mqtt @broker-url --share workers --json >> readings.jsonl""",
)
@click.option("--port", metavar="PORT", help="Serial port of the coprocessor, as for `run`.")
@click.option("--simulate", is_flag=True, help="Use a simulated coprocessor instead of a port.")
@fleet_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per report, on stdout.")
@click.option(
    "--all",
    "every_company",
    is_flag=True,
    help="Everything, not only Ruuvi's manufacturer data: tags with URLs (formats 2 and 4), and "
    "devices of other companies.",
)
@key_option
@without_option
@config_option
@set_option
def command(
    port: str | None,
    simulate: bool,
    mqtt: str | None,
    as_json: bool,
    every_company: bool,
    key_options: tuple[str, ...],
    without: tuple[str, ...],
    config_file: Path | None,
    settings: tuple[str, ...],
    **of_fleet: Any,
) -> None:
    """Show what is received, decoded, until Ctrl-C: from a port, or by --mqtt from the broker to
    which hosts publish.

    Of --config and --set only the tables [sensors."AA:BB:CC:DD:EE:FF"] count: names, offsets, keys.

    A live table on a terminal, whose last picture stays there (space, b and arrows: what does not
    fit; q: end); elsewhere, or with --json, a line for each report. With --mqtt a
    line for each measurement, from whichever host it comes first, for each change of the place of
    a sensor, and for the state of each host. At the end the counters, on stderr.
    """
    import os
    import sys

    from firmware_protocol.messages import SetAll
    from ruuvi_host import logs
    from ruuvi_host.errors import ConfigError, RuuviHostError
    from ruuvi_host.intake.readings import Readings
    from ruuvi_host.intake.sensors import Sensors
    from ruuvi_host.jobs.listen import listen
    from ruuvi_host.lifetime import run_until_stopped

    logs.configure()
    if [bool(port), simulate, mqtt is not None].count(True) != 1:
        why = "name the port, or use --simulate or --mqtt (one of them)"
        raise ConfigError("--port", why)
    if sys.stdout is None:
        raise RuuviHostError("there is no standard output to write to")
    known = Readings(_said_of_sensors(config_file, settings), read_entries(key_options))
    if mqtt is not None:
        if every_company or without:
            option = "--all" if every_company else "--without"
            raise ConfigError(option, "is not for --mqtt: what hosts publish was chosen by them")
        from ruuvi_host.cli.fleet import listen_to_fleet

        with _writing():
            listen_to_fleet(wanted(mqtt, of_fleet), known, as_json=as_json)
        return
    if given := unfit(of_fleet):
        raise ConfigError(given, "is for --mqtt only")
    sensors = Sensors(known, read_without(without))
    scan = SetAll(fltr_tags=not every_company)
    statuses: list[LinkStatus] = []
    line_for = _json_line if as_json else _text_line

    def receive(reports: list[Report], now: float) -> None:
        for report in reports:
            sensors.receive(report, now)

    def print_lines(reports: list[Report], now: float) -> None:
        lines = [line_for(sensors.receive(report, now)) + "\n" for report in reports]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()

    try:
        with _writing():
            if as_json or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
                run_until_stopped(listen(port, print_lines, scan, ended=statuses.append))
            else:
                from ruuvi_host.cli.live import show_table

                listening = listen(port, receive, scan, ended=statuses.append)
                run_until_stopped(show_table(sensors, listening))
    finally:
        damaged = [(s.path, s.damage) for s in statuses if s.damage]
        for path, damage in damaged:
            click.echo(f"{path}: {damage.sentence}; {damage.remedy}", err=True)
        click.echo(sensors.summary(), err=True)
        if not sensors.by_address and not every_company and not damaged:
            only = f"only company 0x{scan.fltr_id:04X} passes"
            click.echo(f"{only}: --all shows what others send, too", err=True)


@contextmanager
def _writing() -> Iterator[None]:
    """Raises RuuviHostError when the output cannot be written. That a reader has closed the pipe is
    no error."""
    import os
    import sys

    from ruuvi_host.errors import RuuviHostError

    try:
        yield
    except OSError as error:
        # Keeps Python from failing again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise RuuviHostError(f"the output cannot be written: {error.strerror}") from error


def _said_of_sensors(
    config_file: Path | None, settings: tuple[str, ...]
) -> tuple[SensorSettings, ...]:
    """What the configuration says of sensors. Raises ConfigError."""
    from ruuvi_host.cli.configuration import inputs
    from ruuvi_host.config.load import load
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.config.sensor_tables import is_of_sensor
    from ruuvi_host.config.sources import CONFIG_VARIABLE
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.logs import printable

    given = inputs(config_file, None, settings)
    loaded = load(given)
    named = config_file or given.environment.get(CONFIG_VARIABLE) or ""
    ours = {printable(str(path)) for path in (named, loaded.sources.host_path) if path}
    for problem in loaded.problems:  # a server that cannot be used is nothing to us
        if problem.severity is Severity.ERROR and (
            problem.source == "--set" or problem.key in ours or is_of_sensor(problem.key)
        ):
            raise ConfigError(*str(problem).split(": ", 1))
        if problem.severity is Severity.WARNING and problem.key in ours:
            click.echo(f"Warning: {problem}", err=True)
    return loaded.config.sensors


def _json_line(reading: Reading) -> str:
    import json
    from time import time

    from firmware_protocol.messages import TX_POWER_NOT_AVAILABLE, address_text
    from ruuvi_host.formats import fields
    from ruuvi_host.intake.advertisement import rssi_or_none

    report = reading.report
    power = report.tx_power
    line: dict[str, Any] = {
        "time": round(time(), 3),
        "address": address_text(report.address),
        "rssi": rssi_or_none(report.rssi),
        "primary_phy": report.primary_phy,
        "secondary_phy": report.secondary_phy,
        "channel": report.channel,
        "radio_tx_power": None if power == TX_POWER_NOT_AVAILABLE else power,
        "adv": report.data.hex().upper(),
    }
    if reading.name:
        line["name"] = reading.name
    if reading.measurement is None:
        return json.dumps(line | {"error": reading.error})
    line |= {"duplicate": reading.duplicate} | fields(reading.measurement)
    if reading.offsets:
        line["offsets"] = dict(reading.offsets)
    return json.dumps(line)


def _text_line(reading: Reading) -> str:
    from firmware_protocol.messages import address_text
    from ruuvi_host.formats.summary import summary
    from ruuvi_host.intake.advertisement import RSSI_NOT_AVAILABLE

    report = reading.report
    what = summary(reading.measurement) if reading.measurement else reading.error
    again = "  (corrected)" if reading.offsets else ""
    again += "  (again)" if reading.duplicate else ""
    name = f"  {reading.name}" if reading.name else ""
    rssi = "   -" if report.rssi == RSSI_NOT_AVAILABLE else f"{report.rssi:4d}"
    return f"{address_text(report.address)} {rssi} dBm{name}  {what}{again}"
