"""Several coprocessors that receive the same sensor: which report of an advertisement is the first.

They report the same advertisement, same address and same data, a few milliseconds apart. A sensor
repeats its data after a second or more, and each coprocessor reports each repetition once. So a
report is a duplicate when only other coprocessors have reported the same a moment ago.
"""

WINDOW = 0.5
"""Seconds. Lines, adapters and reads delay the reports of one advertisement by tens of
milliseconds. The shortest interval of a Ruuvi sensor is 1 s. In its first seconds it is 100 ms, and
a repetition may pass for a duplicate; it has the same data."""


class DuplicateFilter:
    """Remembers what was reported within the last WINDOW, and by which coprocessors."""

    def __init__(self) -> None:
        self._new: dict[tuple[bytes, bytes], tuple[float, int]] = {}
        self._old: dict[tuple[bytes, bytes], tuple[float, int]] = {}
        self._rotated = 0.0

    def is_duplicate(self, source: int, address: bytes, data: bytes, now: float) -> bool:
        """Has another coprocessor reported this advertisement before?

        source: number of the coprocessor, from 0.
        """
        if now - self._rotated > WINDOW:  # older reports need not be looked at
            self._old = self._new if now - self._rotated <= 2 * WINDOW else {}
            self._new = {}
            self._rotated = now
        key = (address, data)
        first = self._new.get(key) or self._old.get(key)
        mine = 1 << source
        if first and now - first[0] <= WINDOW and not first[1] & mine:
            self._new[key] = (first[0], first[1] | mine)
            return True
        self._new[key] = (now, mine)
        return False
