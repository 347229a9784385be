"""A sensor in the table."""

from ruuvi_host.intake.advertisement import Advertisement


class Entry:
    """What the table knows of a sensor. When the table is full, a new sensor takes over the entry
    of the one that leaves, and with it the place in each queue."""

    __slots__ = ("advertisement", "missed", "samples")

    def __init__(self, advertisement: Advertisement, samples: int) -> None:
        self.advertisement = advertisement
        """The newest one that changed the table."""
        self.samples = samples
        """Reports since they were last asked for, without the very first one."""
        self.missed = 0
        """Measurements that were not received, as far as is known."""
