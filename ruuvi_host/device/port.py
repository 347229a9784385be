"""An open port: bytes both ways, whatever is behind it. opening.py makes one."""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import NamedTuple, Protocol

from ruuvi_host.device.buffers import Buffers
from ruuvi_host.device.trouble import describe
from ruuvi_host.errors import PortError

_CLOSE_TIMEOUT = 1.0
_EARLY = 1.0
"""Seconds by which an alarm may come too early."""


class Tap(Protocol):
    """Who wants a copy of all that passes. Called inside the loop: must not wait."""

    def received(self, data: bytes) -> None:
        """As it was read, cut anywhere, before anybody has looked at it."""
        ...

    def sent(self, data: bytes) -> None:
        """As it was handed to the system."""
        ...


class LineErrors(NamedTuple):
    """What this machine's UART and its driver have counted since the port was opened."""

    overruns: int
    """Bytes that came faster than they were fetched, in the UART or behind it."""
    framing: int


class Device(Protocol):
    """What a port talks through, if it has more than bytes. Its methods may block."""

    def set_line(self, name: str, asserted: bool) -> None:
        """Set a modem line, "dtr" or "rts". Raises OSError when it cannot be."""
        ...

    def line_errors(self) -> LineErrors | None:
        """Since it was opened. None: not known. Does not block."""
        ...

    def release(self) -> None:
        """Give it back to the system, after the transport has ended."""
        ...


Receiver = Callable[[bytes], tuple[float, float]]


class Gatherer(Protocol):
    """What can leave the bytes of a port in the kernel for a while."""

    def gather(self, seconds: float) -> None:
        """Hand over what comes after so many seconds, in one piece; 0: as soon as it comes."""
        ...

    def look(self) -> None:
        """Hand over now what has come, and from here on what comes as soon as it does."""
        ...


class Port(asyncio.Protocol):
    """An open port: bytes both ways. Made by `open_port`; one reader or receiver at a time.

    It is the asyncio protocol of its transport, and its own stream: a StreamReader would throw
    away what has come in before a loss, and cannot tell "nothing came" without losing track of
    what did.
    """

    def __init__(self, path: str, tap: Tap | None = None) -> None:
        self.path = path
        self.tap = tap
        self.receiver: Receiver | None = None
        """Gets all that comes in from now on, in place of `read`, inside the loop: that saves a
        turn of the loop for each read. Returns the monotonic time at which a `wait` shall end at
        the latest, and for how many seconds what comes may be gathered. Must not wait, and not
        raise."""
        self.device: Device | None = None
        self.gatherer: Gatherer | None = None
        """None: nobody looks at what has come in a pause before it is over."""
        self._poked = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.buffers = Buffers()
        self._loss: PortError | None = None
        self._lost = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._until = inf

    @property
    def is_network(self) -> bool:
        """Delays are those of a network: quiet lines say less about incomplete frames."""
        return "://" in self.path

    async def read(self, timeout: float = inf) -> bytes:
        """All that has come in; waits until there is something.

        b"": nothing came for `timeout` seconds, or it was poked.
        Raises PortError when the port is lost, after the last bytes have been read.
        """
        until = self._loop.time() + timeout
        while not self.buffers and self._loss is None:
            if self._poked:
                self._poked = False
                return b""
            if self._loop.time() >= until:
                # After a standstill the time is over before the loop has looked at the port:
                # two turns, one that looks and one that hands over.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if self.buffers or self._loss:
                    break
                return b""
            await self._wait(until)
        if self.buffers:
            return self.buffers.take()
        assert self._loss is not None
        raise self._loss

    async def wait(self, until: float) -> None:
        """For who has a `receiver`: until this monotonic time, or the one that it said last, or any
        time before.

        What has come in by then has been handed over. Raises PortError when the port is lost.
        """
        self._until = until
        if self._loss is None and not self._poked:
            await self._wait(until)
        if self._loop.time() >= self._until:
            # As in `read`: what has come since the loop last looked is no silence.
            self._look()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._poked = False
        if self._loss:
            raise self._loss

    async def _wait(self, until: float) -> None:
        self._set_alarm(until)
        self._waiter = self._loop.create_future()
        await self._waiter

    def take_rest(self) -> bytes:
        """What has come in and was not read; for who is about to close it."""
        self._look()
        return self.buffers.take()

    def write(self, data: bytes) -> None:
        """Queue `data` for sending; never waits. Without effect when the port is lost; dropped and
        counted when it takes nothing."""
        if data and self._transport and self.buffers.may_send(data, self._transport):
            if self.tap:
                self.tap.sent(data)
            self._transport.write(data)
            if self.gatherer:  # there will be an answer; but whoever writes may be in the middle
                self._loop.call_soon(self._look)

    def _rest_for(self, seconds: float) -> None:
        """Read nothing for so long; the system must have room for what comes."""
        if self._rest is None and self._transport and self._loss is None:
            self._transport.pause_reading()
            self._rest = self._loop.call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._rest = None
        if self._transport and self._loss is None:
            self._transport.resume_reading()

    def poke(self) -> None:
        """Let a `read` that waits return, so that its caller looks around."""
        self._poked = True
        self._wake()

    async def set_line(self, name: str, asserted: bool) -> None:
        """Set a modem line, "dtr" or "rts". Raises OSError when it cannot be."""
        if self.device is None:
            raise OSError(errno.ENOTTY, "this port has no modem lines")
        await self._loop.run_in_executor(None, self.device.set_line, name, asserted)

    def line_errors(self) -> LineErrors | None:
        """Since it was opened. None: not known. Many drivers count, ptys and networks do not. Of a
        port that was lost it is what was known when it was last asked."""
        return self.device.line_errors() if self.device else None

    async def close(self) -> None:
        """Close at once; what has not been sent is dropped. Takes at most a second."""
        if self._rest:
            self._rest.cancel()
        if self._transport:
            self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._lost.wait()
                if self.device:
                    await self._loop.run_in_executor(None, self.device.release)

    def _set_alarm(self, until: float) -> None:
        """Be woken at `until` or a little earlier: moving the alarm at each read would cost as
        much as a read, so one that comes too early is left to ring."""
        if self._alarm:
            if 0 <= until - self._alarm.when() < _EARLY:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(until, self._ring) if until < inf else None

    def _look(self) -> None:
        if self.gatherer and self._loss is None:
            self.gatherer.look()

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.tap:
            self.tap.received(data)
        if self.receiver:
            self._until, pause = self.receiver(data)
            if self.gatherer:
                self.gatherer.gather(pause)
                # After the pause there is another read, or `nothing_came`.
                if pause and self._loop.time() + pause < self._until:
                    return
            elif pause:
                self._rest_for(pause)
            self._set_alarm(self._until)
            return
        self.buffers.add(data, self._transport)
        self._wake()

    def nothing_came(self) -> None:
        """A pause is over, and what `gatherer` stands for watches the line again."""
        self._set_alarm(self._until)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._loss is None:
            why = describe(exc) if exc else "unplugged, or closed by the other end"
            self._loss = PortError(self.path, f"lost: {why}")
            self._loss.__cause__ = exc
        self._lost.set()
        self._wake()
