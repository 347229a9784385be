"""H4: finds HCI event packets in a stream of bytes.

A byte that begins no packet is skipped alone, so that noise never costs the packets behind it.
Data packets, which nobody has asked for, are skipped by their length and never stored.

Source: Bluetooth Core, Volume 4, Part A.
"""

from ruuvi_host.hci.counters import ControllerCounters

COMMAND = 1
EVENT = 4

DESYNCHRONIZED = 300
"""Bytes skipped in a row after which there is no more hope that this is H4: more than the longest
event, whose rest is skipped when its beginning was lost."""

_ACL, _SCO, _ISO = 2, 3, 5
_HEADERS = {_ACL: 5, _SCO: 4, _ISO: 5}
"""Bytes up to the data, the type's included."""

_CREDIBLE = frozenset((0x0E, 0x0F, 0x10, 0x13, 0x1A, 0x3E, 0xFF))
"""Events that a controller which scans sends. Any other may be noise that happens to look like an
event: one byte in 256 does."""


class PacketSplitter:
    """Bytes in, cut anywhere; events out. Keeps at most one incomplete event, 257 bytes."""

    def __init__(self, counters: ControllerCounters) -> None:
        self.skipped_in_a_row = 0
        """Bytes, since the last event that was one for certain."""
        self.longest_run = 0
        """The most bytes that were ever skipped in a row."""
        self._counters = counters
        self._rest = b""
        self._to_skip = 0  # of a data packet

    @property
    def is_desynchronized(self) -> bool:
        """Is this no H4? What follows may look like it again, wherever reads were cut."""
        return self.longest_run >= DESYNCHRONIZED

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now: each from its code on, without the type."""
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._rest:
            data = self._rest + data
            self._rest = b""
        events: list[bytes] = []
        position, end = 0, len(data)
        while position < end:
            kind = data[position]
            if kind == EVENT:
                if position + 3 > end:
                    break
                stop = position + 3 + data[position + 2]
                if stop > end:
                    break
                events.append(data[position + 1 : stop])
                if data[position + 1] in _CREDIBLE:
                    self.skipped_in_a_row = 0
                position = stop
            elif kind in _HEADERS:
                if position + _HEADERS[kind] > end:
                    break
                position += self._data_packet(kind, data, position)
            else:
                position += 1
                self._skip(1)
        if position < end:
            self._rest = data[position:]
        else:
            self._to_skip += position - end
        return events

    def give_up(self) -> None:
        """What is incomplete stays so: the controller is about to be reset."""
        self._skip(len(self._rest))
        self._rest = b""
        self._to_skip = 0

    def _data_packet(self, kind: int, data: bytes, position: int) -> int:
        """Bytes to go on by; maybe more than there are."""
        self._counters.packets_skipped += 1
        if kind == _SCO:
            return _HEADERS[kind] + data[position + 3]
        length = data[position + 3] | data[position + 4] << 8
        return _HEADERS[kind] + (length & 0x3FFF if kind == _ISO else length)

    def _skip(self, count: int) -> None:
        self._counters.bytes_skipped += count
        self.skipped_in_a_row += count
        self.longest_run = max(self.longest_run, self.skipped_in_a_row)
