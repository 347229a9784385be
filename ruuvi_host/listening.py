"""Listening without relaying: who is in the air, and what each sensor last said."""

from collections.abc import Callable
from dataclasses import dataclass

from firmware_protocol.messages import DeviceId, Report, SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import Measurement, decode
from ruuvi_host.formats.ad import parse
from ruuvi_host.lifetime import together

SEQUENCE_LENGTHS = {
    0x05: 0xFFFF,
    0xC5: 0xFFFF,
    0x06: 0x100,
    0x07: 0xFF,
    0x08: 0xFFFF,
    0xE0: 0xFFFF,
    0xE1: 0xFFFFFF,
    0xF0: 0x10,
    0xFA: 0x100,
}
"""Data format → how many numbers a measurement sequence has before it starts over."""

LONGEST_GAP = 1000
"""A larger jump in the sequence is a tag that was restarted, not a loss."""


@dataclass(slots=True)
class Sensor:
    """What is known of one advertiser."""

    address: bytes
    reports: int = 0
    heard: float = 0.0
    """Monotonic seconds of the newest report."""
    rssi: int = 0
    name: str | None = None
    measurement: Measurement | None = None
    error: str | None = None
    """Why there is no measurement: a code of the formats room."""
    measurements: int = 0
    """Different ones that were received."""
    lost: int = 0
    """Missing in the sequence between them."""

    def take(self, report: Report, now: float) -> None:
        self.reports += 1
        self.heard = now
        self.rssi = report.rssi
        self.name = parse(report.data).local_name or self.name
        try:
            measurement = decode(report.data)
        except FormatError as error:
            self.error = error.code if self.measurement is None else None
            return
        self.error = None
        self._count(self.measurement, measurement)
        self.measurement = measurement

    def _count(self, before: Measurement | None, now: Measurement) -> None:
        """Losses, from the gap between two sequence numbers of one data format."""
        length = SEQUENCE_LENGTHS.get(now.data_format)
        old: int | None = getattr(before, "measurement_sequence", None)
        new: int | None = getattr(now, "measurement_sequence", None)
        comparable = before is not None and before.data_format == now.data_format
        if not comparable or length is None or old is None or new is None:
            self.measurements += 1
            return
        step = (new - old) % length
        if step:
            self.measurements += 1
            self.lost += step - 1 if step <= LONGEST_GAP else 0


class Air:
    """All advertisers heard, in order of their first report.

    max_sensors: when there are more, the one that was heard least recently leaves.
    """

    def __init__(self, max_sensors: int = 1000) -> None:
        self.sensors: dict[bytes, Sensor] = {}
        self._max_sensors = max_sensors

    def take(self, reports: list[Report], now: float) -> None:
        for report in reports:
            sensor = self.sensors.get(report.address)
            if sensor is None:
                if len(self.sensors) >= self._max_sensors:
                    del self.sensors[min(self.sensors.values(), key=lambda s: s.heard).address]
                sensor = self.sensors[report.address] = Sensor(report.address)
            sensor.take(report, now)


class _Ears:
    """The listener of a link, for those who want reports only."""

    def __init__(self, heard: Callable[[list[Report], float], None]) -> None:
        self.heard = heard

    def identified(self, device: DeviceId) -> None: ...

    def ready(self, *, refused: bool) -> None: ...

    def rebooted(self) -> None: ...


async def listen(port: str | None, heard: Callable[[list[Report], float], None]) -> None:
    """Configure the coprocessor on `port` (None: a simulated one) as a gateway does, and call
    `heard` with the reports of each read and its monotonic time, until cancelled."""
    if port is not None:
        await Supervisor(port, SetAll(), _Ears(heard), SystemClock()).run()
        return
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.pty import PtyServer

    with PtyServer(Board()) as server:
        supervisor = Supervisor(server.path, SetAll(), _Ears(heard), SystemClock())
        await together(board=server.run(), supervisor=supervisor.run())
