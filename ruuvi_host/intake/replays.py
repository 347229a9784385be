"""Replays of encrypted readings: somebody who cannot encrypt can still repeat what was sent."""

from typing import NamedTuple

from ruuvi_host.formats.format import Format

RESTART_SILENCE = 60.0
"""Seconds. A sensor that was silent for so long may have been restarted,"""
RESTART_BELOW = 100
"""and then begins with numbers below this one."""


class _Newest(NamedTuple):
    """The newest reading of a device."""

    number: int | None
    """Its measurement sequence."""
    address: bytes
    received: float
    """Monotonic seconds."""


class Replays:
    """Finds them: the measurement sequence of a device must move forward.

    A device is the one that the payload names, to which the key belongs: a payload can be repeated
    under any address.
    max_devices: when there are more, the one received least recently is forgotten.
    """

    def __init__(self, max_devices: int) -> None:
        self._max_devices = max_devices
        self._newest: dict[tuple[int, str | None], _Newest] = {}

    def is_replay(
        self, known: Format, mac: str | None, number: int | None, address: bytes, now: float
    ) -> bool:
        """Does this reading not come after the newest one of its device? If it does, it is the
        newest one from now on.

        mac, number: what the reading says of device and measurement sequence. address: of the
        sender. now: monotonic seconds.
        """
        device = known.number, mac
        newest = self._newest.get(device)
        step = known.sequence.step(newest.number, number) if newest and known.sequence else None
        if newest and number is not None and step is not None:
            if step == 0:
                return address != newest.address
            restarted = now - newest.received >= RESTART_SILENCE and number < RESTART_BELOW
            if step < 0 and not restarted:
                return True
        elif newest is None and len(self._newest) >= self._max_devices:
            del self._newest[min(self._newest, key=lambda device: self._newest[device].received)]
        self._newest[device] = _Newest(number, address, now)
        return False
