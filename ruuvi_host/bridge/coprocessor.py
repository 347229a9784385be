"""What stands on the pty: a coprocessor's session, whose radio is a controller somewhere else."""

from collections.abc import Callable, Sequence

from firmware_protocol.coprocessor import CoprocessorEvent, CoprocessorSession
from firmware_protocol.messages import AdvRprt2, DeviceId
from firmware_protocol.transmitter import Ideal
from ruuvi_host.bridge.radio import BridgeRadio, Wish

_NOBODY = DeviceId(bytes(8), bytes(6))
"""Before the first controller has said who it is. There is no pty then, so nobody can ask."""


class BridgedCoprocessor:
    """What a PtyLine serves, in the machine's monotonic time.

    on_wish: what the host wants of the radio, as soon as it has said so.
    """

    def __init__(self, on_wish: Callable[[Wish, float], None]) -> None:
        self.radio = BridgeRadio()
        self.session = CoprocessorSession(_NOBODY, Ideal(0), radio=self.radio)
        self._on_wish = on_wish

    @property
    def deadline(self) -> float:
        """When something happens next; inf: not before host or controller say something."""
        return self.session.deadline

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self.session.receive(data, now)
        if wish := self.radio.take_wish():
            self._on_wish(wish, now)

    def advance(self, now: float) -> bytes:
        """Bytes for the host. A command that was hidden in noise may come to light here."""
        output = self.session.take_output(now)
        if wish := self.radio.take_wish():
            self._on_wish(wish, now)
        return output

    def hear(self, reports: Sequence[AdvRprt2], now: float) -> None:
        """What the controller has heard, and its session let pass."""
        report = self.session.report
        for heard in reports:
            report(heard, now)

    def take_events(self) -> list[CoprocessorEvent]:
        """That it has booted, or was configured."""
        return self.session.take_events()

    def restart(self, now: float) -> None:
        """Boot: the controller was reset, or there is a new pty."""
        self.session.boot(now)
