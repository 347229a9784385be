"""Watches the sensors that a person has said something about: who is silent, whose battery is low.

It looks at the table every few seconds; a report costs nothing more. Time is an argument.
"""

from firmware_protocol.messages import address_text
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.formats import Measurement, fields
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.heard import Heard, heard
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.sensor_status import Change, News, SensorStatus

GOOD_AGAIN = 0.05
"""V above the limit from which a battery is good again: no voltage is quite the same twice."""
COLD, FROST = 0.2, 0.5
"""V by which a good battery has less below 0 °C and -20 °C, as in `formats.derived.battery_low`."""


class SensorWatch:
    """All that have a table of their own. now: monotonic seconds; silence counts from then on."""

    def __init__(self, now: float) -> None:
        self._watched: dict[bytes, _Watched] = {}
        self._looked = now

    def look(
        self, readings: Readings, table: AdvertisementTable, now: float, *, listening: bool
    ) -> tuple[list[SensorStatus], list[News]]:
        """The sensors, in the order of the configuration, and what has changed.

        listening: reports can come in. While they cannot, no sensor falls silent.
        """
        last, self._looked = self._looked, now
        before, self._watched = self._watched, {}
        statuses: list[SensorStatus] = []
        news: list[News] = []
        for address, sensor in readings.by_address.items():
            watched = self._watched[address] = before.get(address) or _Watched(last)
            found = table.look_up(address)
            came = watched.hear(*found, now) if found else None
            if came is None and not listening:
                watched.quiet_from += now - last
            if found is not None and found[0] is not watched.advertisement:
                watched.advertisement = found[0]
                measurement = readings.of(*found[0][:2]).measurement
                if measurement is not None:
                    watched.measured(measurement)
            changed = watched.judge(sensor, now, came)
            statuses.append(status := _status(sensor, watched))
            news += [News(change, status, seconds) for change, seconds in changed]
        return statuses, news


class _Watched:
    """What is remembered of one sensor."""

    __slots__ = (
        *("advertisement", "heard", "quiet_from", "silent"),
        *("flagged", "low", "temperature", "voltage", "volts"),
    )

    def __init__(self, now: float) -> None:
        self.advertisement: Advertisement | None = None
        """The one that was decoded last."""
        self.heard: Heard | None = None
        self.quiet_from = now
        """Monotonic seconds from which on silence counts."""
        self.silent = False
        self.voltage: float | None = None
        self.temperature: float | None = None
        self.flagged = False
        """The sensor itself says that its battery is low."""
        self.low = False
        self.volts = 0.0
        """The limit that `low` is about."""

    def hear(self, advertisement: Advertisement, samples: int, now: float) -> float | None:
        """Look at what the table has of it. None: no report has come since the last look; else
        since when there was silence before."""
        before, self.heard = self.heard, heard(self.heard, advertisement, samples, now)
        if before is not None and self.heard.at == before.at:
            return None
        quiet_from = self.quiet_from
        self.quiet_from = self.heard.at
        return quiet_from

    def measured(self, measurement: Measurement) -> None:
        """What the newest reading says of the battery; what it does not say stays."""
        values = fields(measurement)
        voltage, temperature = values.get("battery_voltage"), values.get("temperature")
        if isinstance(voltage, float):
            self.voltage = voltage
        if isinstance(temperature, float):
            self.temperature = temperature
        if "low_battery" in values:
            self.flagged = values["low_battery"] is True

    def judge(
        self, sensor: SensorSettings, now: float, came: float | None
    ) -> list[tuple[Change, float]]:
        """What has changed, each with the seconds of silence. came: as `hear` says."""
        changed: list[tuple[Change, float]] = []
        quiet = now - self.quiet_from
        was_silent, self.silent = self.silent, 0 < sensor.silent_after <= quiet
        if self.silent and not was_silent:
            changed.append((Change.SILENT, quiet))
        elif was_silent and not self.silent and came is not None:
            changed.append((Change.HEARD_AGAIN, self.quiet_from - came))
        if sensor.battery_volts != self.volts:  # another limit is no news of the battery
            self.low, self.volts = False, sensor.battery_volts
        was_low, self.low = self.low, self._is_low()
        if self.low != was_low:
            changed.append((Change.LOW_BATTERY if self.low else Change.GOOD_BATTERY, 0.0))
        return changed

    def _is_low(self) -> bool:
        if not self.volts:
            return False
        if self.flagged or self.voltage is None:
            return self.flagged
        if self.low:
            return self.voltage < self.volts + GOOD_AGAIN
        t = self.temperature
        less = 0.0 if t is None or t >= 0 else COLD if t >= -20 else FROST
        return self.voltage < round(self.volts - less, 3)


def _status(sensor: SensorSettings, watched: _Watched) -> SensorStatus:
    return SensorStatus(
        address_text(sensor.address),
        sensor.name,
        watched.heard.at if watched.heard else None,
        watched.silent,
        watched.voltage,
        watched.low,
    )
