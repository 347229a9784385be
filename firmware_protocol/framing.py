"""Frames on the wire: STX, LEN, CMD, payload, CRC (low byte first), ETX.

Nothing is escaped. 0xCA, 0x0A and 0x2C occur anywhere inside a frame, so the only proof of a
frame is that all of it fits: a known command with a length that is allowed for it, ETX where LEN
says, the CRC, and the delimiters. The scanner therefore treats each 0xCA as a candidate, and
when a candidate fails it discards *that one byte* and looks again from the next: a good frame
behind or inside a false candidate is never lost.

Speed: candidates are found with `bytes.find`; one dict lookup by the three header bytes answers
"plausible?" and says how to take the frame apart. What is made of an intact frame is up to the
*reading* that the scanner was given: `frames` here for tools that look at the wire, `messages`
of messages.py for the sessions, which so never build a value only to take it apart again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from struct import Struct
from typing import Any, Generic, NamedTuple, TypeVar

from firmware_protocol.commands import (
    ADV,
    DELIMITER,
    FACTS,
    MAX_ADV_LEN,
    Command,
    delimiter_positions,
    layout_of,
    shortest_payload,
)
from firmware_protocol.crc import crc16
from firmware_protocol.errors import LocalProtocolError, RemoteProtocolError

STX = 0xCA
ETX = 0x0A
OVERHEAD = 6
"""Bytes of a frame besides its payload."""

_STX = bytes([STX])
_KNOWN: frozenset[int] = frozenset(Command)
_WITH_ADV = frozenset(c for c in Command if any(ADV in layout for layout in FACTS[c].layouts))


class Frame(NamedTuple):
    """One intact frame. STX, LEN, CRC and ETX are implied: `encode_frame` gives them back."""

    command: int
    payload: bytes
    offset: int = 0
    """Position of its STX, counted from the first byte that the scanner was fed."""


def encode_frame(command: int, payload: bytes = b"") -> bytes:
    """The bytes on the wire of a command with `payload` (0..255 bytes, delimiters included).

    A CRC of zero is written like any other. (The C encoder leaves both bytes out, which makes
    one of its frames in 65536 undecodable.)
    """
    if len(payload) > 255:
        raise LocalProtocolError(f"a payload of {len(payload)} bytes; at most 255 fit a frame")
    covered = bytes((len(payload), command)) + payload
    return _STX + covered + crc16(covered).to_bytes(2, "little") + b"\n"


T = TypeVar("T")

Build = Callable[[bytes, int], T | None]
"""(bytes from LEN to the end of the payload, offset of STX) → value; None: bad delimiter."""

Reading = Callable[[int, tuple[int, ...]], Build[T]]
"""(command, field sizes) → how to build the value of such a frame."""


def delimiters_hold(layout: tuple[int, ...]) -> Callable[[bytes], bool]:
    """A check of the bytes from LEN on: is there a delimiter behind each field of `layout`?"""
    # LEN and CMD stand before the payload, so a delimiter is two bytes further on.
    match [position + 2 for position in delimiter_positions(layout)]:
        case []:
            return lambda covered: True
        case [only]:
            return lambda covered: covered[only] == DELIMITER
        case positions:
            pick = itemgetter(*positions)
            expected = (DELIMITER,) * len(positions)
            return lambda covered: pick(covered) == expected


def frames(command: int, layout: tuple[int, ...]) -> Build[Frame]:
    """The reading for those who want the frames themselves."""
    hold = delimiters_hold(layout)

    def build(covered: bytes, offset: int) -> Frame | None:
        return Frame(command, covered[2:], offset) if hold(covered) else None

    return build


class Candidate(NamedTuple, Generic[T]):
    """How to check and take apart a frame that begins with a given header."""

    total: int
    unpack_from: Callable[[bytes, int], tuple[Any, ...]]
    """frame → (bytes that the CRC covers: LEN to end of payload, CRC, ETX)"""
    build: Build[T]


@cache
def _unpack_from(length: int) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Takes a frame with this LEN apart; see Candidate. 256 of them are the most there can be."""
    return Struct(f"<x{length + 2}sHB").unpack_from


def _candidate(length: int, build: Build[T]) -> Candidate[T]:
    return Candidate(length + OVERHEAD, _unpack_from(length), build)


def _lengths(command: Command, max_adv: int) -> range | frozenset[int]:
    """The LENs that `command` can have when advertising data is at most `max_adv` bytes."""
    layouts = FACTS[command].layouts
    if command in _WITH_ADV:
        shortest = shortest_payload(layouts[0])
        return range(shortest, shortest + max_adv + 1)
    return frozenset(shortest_payload(layout) for layout in layouts)


class Candidates(Generic[T]):
    """Header (STX, LEN, CMD) → how to check what it begins.

    There are 500, of which a line brings a dozen: each is made when it is first met.
    """

    def __init__(self, reading: Reading[T], max_adv: int) -> None:
        if not 0 <= max_adv <= MAX_ADV_LEN:
            raise LocalProtocolError(f"max_adv must be 0..{MAX_ADV_LEN}, not {max_adv}")
        self.met: dict[bytes, Candidate[T]] = {}
        self._reading = reading
        self._lengths: dict[int, range | frozenset[int]] = {
            command.value: _lengths(command, max_adv) for command in Command
        }

    def find(self, header: bytes) -> Candidate[T] | None:
        """None: no frame begins so."""
        candidate = self.met.get(header)
        if candidate is None:
            _, length, command = header
            if length in self._lengths.get(command, ()):
                layout = layout_of(Command(command), length)
                assert layout is not None
                candidate = self.met[header] = _candidate(length, self._reading(command, layout))
        return candidate


@cache
def candidates(reading: Reading[T], max_adv: int) -> Candidates[T]:
    """Those that all scanners of a kind share."""
    return Candidates(reading, max_adv)


def _implausible(length: int, command: int) -> str:
    """Why no frame begins with this LEN and CMD; the header is known to be implausible."""
    if command not in _KNOWN:
        return "unknown_cmd"
    too_long = command in _WITH_ADV and layout_of(Command(command), length)
    return "adv_too_long" if too_long else "bad_len"


def decode_frame(frame: bytes, max_adv: int = MAX_ADV_LEN) -> Frame:
    """Decode one frame that begins at the first byte; bytes behind its end are ignored.

    max_adv: longest advertising data to accept, in bytes.
    Raises RemoteProtocolError with the first check that fails, in the order of the C decoder.
    """
    if frame[:1] != _STX:
        raise RemoteProtocolError("bad_stx" if frame else "truncated")
    if len(frame) < 3 or len(frame) < frame[1] + OVERHEAD:
        raise RemoteProtocolError("truncated")
    length, command = frame[1], frame[2]
    candidate: Candidate[Frame] | None = candidates(frames, max_adv).find(frame[:3])
    covered, crc, etx = _unpack_from(length)(frame, 0)
    if etx != ETX:
        raise RemoteProtocolError("bad_etx")
    if crc != crc16(covered):
        raise RemoteProtocolError("bad_crc")
    if candidate is None:
        raise RemoteProtocolError(_implausible(length, command))
    decoded = candidate.build(covered, 0)
    if decoded is None:
        raise RemoteProtocolError("bad_delimiter")
    return decoded


@dataclass(slots=True)
class ScannerCounters:
    """What a scanner has seen. received = in frames + skipped + still pending, always.

    Each STX byte that begins no intact frame counts as an error; in noise there are many.
    """

    bytes_received: int = 0
    """Bytes read from the line."""
    bytes_in_frames: int = 0
    """Bytes in intact frames."""
    bytes_skipped: int = 0
    """Bytes in no intact frame: noise, and what is left of damaged frames."""
    crc_errors: int = 0
    """Frames with a wrong CRC."""
    etx_errors: int = 0
    """Frames without ETX at the place that LEN says."""
    delimiter_errors: int = 0
    """Frames in whose payload a delimiter is missing."""
    length_errors: int = 0
    """Frames with a known command and a LEN that is impossible for it (too much advertising data
    included)."""
    unknown_commands: int = 0
    """Frames with a command that does not exist."""
    idle_rescans: int = 0
    """Incomplete frames that were given up because nothing followed on the line."""
    frames: list[int] = field(default_factory=lambda: [0] * 256)
    """Intact frames, indexed by command number."""

    def frames_by_name(self) -> dict[str, int]:
        """Intact frames by command name (0x.. where there is none), without the zeros."""
        names = {command.value: command.name for command in Command}
        return {
            names.get(command, f"0x{command:02X}"): count
            for command, count in enumerate(self.frames)
            if count
        }


class FrameScanner(Generic[T]):
    """Finds the frames in a stream of bytes that is cut anywhere and may hold anything.

    reading: what to make of an intact frame: `frames`, or `messages` of messages.py.
    max_adv: longest advertising data to accept, in bytes.
    unknown: also deliver frames whose command is not known (`frames` only). Any LEN is then
    plausible behind such a header, so noise can hold back the stream for up to 260 bytes: for
    looking into captures.
    keep_skipped: keep the bytes that are in no frame, for `take_skipped`.
    """

    def __init__(
        self,
        reading: Reading[T],
        max_adv: int = MAX_ADV_LEN,
        *,
        unknown: bool = False,
        keep_skipped: bool = False,
    ) -> None:
        if unknown and reading is not frames:
            raise LocalProtocolError("only the reading `frames` knows what to make of them")
        self.counters = ScannerCounters()
        self._reading = reading
        self._unknown = unknown
        self._candidates = candidates(reading, max_adv)
        self._tail = b""
        self._tail_offset = 0
        self._skipped: list[bytes] | None = [] if keep_skipped else None

    @property
    def pending(self) -> int:
        """Bytes kept back because they may be the beginning of a frame: 0..260."""
        return len(self._tail)

    def feed(self, data: bytes) -> list[T]:
        """All frames that `data` completes, in order. How the stream is cut does not matter."""
        self.counters.bytes_received += len(data)
        return self._scan(self._tail + data if self._tail else data)

    def flush(self) -> list[T]:
        """Give up incomplete candidates; afterwards nothing is pending.

        Call it at the end of the input, and when the line has been idle for longer than the
        longest frame lasts: a stray STX with a large LEN would otherwise hold back a good ACK
        until other traffic comes, which may be for ever.
        """
        found = []
        while self._tail:
            self.counters.idle_rescans += 1
            self.counters.bytes_skipped += 1
            self._tail_offset += 1
            if self._skipped is not None:
                self._skipped.append(self._tail[:1])
            found += self._scan(self._tail[1:])
        return found

    def take_skipped(self) -> bytes:
        """The bytes in no frame that were passed since the last call. b"": none, or not kept."""
        if not self._skipped:
            return b""
        skipped = b"".join(self._skipped)
        self._skipped.clear()
        return skipped

    def _scan(self, data: bytes) -> list[T]:
        found: list[T] = []
        counters = self.counters
        tally = counters.frames
        candidate_for = self._candidates.met.get
        find = self._candidates.find
        look_for_unknown = self._unknown
        known = _KNOWN
        skipped = self._skipped
        offset = self._tail_offset
        end = len(data)
        position = framed = unknown = clean = 0  # clean: behind the last frame
        while True:
            header = data[position : position + 3]
            candidate = candidate_for(header)
            if candidate is None:
                start = data.find(_STX, position)
                if start < 0:
                    position = end
                    break
                if start > position:
                    position = start
                    continue
                if position + 3 > end:
                    break
                if header[2] in known:
                    candidate = find(header)
                    if candidate is None:
                        counters.length_errors += 1
                        position += 1
                        continue
                elif look_for_unknown:
                    candidate = _candidate(header[1], self._reading(header[2], ()))
                else:
                    unknown += 1
                    position += 1
                    continue
            total, unpack_from, build = candidate
            if position + total > end:
                break
            covered, crc, etx = unpack_from(data, position)
            if etx != ETX:
                counters.etx_errors += 1
            elif crc != crc16(covered):
                counters.crc_errors += 1
            elif (value := build(covered, offset + position)) is None:
                counters.delimiter_errors += 1
            else:
                found.append(value)
                tally[header[2]] += 1
                framed += total
                if position > clean and skipped is not None:
                    skipped.append(data[clean:position])
                position += total
                clean = position
                continue
            position += 1
        if position > clean and skipped is not None:
            skipped.append(data[clean:position])
        self._tail = data[position:]
        self._tail_offset = offset + position
        counters.unknown_commands += unknown
        counters.bytes_in_frames += framed
        counters.bytes_skipped += position - framed
        return found
