"""Which measurements have come already, from whichever host. Pure; bounded in memory.

The key of a measurement is the sensor with its advertising data, or with data format and number
where a host does not publish the data. Numbers start over, so it counts for a window only.
"""

from ruuvi_host.fleet.messages import Heard
from ruuvi_host.formats import FORMATS

WINDOW = 120.0
"""Seconds; twice the interval of the hosts, if that is more."""
MOST = 1_000_000
"""Measurements that are remembered: 200 MB, when it comes to that."""
_PIECES = 3
"""Of a window; what is older than it is forgotten piece by piece."""
_HOSTS = 1 << 20
_DATA = 1 << 32


class Repeats:
    """Remembers what has come within the window."""

    def __init__(self, window: float = WINDOW, most: int = MOST) -> None:
        self.forgotten = 0
        """Measurements that were forgotten before their time, because there were too many."""
        self._window = window
        self._most = max(most // (_PIECES + 1), 1)
        # Newest first. A key is a hash: so many texts would take three times the memory, and that
        # two are alike by chance happens once in a million years.
        self._pieces: list[dict[int, int]] = [{}]
        self._begun = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def is_repeat(self, heard: Heard, host: int, when: int, now: float) -> bool:
        """Has this measurement come already? If not, it is remembered.

        host: the number of the one who has heard it. when: UTC seconds. now: monotonic seconds.
        """
        self._turn(now)
        tag, data_format, number = heard.tag, heard.data_format, heard.number
        by_number = None if number is None else hash((tag, data_format, number))
        by_data = hash((tag, heard.data)) if heard.data else None
        print_ = 0 if by_data is None else by_data % (_DATA - 1) + 1
        if by_number is None and by_data is None:
            values = tuple(sorted((k, repr(v)) for k, v in heard.values.items()))
            by_data, print_ = hash((tag, values)), 1
        if by_number is not None:
            allowed = _allowed(data_format, self._window)
            for piece in self._pieces:
                found = piece.get(by_number)
                if found is None or abs(when - found // _DATA // _HOSTS) > allowed:
                    continue
                theirs = found % _DATA
                if not print_ or not theirs or theirs == print_:
                    return True
        if by_data is not None:
            for piece in self._pieces:
                found = piece.get(by_data)
                if found is None:
                    continue
                then, by = divmod(found // _DATA, _HOSTS)
                if abs(when - then) > self._window:
                    continue
                # Without numbers, the same values may come back; a host publishes what is new to
                # it, so a second time by the same one is another measurement.
                if by_number is None and by == host % _HOSTS and when > then:
                    break
                return True
        kept = (when * _HOSTS + host % _HOSTS) * _DATA + print_
        newest = self._pieces[0]
        if by_number is not None and not self._holds(by_number, when):
            newest[by_number] = kept
        elif by_data is not None:
            newest[by_data] = kept
        return False

    def _holds(self, key: int, when: int) -> bool:
        """Does another measurement have this number?"""
        found = (piece.get(key) for piece in self._pieces)
        return any(
            f is not None and abs(when - f // _DATA // _HOSTS) <= self._window for f in found
        )

    def _turn(self, now: float) -> None:
        is_over = now - self._begun >= self._window / _PIECES
        if not is_over and len(self._pieces[0]) < self._most:
            return
        if now - self._begun >= 2 * self._window:
            self._pieces.clear()
        self._pieces.insert(0, {})
        while len(self._pieces) > _PIECES + 1:
            dropped = self._pieces.pop()
            if not is_over:
                self.forgotten += len(dropped)
        self._begun = now


def _allowed(data_format: int | None, window: float) -> float:
    """Seconds for which a number means the same measurement: at one a second, half of the time in
    which the numbers start over."""
    known = FORMATS.get(data_format or 0)
    return min(window, known.sequence.length / 2) if known and known.sequence else window
