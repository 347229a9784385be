"""What the log says of sensors: a line when something begins, one when it ends, and not too many.

Pure.
"""

from collections.abc import Iterable, Sequence

from ruuvi_host.monitoring.sensor_status import MOST_NAMED, Change, News, SensorStatus

PAUSE = 600.0
"""Seconds between two lines that the same thing of a sensor has begun. One at the edge of the range
falls silent again and again."""

_PAIRS = ((Change.SILENT, Change.HEARD_AGAIN), (Change.LOW_BATTERY, Change.GOOD_BATTERY))
"""What begins, and what ends it."""


class SensorLog:
    """Chooses the lines. What still lasts after a pause without a word gets one then."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, Change], tuple[bool, float]] = {}
        """(address, what begins) → does it last, as far as the log says; and when it said that it
        had begun."""

    def lines(
        self, sensors: Iterable[SensorStatus], news: Sequence[News], now: float
    ) -> list[tuple[bool, str]]:
        """(is it bad?, line). Of many sensors at once a few, and the number of the others.

        now: monotonic seconds.
        """
        told, self._told = self._told, {}
        fresh = {(one.sensor.address, one.change): one for one in news}
        due: dict[Change, list[News]] = {}
        for sensor in sensors:
            for begins, ends in _PAIRS:
                key = sensor.address, begins
                lasts = sensor.silent if begins is Change.SILENT else sensor.low_battery
                before, at = told.get(key, (False, None))
                if lasts and not before and (at is None or now - at >= PAUSE):
                    one = fresh.get(key) or _late(begins, sensor, now)
                    due.setdefault(begins, []).append(one)
                    at = now
                elif lasts:
                    lasts = before
                elif before and (end := fresh.get((sensor.address, ends))):
                    due.setdefault(ends, []).append(end)
                if at is not None:
                    self._told[key] = lasts, at
        return [line for change, ones in due.items() for line in _some(change, ones)]


def _late(change: Change, sensor: SensorStatus, now: float) -> News:
    """It began during the pause."""
    return News(change, sensor, 0.0 if sensor.heard is None else now - sensor.heard)


def _some(change: Change, ones: Sequence[News]) -> list[tuple[bool, str]]:
    lines = [(change.is_bad, str(one)) for one in ones[:MOST_NAMED]]
    if (more := len(ones) - MOST_NAMED) > 0:
        lines.append((change.is_bad, f"the same of {more} more sensors"))
    return lines
