"""The host's end of the line, for tests: send bytes, wait for what comes, know when it came.

An event loop in a thread reads the port all the time, so that nothing is late because a test is
busy. Times are monotonic seconds.
"""

import asyncio
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from hashlib import sha256
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from firmware_protocol.commands import Command
from firmware_protocol.framing import FrameScanner, ScannerCounters
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    Report,
    messages,
)
from ruuvi_host.config.coprocessor import BAUD
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

from .diagnosis import Sample
from .experience import Experience

OURS = b"RHIL"
"""How the device id of the reference firmware, and of the simulated board, begins."""
PATIENCE = 20.0
"""Seconds until a test gives up waiting; a slow machine is not a failure."""
IDLE = 1.5
"""Quiet time after which an incomplete frame is given up. Longer than a host's: a machine that is
busy for a moment must not cost a frame here. (0.6 s in the middle of one was seen.)"""

SILENCE = 0.2
"""Seconds in which an answer would have come."""
LETTING_GO = 5.0
AGAIN = 2.0
"""Seconds after which a command is sent once more."""
SOON_AGAIN = 0.5
"""The same, on a board that has answered it soon before."""

T = TypeVar("T")


class Heard(NamedTuple):
    """A message, and when the read that completed it returned."""

    at: float
    message: Message


class Reply(NamedTuple):
    """An answer, and the seconds from the write of the command to it."""

    message: Message
    latency: float


class NoAnswerError(AssertionError):
    """What was waited for has not come."""


class RebootedError(NoAnswerError):
    """GET_ALL has come instead."""


def answers(command: HostMessage, message: Message) -> bool:
    """Is `message` the answer to `command`, of whichever generation?"""
    match message:
        case Ack():
            return message.acked_cmd == command.command
        case DeviceId():
            return isinstance(command, GetDeviceId)
        case LedCtrl():
            return message == command
        case _:
            return False


def _kind(message: Message) -> str:
    """What a message is, in a list of those that nobody has waited for."""
    if not isinstance(message, Ack):
        return message.command.name
    try:
        return f"ACK of {Command(message.acked_cmd).name}"
    except ValueError:
        return f"ACK of 0x{message.acked_cmd:02X}"


_SALT = secrets.token_bytes(16)


def without_device_id(device: DeviceId) -> DeviceId:
    """The same with another id, the same for the same: an id is the key that a gateway signs
    with, and what a test holds may end up in a report."""
    if device.id.startswith(OURS):
        return DeviceId(OURS + bytes(4), device.addr)
    return DeviceId(sha256(_SALT + device.id).digest()[:8], device.addr)


class Wire:
    """An open port. A context manager.

    tell_device_id: what is heard has the real one.
    experience: of the board, if that is the same in all tests.
    """

    def __init__(
        self,
        path: str,
        baud: int = BAUD,
        *,
        tell_device_id: bool = False,
        experience: Experience | None = None,
    ) -> None:
        self._tell_device_id = tell_device_id
        self._experience = experience
        self._sample = Sample()
        self._path = path
        self._baud = baud
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        self._heard: list[Heard] = []
        self._looked_at = 0
        self.lost_answers = 0
        """Commands that had to be sent once more."""
        self._skipped_before = self._crc_errors_before = 0
        self._news = threading.Condition()
        self._loss: PortError | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._port: Port | None = None
        self._reader: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._port = self._open()
        except BaseException:
            self._end_loop()
            raise
        self._in_loop(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._in_loop(self._stop())
        self._end_loop()

    def _open(self) -> Port:
        """Whoever had it before may need a moment to let it go."""
        until = time.monotonic() + LETTING_GO
        while True:
            try:
                return self._in_loop(open_port(self._path, self._baud))
            except PortError as error:
                if "in use" not in error.problem or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    @property
    def counters(self) -> ScannerCounters:
        """What the scanner has seen since the port was opened."""
        return self._scanner.counters

    @property
    def skipped(self) -> int:
        """Bytes in no frame, since `begin`."""
        return self.counters.bytes_skipped - self._skipped_before

    @property
    def crc_errors(self) -> int:
        """Since `begin`."""
        return self.counters.crc_errors - self._crc_errors_before

    def begin(self) -> None:
        """What has been until now does not count: half a frame, as the port was opened."""
        self.forget()
        self._skipped_before = self.counters.bytes_skipped
        self._crc_errors_before = self.counters.crc_errors

    @property
    def heard(self) -> list[Heard]:
        """Everything since the port was opened, or since `forget`."""
        with self._news:
            return list(self._heard)

    def reports(self) -> list[Report]:
        """The reports among `heard`."""
        return [h.message for h in self.heard if isinstance(h.message, AdvRprt | AdvRprt2)]

    def take(self) -> list[Heard]:
        """Everything since the last time, which is then forgotten: for those who stay long."""
        with self._news:
            taken, self._heard = self._heard, []
            self._looked_at = 0
            return taken

    def forget(self) -> None:
        """Begin anew: what was heard before is not waited for any more."""
        with self._news:
            self._heard.clear()
            self._looked_at = 0

    def send(self, raw: bytes) -> float:
        """Write; returns when."""
        assert self._port
        port = self._port

        async def write() -> float:
            now = time.monotonic()
            port.write(raw)
            return now

        return self._in_loop(write())

    def wait(
        self, wanted: Callable[[Message], bool], what: str, patience: float = PATIENCE
    ) -> Heard:
        """The next message that is wanted, of those that no earlier wait has looked at."""
        until = time.monotonic() + patience
        others: Counter[str] = Counter()
        with self._news:
            while True:
                while self._looked_at < len(self._heard):
                    heard = self._heard[self._looked_at]
                    self._looked_at += 1
                    if wanted(heard.message):
                        return heard
                    others[_kind(heard.message)] += 1
                if self._loss:
                    raise self._loss
                left = until - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    if self._looked_at < len(self._heard):
                        continue
                    instead = ", ".join(f"{count} {kind}" for kind, count in others.items())
                    but = f", but {instead}" if instead else ""
                    raise NoAnswerError(f"no {what} within {patience:.3g} s{but}; {self.tell()}")

    def no_answer(
        self, wanted: Callable[[Message], bool], to: str, seconds: float = SILENCE
    ) -> None:
        """Fail if something like it comes in so long: this must not be answered."""
        try:
            heard = self.wait(wanted, "answer", seconds)
        except NoAnswerError:
            return
        raise AssertionError(f"{to} was answered, with {_kind(heard.message)}")

    def command(self, command: HostMessage, patience: float = PATIENCE) -> Reply:
        """Send a command and wait for its answer. A reboot instead of an answer is an error."""
        return self.exchange(command.to_frame(), command, patience)

    def exchange(self, raw: bytes, command: HostMessage, patience: float = PATIENCE) -> Reply:
        """Send these bytes, of which `command` is to be answered; after a while once more, as a
        host does: the official firmware loses answers when reports are about.
        """
        experience = self._experience or Experience()
        if hopeless := experience.hopeless(command.command):
            raise NoAnswerError(hopeless)
        if self._experience:
            patience = experience.patience(command.command, patience)
        is_prompt = experience.is_prompt(command.command)
        again = SOON_AGAIN if is_prompt else AGAIN
        begin = time.monotonic()
        times = 0
        while True:
            times += 1
            with self._news:
                self._looked_at = len(self._heard)
            sent = self.send(raw)
            left = begin + patience - sent
            try:
                heard = self.wait(
                    lambda m: answers(command, m) or isinstance(m, GetAll),
                    f"answer to {command.command.name}",
                    min(left, again),
                )
            except NoAnswerError as error:
                if left <= again:
                    sent_so_often = f"{command.command.name} sent {times} times: " * (times > 1)
                    remark = experience.remark(command.command)
                    if b"\n" in raw[:-1]:
                        remark += "; its frame has a 0x0A within, which is not its end"
                    experience.unanswered(command.command, patience)
                    raise NoAnswerError(f"{sent_so_often}{error}{remark}") from None
                self.lost_answers += 1
                continue
            if isinstance(heard.message, GetAll):
                raise RebootedError(
                    f"GET_ALL came instead of the answer to {command.command.name}: it has rebooted"
                )
            if self._experience and times > 1 and not is_prompt:
                sent = begin if self._all_come(command, times - 1) else sent
            latency = heard.at - sent
            experience.answered(command.command, latency)
            return Reply(heard.message, latency)

    def _all_come(self, command: HostMessage, count: int) -> bool:
        """So many more answers: none was lost, they are late."""
        try:
            for _ in range(count):
                self.wait(lambda m: answers(command, m), "late answer", 1.25 * AGAIN)
        except NoAnswerError:
            return False
        return True

    def wait_for_boot(self, patience: float = PATIENCE) -> Heard:
        """The next GET_ALL."""
        return self.wait(lambda m: isinstance(m, GetAll), "GET_ALL", patience)

    def wait_for_report(self, patience: float = PATIENCE) -> Heard:
        """The next report."""
        return self.wait(lambda m: isinstance(m, AdvRprt | AdvRprt2), "report", patience)

    def lost(self, patience: float = PATIENCE) -> PortError:
        """Wait until the port is gone."""
        with self._news:
            if not self._news.wait_for(lambda: self._loss, patience):
                raise NoAnswerError(f"{self._path} is still there")
            assert self._loss
            return self._loss

    def listen(self, seconds: float) -> None:
        """Let so much time pass; what is heard meanwhile is in `heard`."""
        with self._news:
            self._news.wait_for(lambda: self._loss, seconds)
            if self._loss:
                raise self._loss

    def what_is_wrong(self) -> str:
        """What the frames have in common that are not understood, or ""."""
        return self._sample.tell()

    def tell(self) -> str:
        """What has come at all, for those who wonder why nothing has."""
        counters = self.counters
        if not counters.bytes_received:
            return "nothing at all has been received"
        return (
            f"{counters.bytes_received} bytes received, {counters.bytes_skipped} of them in no "
            f"frame, {counters.crc_errors} CRC errors{self.what_is_wrong()}"
        )

    # --- in the thread

    def _in_loop(self, what: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            what.close()
            raise PortError(self._path, "is not open here")
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _start(self) -> None:
        assert self._port
        self._reader = asyncio.get_running_loop().create_task(self._read(self._port), name="read")

    async def _read(self, port: Port) -> None:
        while True:
            try:
                data = await port.read(IDLE)
            except PortError as error:
                with self._news:
                    self._loss = error
                    self._news.notify_all()
                return
            now = time.monotonic()
            self._sample.feed(data)
            found = self._scanner.feed(data) if data else self._scanner.flush()
            if not self._tell_device_id:
                found = [without_device_id(m) if isinstance(m, DeviceId) else m for m in found]
            if found:
                with self._news:
                    self._heard += [Heard(now, message) for message in found]
                    self._news.notify_all()

    async def _stop(self) -> None:
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._port:
            await self._port.close()

    def _end_loop(self) -> None:
        self._in_loop(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
