"""One life of an open port: moves octets between the port and a HostSession."""

import asyncio
from math import inf
from typing import Protocol, assert_never

from firmware_protocol.messages import DeviceId, Report
from firmware_protocol.session import (
    Event,
    Failed,
    Heard,
    HostSession,
    Identified,
    Ready,
    Rebooted,
    Replied,
)
from ruuvi_host.clock import Clock
from ruuvi_host.device.port import Port
from ruuvi_host.errors import HandshakeError


class Listener(Protocol):
    """Who wants to know what a link brings. Called inside the reader: must not wait."""

    def heard(self, reports: list[Report], now: float) -> None:
        """What one read brought, at monotonic `now`."""
        ...

    def identified(self, device: DeviceId) -> None: ...

    def ready(self, *, refused: bool) -> None:
        """Configured. `refused`: the ACK to SET_ALL said 1."""
        ...

    def rebooted(self) -> None: ...


class Link:
    """Used once: `run` ends with the life of the link, always by an exception."""

    def __init__(self, port: Port, session: HostSession, listener: Listener, clock: Clock) -> None:
        self.session = session
        self._port = port
        self._listener = listener
        self._clock = clock

    async def run(self) -> None:
        """Read, feed, deliver, until the port or the coprocessor is lost.

        Raises PortError or HandshakeError.
        """
        session = self.session
        session.start(self._clock.monotonic())
        self._port.write(session.take_output())
        try:
            while True:
                try:
                    async with asyncio.timeout(None) as alarm:
                        await self._read(alarm)
                except TimeoutError:
                    now = self._clock.monotonic()
                    self._deliver(session.tick(now), now)
        finally:
            now = self._clock.monotonic()
            self._deliver(session.end(now), now)

    async def _read(self, alarm: asyncio.Timeout) -> None:
        session = self.session
        monotonic = self._clock.monotonic
        armed = self._arm(alarm)
        while True:
            data = await self._port.read()
            now = monotonic()
            self._deliver(session.receive(data, now), now)
            # An alarm that comes too early is harmless, and moving it costs more than a read.
            deadline = session.deadline
            if deadline is not None and deadline < armed:
                armed = self._arm(alarm)

    def _arm(self, alarm: asyncio.Timeout) -> float:
        deadline = self.session.deadline
        if deadline is None:
            alarm.reschedule(None)
            return inf
        wait = deadline - self._clock.monotonic()
        alarm.reschedule(asyncio.get_running_loop().time() + wait)
        return deadline

    def _deliver(self, events: list[Event], now: float) -> None:
        self._port.write(self.session.take_output())
        for event in events:
            match event:
                case Heard(reports):
                    self._listener.heard(reports, now)
                case Identified(device):
                    self._listener.identified(device)
                case Ready(refused):
                    self._listener.ready(refused=refused)
                case Rebooted():
                    self._listener.rebooted()
                case Failed(state, command):
                    raise HandshakeError(
                        state.value,
                        self.session.counters.lost_acks,
                        f"the coprocessor does not answer {command.name} (while {state.value})",
                    )
                case Replied():
                    pass  # nobody gives commands through a link yet
                case _:
                    assert_never(event)
