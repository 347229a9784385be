"""The file format of a capture: pcapng, which Wireshark and many other tools read.

Each run of the program writes a section: a section header without a length (so that the file can be
appended to, and be cut off anywhere), an interface of link type USER10 for each port, a packet for
each read from and write to a port, and at a clean end the statistics of the interfaces. A packet
contains the bytes of one read or write, so a frame may be spread over several. Its timestamp is
wall time in nanoseconds, its flags give the direction (inbound: from the coprocessor), a comment
has the monotonic time, which never jumps, and its drop count is the number of packets lost before.

Our own writer and reader, because existing ones do not fit: python-pcapng (the one in pure Python)
has had no release since 2022 and has no types; it converts timestamps to floats, which costs their
last three digits; it reads zeros at the end, which a crash leaves, as a block, and trusts any
length in a damaged block; and it has 2,700 lines for the four kinds of block that are written
here.

Source: draft-ietf-opsawg-pcapng; LINKTYPE_USER0..15 (147..162) are free for private use.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct, error, unpack_from
from typing import Literal, NamedTuple

from firmware_protocol.commands import FACTS, Command, Direction
from firmware_protocol.errors import RemoteProtocolError
from firmware_protocol.framing import decode_frame

LINK_TYPE = 157
"""LINKTYPE_USER10. Not USER0, which most programs use first."""
LINK_TYPES = range(147, 163)
"""Accepted when reading: other programs may use another one."""

SECTION, INTERFACE, OLD_PACKET, SIMPLE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
MAX_BLOCK = 1 << 24
"""Bytes; a block with a larger length is damaged. Wireshark has the same limit."""

MAX_INTERFACES = 1 << 15
"""Of a section; with more it is damaged. Each that is used takes some kilobytes."""

MAX_NUMBER = (1 << 64) - 1
"""Of nanoseconds and of records; captures of other programs may contain more."""

INBOUND, OUTBOUND = 1, 2
_COMMENT, _END = 1, 0
_APPLICATION = 4
_IF_NAME, _IF_DESCRIPTION, _IF_SPEED, _IF_RESOLUTION, _IF_OFFSET = 2, 3, 8, 9, 14
_FLAGS, _DROPPED = 2, 4
_START, _STOP, _KEPT, _LOST = 2, 3, 4, 5

_MONOTONIC = re.compile(rb"monotonic (\d{1,12})\.(\d{9}) s")
_NANOSECONDS = 9
_SECOND = 10**9


Line = tuple[int, bool]
"""Port, and whether the host sends: together one stream of bytes, within a section."""


class Record(NamedTuple):
    """The bytes of one read or one write of a port."""

    sent: bool
    """By the host; else it was received from the coprocessor."""
    wall: int
    """Nanoseconds since 1970, UTC."""
    monotonic: int | None
    """Nanoseconds since an arbitrary moment; None in captures of other programs."""
    data: bytes
    lost: int = 0
    """Records before this one that were lost."""
    section: int = 0
    """Counts the runs of the program that wrote it. Their monotonic times cannot be compared."""
    interface: int = 0
    """Counts the ports of a section."""

    @property
    def line(self) -> Line:
        return self.interface, self.sent

    def parts(self, longest: int) -> Iterator["Record"]:
        """The same in records of so many bytes at most: a file may have 16 MB in one."""
        if len(self.data) <= longest:
            yield self
            return
        for start in range(0, len(self.data), longest):
            lost = 0 if start else self.lost
            yield self._replace(data=self.data[start : start + longest], lost=lost)


# --- writing


_pack_option = Struct("<HH").pack
_pack_flags = Struct("<HHI").pack
_pack_packet = Struct("<IIIII").pack


def _option(code: int, value: bytes) -> bytes:
    return _pack_option(code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes, options: bytes = b"") -> bytes:
    if options:
        options += bytes(4)  # the end of the options
    total = 12 + len(body) + len(options)
    length = total.to_bytes(4, "little")
    return kind.to_bytes(4, "little") + length + body + options + length


def section(application: str, *ports: str | None, baud: int = 115200, gather_ms: int = 0) -> bytes:
    """The beginning of a section: its header, and an interface for each port, one at least.

    application: the program that writes it. ports: their names; None: left out. gather_ms: how
    much earlier than the time of its record a byte may have come, in milliseconds.
    """
    header = Struct("<IHHq").pack(BYTE_ORDER_MAGIC, 1, 0, -1)
    begin = _block(SECTION, header, _option(_APPLICATION, application.encode()))
    return begin + b"".join(interface(port, baud, gather_ms) for port in ports or (None,))


def interface(port: str | None = None, baud: int = 115200, gather_ms: int = 0) -> bytes:
    """One more port of the section. They are numbered in their order."""
    about = _option(_IF_NAME, port.encode("utf-8", "replace")[:1024]) if port else b""
    gathered = f", received up to {gather_ms} ms before the time of a record" if gather_ms else ""
    about += _option(_IF_DESCRIPTION, f"CA-UART{gathered}".encode())
    about += _option(_IF_SPEED, baud.to_bytes(8, "little"))
    about += _option(_IF_RESOLUTION, bytes([_NANOSECONDS]))
    return _block(INTERFACE, Struct("<HHI").pack(LINK_TYPE, 0, 0), about)


def packet(record: Record) -> bytes:
    """The block of one record."""
    data = record.data
    high, low = divmod(min(record.wall, MAX_NUMBER), 1 << 32)
    body = (
        _pack_packet(record.interface, high, low, len(data), len(data))
        + data
        + bytes(-len(data) % 4)
    )
    options = b""
    if record.monotonic is not None:
        seconds, rest = divmod(record.monotonic, _SECOND)
        options = _option(_COMMENT, b"monotonic %d.%09d s" % (seconds, rest))
    options += _pack_flags(_FLAGS, 4, OUTBOUND if record.sent else INBOUND)
    if record.lost:
        options += _option(_DROPPED, min(record.lost, MAX_NUMBER).to_bytes(8, "little"))
    return _block(PACKET, body, options)


def statistics(start: int, end: int, kept: int, lost: int, number: int = 0) -> bytes:
    """The block at a clean end, one for each interface. Wall times in nanoseconds; counts of
    records."""

    def time(code: int, value: int) -> bytes:
        high, low = divmod(min(value, MAX_NUMBER), 1 << 32)
        return _option(code, Struct("<II").pack(high, low))

    options = time(_START, start) + time(_STOP, end)
    options += _option(_KEPT, kept.to_bytes(8, "little"))
    options += _option(_LOST, lost.to_bytes(8, "little"))
    high, low = divmod(min(end, MAX_NUMBER), 1 << 32)
    return _block(STATISTICS, Struct("<III").pack(number, high, low), options)


# --- reading


@dataclass(slots=True)
class _Interface:
    link_type: int
    port: int
    """Counts the interfaces that may be a UART; other programs may write others, too."""
    units: int = 1_000_000
    """A second, in the units of its timestamps."""
    offset: int = 0
    """Seconds to add to them."""
    asked: bytes = b""
    """The last frame of a host that may come back as an echo, where directions are unknown."""


@dataclass(slots=True)
class _Section:
    order: str
    """The byte order, as struct writes it."""
    interfaces: list[_Interface] = field(default_factory=list)
    ports: int = 0
    """Of them, those that may be a UART."""


class Reader:
    """The records of a capture, in the order of the file.

    blocks: the bytes of the file, in pieces of any size. Never raises for the content: what is
    wrong with the file is in `problem` after the last record.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.problem: str | None = None
        """Why the file ended early, or what is missing; None: nothing is wrong."""
        self.good = 0
        """Bytes of the file up to the end of the last complete block."""
        self.sections = 0
        self.other_packets = 0
        """Packets of link types other than a UART; left out."""
        self.cut_packets = 0
        """Packets that were recorded with a snapshot length: only their beginning was kept."""
        self.ended = False
        """Does the (last) section have a clean end?"""
        self.is_ours = False
        """Was the (last) section written by this program, which writes an end?"""
        self.cut = False
        """Is the only problem that the file ends too early?"""
        self._blocks = iter(blocks)
        self._buffer = b""
        self._position = 0
        """Of the next byte in the buffer."""
        self._section: _Section | None = None

    def __iter__(self) -> Iterator[Record]:
        while header := self._want(12):
            if len(header) < 12:
                self._cut(len(header))
                return
            order = self._byte_order(header)
            if order is None:
                where = f"at byte {self.good}" if self.good else "at its beginning"
                self.problem = f"damaged {where}: no pcapng block begins there"
                return
            kind, total = unpack_from(f"{order}II", header)
            if not any(header):
                self.cut = True
                self.problem = f"only zeros from byte {self.good} on, as after a crash"
                return
            if total % 4 or not 12 <= total <= MAX_BLOCK:
                self.problem = f"damaged at byte {self.good}: a block of {total} bytes"
                return
            block = self._want(total)
            if len(block) < total:
                self._cut(len(block))
                return
            if unpack_from(f"{order}I", block, total - 4)[0] != total:
                self.problem = f"damaged at byte {self.good}: the two lengths of a block differ"
                return
            try:
                record = self._take(kind, order, block[8:-4])
            except (error, IndexError):
                self.problem = f"damaged at byte {self.good}: a block with invalid content"
                return
            self._position += total
            self.good += total
            if record:
                yield record
        if not self.sections:
            self.problem = "empty"

    def _want(self, raw: int) -> bytes:
        """The next bytes, without consuming them; fewer at the end of the file."""
        there = len(self._buffer) - self._position
        if there < raw:
            parts = [self._buffer[self._position :]]
            while there < raw and (block := next(self._blocks, b"")):
                parts.append(block)
                there += len(block)
            self._buffer = b"".join(parts)
            self._position = 0
        return self._buffer[self._position : self._position + raw]

    def _cut(self, raw: int) -> None:
        self.cut = True
        self.problem = (
            f"cut off: the last block is incomplete ({raw} bytes of it are there); the program "
            "that wrote it was killed, or is still running"
        )

    def _byte_order(self, header: bytes) -> str | None:
        """Of the block with this header; None: it is no block."""
        if header.startswith(b"\n\r\r\n"):
            for order in "<>":
                if unpack_from(f"{order}I", header, 8)[0] == BYTE_ORDER_MAGIC:
                    return order
            return None
        return self._section.order if self._section else None

    def _take(self, kind: int, order: str, body: bytes) -> Record | None:
        if kind == SECTION:
            application = _options(order, body[16:], _APPLICATION).get(_APPLICATION, b"")
            self._section = _Section(order)
            self.sections += 1
            self.ended = False
            self.is_ours = application.startswith(b"ruuvi-host ")
            return None
        section = self._section
        assert section is not None
        if kind == INTERFACE:
            if len(section.interfaces) >= MAX_INTERFACES:
                raise IndexError
            interface = _Interface(unpack_from(f"{order}H", body)[0], section.ports)
            section.ports += interface.link_type in LINK_TYPES
            options = _options(order, body[8:], _IF_RESOLUTION, _IF_OFFSET)
            resolution = options.get(_IF_RESOLUTION, b"\x06")[0]
            base, exponent = (2, resolution & 127) if resolution & 128 else (10, resolution)
            interface.units = base ** min(exponent, 64)
            if offset := options.get(_IF_OFFSET):
                (interface.offset,) = unpack_from(f"{order}q", offset)
            section.interfaces.append(interface)
        elif kind == PACKET:
            return self._packet(section, body)
        elif kind == OLD_PACKET:  # of old tools: two short numbers instead of a long one
            number, dropped = unpack_from(f"{order}HH", body)
            record = self._packet(section, Struct(f"{order}I").pack(number) + body[4:])
            return record and record._replace(lost=dropped if dropped < 0xFFFF else 0)
        elif kind == SIMPLE:
            (length,) = unpack_from(f"{order}I", body)
            data = body[4 : 4 + length]
            return self._record(section, 0, 0, data, {}, cut=length > len(body) - 4)
        elif kind == STATISTICS:
            self.ended = True
        return None  # unknown kinds are to be skipped

    def _packet(self, section: _Section, body: bytes) -> Record | None:
        order = section.order
        number, high, low, length, original = unpack_from(f"{order}IIIII", body)
        if 20 + length > len(body):
            raise IndexError
        behind = body[20 + length + -length % 4 :]
        options = _options(order, behind, _FLAGS, _DROPPED, _COMMENT)
        data, time = body[20 : 20 + length], high << 32 | low
        return self._record(section, number, time, data, options, cut=length < original)

    def _record(
        self,
        section: _Section,
        number: int,
        time: int,
        data: bytes,
        options: dict[int, bytes],
        *,
        cut: bool,
    ) -> Record | None:
        interface = section.interfaces[number]
        if interface.link_type not in LINK_TYPES:
            self.other_packets += 1
            return None
        self.cut_packets += cut
        order: Literal["little", "big"] = "little" if section.order == "<" else "big"
        flags = int.from_bytes(options.get(_FLAGS, b"")[:4], order)
        lost = int.from_bytes(options.get(_DROPPED, b"")[:8], order)
        comment = _MONOTONIC.match(options.get(_COMMENT, b""))
        return Record(
            flags & 3 == OUTBOUND or (not flags & 3 and _is_of_host(data, interface)),
            max(time * _SECOND // interface.units + interface.offset * _SECOND, 0),
            int(comment[1]) * _SECOND + int(comment[2]) if comment else None,
            data,
            lost,
            self.sections - 1,
            interface.port,
        )


def _is_of_host(data: bytes, interface: _Interface) -> bool:
    """Is this a frame that a host sends? For captures without directions; hosts write complete
    frames. Firmware 1.0.0 answers LED_CTRL with the same frame again."""
    try:
        command = decode_frame(data).command
    except RemoteProtocolError:
        return False
    if FACTS[Command(command)].direction is not Direction.HOST_TO_COPROCESSOR:
        interface.asked = b"" if command == Command.ACK else interface.asked
        return False
    is_echo = data == interface.asked
    interface.asked = data if command == Command.LED_CTRL and not is_echo else b""
    return not is_echo


def _options(order: str, raw: bytes, *wanted: int) -> dict[int, bytes]:
    """The value of the first one of each code that is wanted. A block may have millions of others,
    so nothing is kept of them."""
    found: dict[int, bytes] = {}
    header = Struct(f"{order}HH").unpack_from
    position, last = 0, len(raw) - 4
    while position <= last:
        code, length = header(raw, position)
        if code == _END:
            break
        if code in wanted and code not in found:
            found[code] = raw[position + 4 : position + 4 + length]
        position += 4 + length + -length % 4
    return found
