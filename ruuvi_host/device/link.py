"""One life of an open port: moves bytes between the port and a HostSession."""

from collections.abc import Callable

from firmware_protocol.events import Event, Failed, Received
from firmware_protocol.messages import SetAll
from firmware_protocol.session import HostSession
from firmware_protocol.transitions import State
from ruuvi_host.clock import Clock
from ruuvi_host.device.damage import explain
from ruuvi_host.device.gathering import Gathering
from ruuvi_host.device.port import Port
from ruuvi_host.errors import HandshakeError
from ruuvi_host.monitoring.link_status import LineDamage

Listener = Callable[[Event, float], None]
"""Gets each event of a session, and the monotonic time at which it came. Called inside the reader:
must not wait. One event for all reports of a read. `Failed` is not among them: it ends the link."""


class Link:
    """Used once: `run` ends with the life of the link, always by an exception."""

    def __init__(
        self,
        port: Port,
        session: HostSession,
        listener: Listener,
        clock: Clock,
        gather: float = 0.0,
    ) -> None:
        self.port = port
        self.session = session
        self._listener = listener
        self._clock = clock
        # Over a network what comes is gathered already.
        self._gathering = Gathering(gather if port.gatherer else 0.0)
        self._failure: Exception | None = None

    @property
    def damage(self) -> LineDamage | None:
        """What damages its bytes; None: nothing, for a while."""
        damage = explain(self.session.damage, self.port.line_errors())
        return damage if damage and damage.is_recent(self._clock.monotonic()) else None

    async def run(self) -> None:
        """Read, feed, deliver, until the port or the coprocessor is lost.

        Raises PortError or HandshakeError.
        """
        session, port = self.session, self.port
        monotonic = self._clock.monotonic
        session.start(monotonic())
        port.write(session.take_output())
        try:
            self._receive(port.take_rest())
            port.receiver = self._receive
            while self._failure is None:
                await port.wait(session.deadline)
                now = monotonic()
                if now >= session.deadline:
                    self._deliver(session.tick(now), now)
            raise self._failure
        finally:
            port.receiver = None
            now = monotonic()
            # Also what nobody will act on any more is counted.
            for event in session.receive(port.take_rest(), now) + session.end(now):
                if isinstance(event, Received):  # nobody acts on anything else any more
                    self._listener(event, now)

    def _receive(self, data: bytes) -> tuple[float, float]:
        """Bytes, in the turn of the loop in which they are read. Returns when the session wants to
        be called, and for how long what comes may be gathered."""
        session = self.session
        now = self._clock.monotonic()
        try:
            self._deliver(session.receive(data, now), now)
        except Exception as failure:  # it is `run` that ends by it
            self._failure = failure
            self.port.receiver = None
            return now, 0.0
        calm, begun = session.expects_only_reports, session.pending > 0
        return session.deadline, self._gathering.pause(len(data), now, calm=calm, begun=begun)

    def reconfigure(self, settings: SetAll) -> None:
        """Send other settings; the link goes on."""
        self.session.reconfigure(settings, self._clock.monotonic())
        self.port.write(self.session.take_output())
        self.port.poke()  # there may be an earlier deadline now

    def _deliver(self, events: list[Event], now: float) -> None:
        self.port.write(self.session.take_output())
        for event in events:
            if isinstance(event, Failed):
                raise self._given_up(event)
            self._listener(event, now)

    def _given_up(self, event: Failed) -> HandshakeError:
        silence = self._silence(event.state, deaf=event.deaf)
        problem = f"{self.port.path}: {silence} (no answer to {event.command.name})"
        return HandshakeError(event.state.value, self.session.counters.lost_acks, problem)

    def _silence(self, state: State, *, deaf: bool) -> str:
        """What kind of silence it is, and what to look at."""
        seen = self.session.counters.scanner
        if deaf and state is State.READY:
            return "the coprocessor still reports and has stopped answering: it receives nothing"
        if state is State.READY:
            return "the coprocessor has stopped answering"
        if seen.bytes_received == 0:
            return "nothing comes from the coprocessor; is this its port, and does it have power?"
        damage = self.damage
        if seen.bytes_in_frames == 0:
            what = "what comes in is not CA-UART; is this the port of a coprocessor?"
            return f"{what} {_told(damage)}" if damage else what
        if damage and damage.skipped:
            return f"the coprocessor sends data, but does not answer. {_told(damage)}"
        if self.session.counters.unexpected_messages and not self.session.counters.report_frames:
            return (
                "what was sent comes back: TX and RX are connected with each other, or the other "
                "end sends an echo"
            )
        return "the coprocessor sends data, but does not answer"


def _told(damage: LineDamage) -> str:
    sentence = damage.sentence[0].upper() + damage.sentence[1:]
    return f"{sentence}; {damage.remedy}"
