"""Where a sensor is: at the host that hears it best, and for a while. Pure.

Radio fades: of two hosts that hear a sensor equally well, now one and now the other hears it
better. So its place changes only when another host was clearly stronger in several windows.
"""

STRONGER = 6
"""dB by which another host must be stronger."""
WINDOWS = 3
"""So many windows running."""
MOST_RIVALS = 32
"""Hosts besides its own that are remembered in a window."""


class Place:
    """The place of one sensor. Windows without any message do not count.

    window: seconds.
    """

    __slots__ = ("_challenger", "_ends", "_is_first", "_own", "_rivals", "_won", "host")

    def __init__(self) -> None:
        self.host: int | None = None
        """Its number; None: none has heard it with a strength."""
        self._own: int | None = None
        """Strongest of the host in this window; dBm."""
        self._rivals: dict[int, int] | None = None
        """Of the others."""
        self._ends: float | None = None
        self._is_first = True
        self._challenger: int | None = None
        self._won = 0
        """Windows in a row that the challenger was stronger in."""

    @property
    def rssi(self) -> int | None:
        """dBm, the strongest of the host in this window."""
        return self._own

    def heard(self, host: int, rssi: int, now: float, window: float) -> bool:
        """A message of this host, not a late one. now: monotonic seconds. True: the place has
        changed."""
        before = self.host
        if self._ends is None or now >= self._ends:
            if self._ends is not None:
                self._close()
            self._ends = now + window
        if host == self.host:
            if self._own is None or rssi > self._own:
                self._own = rssi
        elif self._is_first and (self._own is None or rssi > self._own):
            # At first, the strongest so far.
            if self.host is not None and self._own is not None:
                self._note(self.host, self._own)
            self.host, self._own = host, rssi
        else:
            self._note(host, rssi)
        return self.host != before

    def _note(self, host: int, rssi: int) -> None:
        if self._rivals is None:
            self._rivals = {}
        rivals = self._rivals
        if rssi > rivals.get(host, -1000):
            rivals[host] = rssi
            if len(rivals) > MOST_RIVALS:
                del rivals[min(rivals, key=rivals.__getitem__)]

    def _close(self) -> None:
        """A window has ended."""
        self._is_first = False
        rivals, own = self._rivals, self._own
        self._rivals = self._own = None
        best = None
        if rivals:
            enough = -1000 if own is None else own + STRONGER
            strong = {host: rssi for host, rssi in rivals.items() if rssi >= enough}
            if strong:
                # Who was already ahead stays so, as long as it is strong enough.
                best = max(strong, key=strong.__getitem__)
                best = self._challenger if self._challenger in strong else best
        self._won = self._won + 1 if best is not None and best == self._challenger else 1
        self._challenger = best
        if best is not None and self._won >= WINDOWS:
            self.host = best
            self._challenger, self._won = None, 0
