"""The host's end of the line, for tests: send bytes, wait for what comes, know when it came.

Times are monotonic seconds.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from types import TracebackType
from typing import NamedTuple, Self

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
from ruuvi_host.errors import PortError

from .diagnosis import Sample
from .experience import Experience
from .inbox import Inbox, Received, kind
from .line import Line

OURS = b"RHIL"
"""How the device id of the reference firmware, and of the simulated board, begins."""
TIMEOUT = 20.0
"""Seconds until a test gives up waiting; a slow machine is not a failure."""
SILENCE = 0.2
"""Seconds in which an answer would have come."""
AGAIN = 2.0
"""Seconds after which a command is sent once more."""
SOON_AGAIN = 0.5
"""The same, on a board that has answered it soon before."""


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


_SALT = secrets.token_bytes(16)


def without_device_id(device: DeviceId) -> DeviceId:
    """The same with another id, the same for the same: an id is the key that a gateway signs
    with, and what a test holds may end up in a report."""
    if device.id.startswith(OURS):
        return DeviceId(OURS + bytes(4), device.addr)
    return DeviceId(sha256(_SALT + device.id).digest()[:8], device.addr)


class Wire:
    """An open port. A context manager.

    tell_device_id: what is received has the real one.
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
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        self._inbox = Inbox()
        self.lost_answers = 0
        """Commands that had to be sent once more."""
        self._skipped_before = self._crc_errors_before = 0
        self._line = Line(path, baud, self._receive, self._inbox.lose)

    def __enter__(self) -> Self:
        self._line.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.__exit__(kind, error, trace)

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
    def received(self) -> list[Received]:
        """Everything since the port was opened, or since `forget`."""
        return self._inbox.messages()

    def reports(self) -> list[Report]:
        """The reports among `received`."""
        return [r.message for r in self.received if isinstance(r.message, AdvRprt | AdvRprt2)]

    def take(self) -> list[Received]:
        """Everything since the last time, which is then forgotten: for those who stay long."""
        return self._inbox.take()

    def forget(self) -> None:
        """Begin anew: what was received before is not waited for any more."""
        self._inbox.take()

    def send(self, raw: bytes) -> float:
        """Write; returns when."""
        return self._line.send(raw)

    def wait(
        self, wanted: Callable[[Message], bool], what: str, timeout: float = TIMEOUT
    ) -> Received:
        """The next message that is wanted, of those that no earlier wait has looked at."""
        others: Counter[str] = Counter()
        if received := self._inbox.wait(wanted, timeout, others):
            return received
        instead = ", ".join(f"{count} {name}" for name, count in others.items())
        but = f", but {instead}" if instead else ""
        raise NoAnswerError(f"no {what} within {timeout:.3g} s{but}; {self.tell()}")

    def no_answer(
        self, wanted: Callable[[Message], bool], to: str, seconds: float = SILENCE
    ) -> None:
        """Fail if something like it comes in so long: this must not be answered."""
        try:
            received = self.wait(wanted, "answer", seconds)
        except NoAnswerError:
            return
        raise AssertionError(f"{to} was answered, with {kind(received.message)}")

    def command(self, command: HostMessage, timeout: float = TIMEOUT) -> Reply:
        """Send a command and wait for its answer. A reboot instead of an answer is an error."""
        return self.exchange(command.to_frame(), command, timeout)

    def exchange(self, raw: bytes, command: HostMessage, timeout: float = TIMEOUT) -> Reply:
        """Send these bytes, of which `command` is to be answered; after a while once more, as a
        host does: the official firmware loses answers when reports are about.
        """
        experience = self._experience or Experience()
        if hopeless := experience.hopeless(command.command):
            raise NoAnswerError(hopeless)
        if self._experience:
            timeout = experience.timeout(command.command, timeout)
        is_prompt = experience.is_prompt(command.command)
        again = SOON_AGAIN if is_prompt else AGAIN
        begin = time.monotonic()
        times = 0
        while True:
            times += 1
            self._inbox.skip()
            sent = self.send(raw)
            left = begin + timeout - sent
            try:
                received = self.wait(
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
                    experience.unanswered(command.command, timeout)
                    raise NoAnswerError(f"{sent_so_often}{error}{remark}") from None
                self.lost_answers += 1
                continue
            if isinstance(received.message, GetAll):
                raise RebootedError(
                    f"GET_ALL came instead of the answer to {command.command.name}: it has rebooted"
                )
            if self._experience and times > 1 and not is_prompt:
                sent = begin if self._all_come(command, times - 1) else sent
            latency = received.at - sent
            experience.answered(command.command, latency)
            return Reply(received.message, latency)

    def _all_come(self, command: HostMessage, count: int) -> bool:
        """So many more answers: none was lost, they are late."""
        try:
            for _ in range(count):
                self.wait(lambda m: answers(command, m), "late answer", 1.25 * AGAIN)
        except NoAnswerError:
            return False
        return True

    def wait_for_boot(self, timeout: float = TIMEOUT) -> Received:
        """The next GET_ALL."""
        return self.wait(lambda m: isinstance(m, GetAll), "GET_ALL", timeout)

    def wait_for_report(self, timeout: float = TIMEOUT) -> Received:
        """The next report."""
        return self.wait(lambda m: isinstance(m, AdvRprt | AdvRprt2), "report", timeout)

    def lost(self, timeout: float = TIMEOUT) -> PortError:
        """Wait until the port is gone."""
        loss = self._inbox.loss(timeout)
        if loss is None:
            raise NoAnswerError(f"{self._line.path} is still there")
        return loss

    def listen(self, seconds: float) -> None:
        """Let so much time pass; what comes meanwhile is in `received`."""
        if loss := self._inbox.loss(seconds):
            raise loss

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

    def _receive(self, data: bytes) -> None:
        """Called in the thread of the line."""
        now = time.monotonic()
        self._sample.feed(data)
        found = self._scanner.feed(data) if data else self._scanner.flush()
        if not self._tell_device_id:
            found = [without_device_id(m) if isinstance(m, DeviceId) else m for m in found]
        if found:
            self._inbox.add(Received(now, message) for message in found)
