"""One life of an open port: moves bytes between the port and a HostSession."""

from math import inf
from typing import Protocol, assert_never

from firmware_protocol.messages import DeviceId, Report, SetAll
from firmware_protocol.session import (
    Event,
    Failed,
    Heard,
    HostSession,
    Identified,
    Quiet,
    Ready,
    Rebooted,
    Replied,
    State,
)
from ruuvi_host.clock import Clock
from ruuvi_host.device.port import Port
from ruuvi_host.errors import HandshakeError


class Listener(Protocol):
    """Who wants to know what a coprocessor brings. Called inside the reader: must not wait."""

    def heard(self, reports: list[Report], now: float) -> None:
        """What one read brought, at monotonic `now`."""
        ...

    def identified(self, device: DeviceId) -> None: ...

    def ready(self, *, refused: bool) -> None:
        """Configured. `refused`: the ACK to SET_ALL said 1."""
        ...

    def rebooted(self) -> None: ...


class LinkListener(Protocol):
    """Who wants to know what one link brings. Likewise."""

    def heard(self, reports: list[Report], now: float) -> None: ...

    def identified(self, device: DeviceId) -> None: ...

    def configured(self, *, refused: bool, again: bool) -> None:
        """As `ready`. `again`: it was ready before, and has taken other settings."""
        ...

    def booted(self, *, quiet: bool) -> None:
        """As `rebooted`. `quiet`: by its own watchdog, because it had nothing to report."""
        ...

    def quiet(self) -> None:
        """It answers, and has not reported anything for a while."""
        ...


class Link:
    """Used once: `run` ends with the life of the link, always by an exception."""

    def __init__(
        self, port: Port, session: HostSession, listener: LinkListener, clock: Clock
    ) -> None:
        self.session = session
        self._port = port
        self._listener = listener
        self._clock = clock
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Read, feed, deliver, until the port or the coprocessor is lost.

        Raises PortError or HandshakeError.
        """
        session, port = self.session, self._port
        monotonic = self._clock.monotonic
        session.start(monotonic())
        port.write(session.take_output())
        try:
            self._receive(port.take_rest())
            port.receiver = self._receive
            while self._failure is None:
                await port.wait(self._deadline)
                now = monotonic()
                if now >= self._deadline:
                    self._deliver(session.tick(now), now)
            raise self._failure
        finally:
            port.receiver = None
            now = monotonic()
            # Also what nobody will act on any more is counted.
            for event in session.receive(port.take_rest(), now) + session.end(now):
                if isinstance(event, Heard):  # the rest is no news any more
                    self._listener.heard(event.reports, now)

    @property
    def _deadline(self) -> float:
        deadline = self.session.deadline
        return inf if deadline is None else deadline

    def _receive(self, data: bytes) -> float:
        """Bytes, at once when they come. Returns when the session wants to be called."""
        now = self._clock.monotonic()
        try:
            self._deliver(self.session.receive(data, now), now)
        except Exception as failure:  # it is `run` that ends by it
            self._failure = failure
            self._port.receiver = None
            return now
        return self._deadline

    def reconfigure(self, settings: SetAll) -> None:
        """Send other settings; the link goes on."""
        self.session.reconfigure(settings, self._clock.monotonic())
        self._port.write(self.session.take_output())
        self._port.poke()  # there may be an earlier deadline now

    def _deliver(self, events: list[Event], now: float) -> None:
        self._port.write(self.session.take_output())
        for event in events:
            match event:
                case Heard(reports):
                    self._listener.heard(reports, now)
                case Identified(device):
                    self._listener.identified(device)
                case Ready(refused, again):
                    self._listener.configured(refused=refused, again=again)
                case Rebooted(quiet):
                    self._listener.booted(quiet=quiet)
                case Quiet():
                    self._listener.quiet()
                case Failed(state, command, deaf):
                    silence = self._silence(state, deaf=deaf)
                    problem = f"{self._port.path}: {silence} (no answer to {command.name})"
                    raise HandshakeError(state.value, self.session.counters.lost_acks, problem)
                case Replied():
                    pass  # nobody gives commands through a link yet
                case _:
                    assert_never(event)

    def _silence(self, state: State, *, deaf: bool) -> str:
        """What kind of silence it is, and what to look at."""
        seen = self.session.counters.scanner
        if deaf and state is State.READY:
            return "the coprocessor still reports and has stopped answering: it does not hear us"
        if state is State.READY:
            return "the coprocessor has stopped answering"
        if seen.bytes_received == 0:
            return "nothing comes from the coprocessor; is this its port, and does it have power?"
        if seen.bytes_in_frames == 0:
            return "what comes in is not CA-UART; is this the port of a coprocessor?"
        return "the coprocessor can be heard, but does not answer"
