"""Messages from the bytes of a line, with the time that an incomplete frame is given."""

from math import inf

from firmware_protocol.damage import DamageWatch
from firmware_protocol.framing import FrameScanner, ScannerCounters
from firmware_protocol.messages import Message, messages


class MessageStream:
    """Bytes and time in, messages out.

    max_adv: longest advertising data to accept, in bytes. idle: seconds of silence after which an
    incomplete frame is given up.
    """

    def __init__(self, max_adv: int, idle: float) -> None:
        self.deadline = inf
        """When `flush` is due; inf: nothing is incomplete."""
        self._scanner: FrameScanner[Message] = FrameScanner(messages, max_adv, keep_skipped=True)
        self.damage = DamageWatch(self._scanner.counters)
        self.is_settled = True
        """The last bytes were whole frames, and perhaps the beginning of another one."""
        self._idle = idle

    @property
    def counters(self) -> ScannerCounters:
        """Bytes and frames, intact or not."""
        return self._scanner.counters

    @property
    def pending(self) -> int:
        """Bytes kept back because they may be the beginning of a frame."""
        return self._scanner.pending

    def feed(self, data: bytes, now: float) -> list[Message]:
        """All messages that `data` completes."""
        scanner = self._scanner
        skipped, first = scanner.counters.bytes_skipped, not scanner.counters.bytes_in_frames
        found = scanner.feed(data)
        self.deadline = now + self._idle if scanner.pending else inf
        self.is_settled = scanner.pending <= len(data)
        if scanner.counters.bytes_skipped != skipped:
            self.is_settled = False
            self.damage.look(scanner.take_skipped(), now, first=first)
        return found

    def flush(self, now: float) -> list[Message]:
        """Give up what is incomplete, and find what stands behind its beginning.

        Before its time has come this is the end of a life: a frame that was on its way is counted
        as skipped, and says nothing about the line.
        """
        is_cut_off, self.deadline = now < self.deadline < inf, inf
        first = not self._scanner.counters.bytes_in_frames
        found = self._scanner.flush()
        skipped = self._scanner.take_skipped()
        if skipped and (first or not is_cut_off):
            self.damage.look(skipped, now, first=first)
        return found
