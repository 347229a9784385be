"""`ruuvi-host listen`: show what is heard, decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from firmware_protocol.messages import Report
    from ruuvi_host.listening import Air, Reading, Sensor


@click.command(
    epilog="""\b
Examples:
  ruuvi-host listen --simulate
  ruuvi-host listen --port /dev/ttyACM0 --json | head"""
)
@click.option("--port", metavar="PORT", help="Serial port of the coprocessor, as for `run`.")
@click.option("--simulate", is_flag=True, help="Use a simulated coprocessor instead of a port.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per report, on stdout.")
def command(port: str | None, simulate: bool, as_json: bool) -> None:
    """Show what is heard, decoded, until Ctrl-C.

    A live table on a terminal; elsewhere, or with --json, a line for each report.
    """
    import os
    import sys

    from ruuvi_host import logs
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.lifetime import run_until_stopped
    from ruuvi_host.listening import Air, listen

    logs.configure()
    if (port is None) is not simulate:
        raise ConfigError("--port", "name the port, or use --simulate (one of them)")
    air = Air()
    if sys.stdout.isatty() and not as_json:
        run_until_stopped(_show_table(port, air))
        return
    line_for = _json_line if as_json else _text_line

    def heard(reports: list[Report], now: float) -> None:
        lines = [line_for(air.take(report, now)) + "\n" for report in reports]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()

    try:
        run_until_stopped(listen(port, heard))
    except BrokenPipeError:  # the reader has seen enough; nothing may complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json_line(reading: Reading) -> str:
    import json
    from time import time

    from firmware_protocol.messages import TX_POWER_NOT_AVAILABLE, address_text
    from ruuvi_host.formats import fields

    report = reading.report
    power = report.tx_power
    line: dict[str, Any] = {
        "time": round(time(), 3),
        "address": address_text(report.address),
        "rssi": report.rssi,
        "primary_phy": report.primary_phy,
        "secondary_phy": report.secondary_phy,
        "channel": report.channel,
        "radio_tx_power": None if power == TX_POWER_NOT_AVAILABLE else power,
        "adv": report.data.hex().upper(),
    }
    if reading.measurement is None:
        return json.dumps(line | {"error": reading.error})
    return json.dumps(line | {"duplicate": reading.duplicate} | fields(reading.measurement))


def _text_line(reading: Reading) -> str:
    from firmware_protocol.messages import address_text
    from ruuvi_host.formats.summary import summary

    report = reading.report
    what = summary(reading.measurement) if reading.measurement else reading.error
    again = "  (again)" if reading.duplicate else ""
    return f"{address_text(report.address)} {report.rssi:4d} dBm  {what}{again}"


async def _show_table(port: str | None, air: Air) -> None:
    import asyncio

    from rich.console import Console
    from rich.live import Live

    from ruuvi_host.clock import SystemClock
    from ruuvi_host.lifetime import together
    from ruuvi_host.listening import listen

    clock = SystemClock()

    async def redraw(live: Live) -> None:
        while True:
            live.update(_table(air, clock.monotonic()), refresh=True)
            await asyncio.sleep(0.5)

    def heard(reports: list[Report], now: float) -> None:
        for report in reports:
            air.take(report, now)

    # Log lines go to stderr and appear above the table.
    with Live(console=Console(), auto_refresh=False) as live:
        await together(listen=listen(port, heard), redraw=redraw(live))


def _table(air: Air, now: float) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("Sensor", "DF", "Reading", "dBm", "Age", "Lost", box=None, pad_edge=False)
    for sensor in air.sensors.values():
        # Text, not markup: names come from the air.
        table.add_row(*(Text(cell) for cell in _row(sensor, now)))
    return table


def _row(sensor: Sensor, now: float) -> tuple[str, ...]:
    from firmware_protocol.messages import address_text
    from ruuvi_host.formats.summary import summary
    from ruuvi_host.logs import printable

    name = f" {printable(sensor.name, 24)}" if sensor.name else ""
    measurement = sensor.measurement
    total = sensor.measurements + sensor.lost
    return (
        address_text(sensor.address) + name,
        f"{measurement.data_format:X}" if measurement else "-",
        summary(measurement) if measurement else sensor.error or "",
        f"{sensor.rssi}",
        f"{now - sensor.heard:.0f} s",
        f"{100 * sensor.lost / total:.0f} %" if total else "-",
    )
