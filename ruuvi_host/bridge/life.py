"""One life of an open transport: moves bytes between a port and a ControllerSession."""

from collections.abc import Callable

from ruuvi_host.clock import Clock
from ruuvi_host.device.port import Port
from ruuvi_host.hci.happenings import Climbed, Happening, Heard
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.session import ControllerSession

GATHER = 0.02
"""Seconds in which reports are left to gather. Each read, and each write to the pty, costs as much
as ten reports; a firmware's line takes 5 ms for each of them."""
ROOM = 2048
"""Bytes in one read from which on nothing is left to gather: a tty has room for 4096."""


class Life:
    """Used once, with a port that was just opened.

    listener: told what happens, as it happens. has_host: is there anybody to be told of reports?
    """

    def __init__(
        self,
        port: Port,
        session: ControllerSession,
        listener: Callable[[Happening, float], None],
        has_host: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self.session = session
        self._port = port
        self._listener = listener
        self._has_host = has_host
        self._clock = clock
        self._end: Climbed | None = None
        self._failure: Exception | None = None

    async def run(self) -> Climbed:
        """Until the session can do no more: the rung that it leaves to its owner. Raises PortError
        when the transport is lost, and what the listener raises."""
        now = self._clock.monotonic()
        self._port.receiver = self._received
        self.session.start(now)
        self._port.write(self.session.take_output())
        try:
            while True:
                await self._port.wait(self.session.deadline)
                if self._failure:
                    raise self._failure
                if self._end:
                    return self._end
                now = self._clock.monotonic()
                self.tell(self.session.tick(now), now)
        finally:
            self._port.receiver = _ignore
            self.session.end(self._clock.monotonic())

    def tell(self, happenings: list[Happening], now: float) -> None:
        """What a call of the session has returned; what it wants to send is sent."""
        if output := self.session.take_output():
            self._port.write(output)
        for happening in happenings:
            self._listener(happening, now)
            if isinstance(happening, Climbed) and happening.rung >= Rung.REOPEN:
                self._end = happening
                self._port.poke()

    def _received(self, data: bytes) -> tuple[float, float]:
        session, gather = self.session, 0.0
        if self._end or self._failure:
            return 0.0, gather
        session.host_present = self._has_host()
        now = self._clock.monotonic()
        try:
            happenings = session.receive(data, now)
            self.tell(happenings, now)
            if len(data) < ROOM and happenings and isinstance(happenings[-1], Heard):
                gather = GATHER
        except Exception as error:  # not for the event loop, which calls us: for who runs us
            self._failure = error
            self._port.poke()
        return session.deadline, gather


def _ignore(data: bytes) -> tuple[float, float]:
    return 0.0, 0.0
