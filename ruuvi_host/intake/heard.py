"""When a sensor was last heard, seen from the table: nothing is noted for it per report."""

from typing import NamedTuple

from ruuvi_host.intake.advertisement import Advertisement


class Heard(NamedTuple):
    """What a look at a sensor has found."""

    received: float
    """Of the advertisement in the table; monotonic seconds."""
    samples: int
    """Reports that the table has counted since they were last asked for."""
    at: float
    """When the sensor was last heard: exact when its data changed, else the time of the look."""


def heard(before: Heard | None, advertisement: Advertisement, samples: int, now: float) -> Heard:
    """The next look. before: the one before; None: there was none.

    The data of some sensors stays the same for a long time; the table counts their reports, and
    begins anew when the statistics have taken the number.
    """
    received = advertisement.received
    if before is None or received != before.received:
        return Heard(received, samples, received)
    again = samples > before.samples or 0 < samples < before.samples
    return Heard(received, samples, now if again else before.at)
