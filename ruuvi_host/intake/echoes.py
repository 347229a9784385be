"""Tells the first report of an advertisement from the reports that other coprocessors make of it.

Coprocessors that hear the same sensor report the same advertisement: same address, same data, a few
milliseconds apart. A sensor that repeats its data does so after a second or more, and each
coprocessor reports each repetition once. So a report is an echo when the same has been reported a
moment ago, by others only.
"""

WINDOW = 0.5
"""Seconds. Reports of one advertisement are apart by what lines, adapters and reads delay: tens of
milliseconds. The shortest interval of a Ruuvi sensor is 1 s (100 ms in its first seconds, when a
repetition may pass for an echo; it has nothing new to say)."""


class Echoes:
    """Remembers what was reported within the last WINDOW, and by whom."""

    def __init__(self) -> None:
        self._new: dict[tuple[bytes, bytes], tuple[float, int]] = {}
        self._old: dict[tuple[bytes, bytes], tuple[float, int]] = {}
        self._turned = 0.0

    def is_echo(self, source: int, address: bytes, data: bytes, now: float) -> bool:
        """Has another coprocessor reported this advertisement before?

        source: number of the coprocessor, from 0.
        """
        if now - self._turned > WINDOW:  # what is older than that need not be looked at
            self._old = self._new if now - self._turned <= 2 * WINDOW else {}
            self._new = {}
            self._turned = now
        key = (address, data)
        first = self._new.get(key) or self._old.get(key)
        mine = 1 << source
        if first and now - first[0] <= WINDOW and not first[1] & mine:
            self._new[key] = (first[0], first[1] | mine)
            return True
        self._new[key] = (now, mine)
        return False
