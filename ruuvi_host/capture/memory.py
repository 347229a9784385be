"""Records the bytes of ports into memory, of which a few seconds take little."""

from ruuvi_host.capture.pcapng import Record
from ruuvi_host.clock import Clock

MAX_BYTES = 1 << 20
"""Of data: a minute and a half of a line that is never idle."""
_SECOND = 10**9


class Recording:
    """`records` has what was taken so far. What does not fit any more is counted in the next one's
    place: `lost`."""

    def __init__(self, clock: Clock, room: int = MAX_BYTES) -> None:
        self.records: list[Record] = []
        self.lost = 0
        self._clock = clock
        self._room = room

    def take(self, interface: int, sent: bool, data: bytes) -> None:
        """The bytes of a read or a write of the port with this number."""
        if len(data) > self._room:
            self.lost += 1
            return
        self._room -= len(data)
        wall = round(self._clock.wall() * _SECOND)
        monotonic = round(self._clock.monotonic() * _SECOND)
        self.records.append(
            Record(sent, wall, monotonic, bytes(data), self.lost, 0, interface),
        )
        self.lost = 0


class PortTap:
    """The tap of one port."""

    def __init__(self, recording: Recording, interface: int) -> None:
        self._recording = recording
        self._interface = interface

    def received(self, data: bytes) -> None:
        self._recording.take(self._interface, False, data)

    def sent(self, data: bytes) -> None:
        self._recording.take(self._interface, True, data)
