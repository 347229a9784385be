"""What damages a line, by the bytes that are in no frame.

A cause is proven where it can be: what it does to the bytes is undone, and intact frames come out.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from itertools import islice

from firmware_protocol.crc import crc16
from firmware_protocol.framing import ETX, OVERHEAD, STX, FrameScanner, frames

CANDIDATES = 16
"""Damaged frames that are tried byte by byte: each takes up to 500 checksums."""
MOST_STARTS = 256
"""Beginnings of frames that are tried once each."""
PROOF = 2
"""Frames that must come out where a byte is guessed. A checksum fits by chance once in 65536."""
ENOUGH_TEXT = 24
"""Characters in a row that noise does not make."""


class DamageCause(Enum):
    """What damages the bytes."""

    UNKNOWN = "unknown"
    """Noise, bytes that are missing, or another program that reads the same port."""
    FOREIGN = "not_ca_uart"
    """There is not a single frame: another speed, or something else sends."""
    TELNET = "telnet"
    """0xFF comes twice, or commands of telnet come between: the server speaks telnet."""
    JLINK = "jlink"
    """A debugger of SEGGER puts "USBS" and zeros in place of parts."""
    LINE_ENDS = "line_ends"
    """Something in between changes CR and LF: adds (or a NUL behind them), removes, or exchanges
    them."""
    FLOW_CONTROL = "flow_control"
    """0x11 and 0x13 are missing: something in between takes them for XON and XOFF."""
    SEVEN_BITS = "seven_bits"
    """The highest bit is missing."""
    AS_TEXT = "as_text"
    """Something in between takes the bytes for text: as UTF-8, or as hexadecimal digits."""
    NEW_FRAMES = "unknown_frames"
    """They are intact frames of a kind that this library does not know."""
    CONSOLE = "console"
    """The log or the login of a Linux machine."""
    BOOT_LOADER = "boot_loader"
    """The messages of a boot loader or of another firmware at its start."""
    TEXT = "text"
    """Some other text."""


_GREETING = re.compile(rb"(?:\xff[\xfb-\xfe][\x00-\x32]){2}|\xff\xfa[\x00-\x32]")
_JLINK = b"USBS"
_RUN_OF_TEXT = re.compile(rb"[\t\n\r\x1b\x20-\x7e]{%d,}" % ENOUGH_TEXT)
_CONSOLE = re.compile(
    rb"login: |Password: |Linux version|\[ *\d+\.\d{6}\]|systemd|command not found|BusyBox|:~[#$] "
    rb"|to activate this console"
)
_BOOT_LOADER = re.compile(
    rb"U-Boot|GNU GRUB|\bets [A-Z]|rst:0x|ESP-ROM|boot:0x|Hit any key|Starting kernel|Booting"
    rb"|[Bb]ootloader|MicroPython|CircuitPython"
)


def has_greeting(head: bytes) -> bool:
    """Does a telnet server offer its options here?"""
    return bool(_GREETING.search(head))


def cause_of(skipped: bytes, head: bytes = b"", *, any_frame: bool) -> DamageCause:
    """skipped: bytes that are in no frame, in order. head: the first ones of this life.
    any_frame: there was an intact one."""
    if _JLINK in skipped:
        return DamageCause.JLINK
    if has_greeting(head) or _holds_frames(skipped.replace(b"\xff\xff", b"\xff"), skipped):
        return DamageCause.TELNET
    for cause, proves in _PROOFS:
        if proves(skipped):
            return cause
    text = b" ".join(_RUN_OF_TEXT.findall(skipped))
    if 2 * len(text) >= len(skipped) > 0:
        if _BOOT_LOADER.search(text):
            return DamageCause.BOOT_LOADER
        return DamageCause.CONSOLE if _CONSOLE.search(text) else DamageCause.TEXT
    return DamageCause.UNKNOWN if any_frame else DamageCause.FOREIGN


def _holds_frames(repaired: bytes, damaged: bytes) -> bool:
    return repaired != damaged and bool(FrameScanner(frames).feed(repaired))


def _changes_line_ends(skipped: bytes) -> bool:
    undone = ((b"\r\n", b"\n"), (b"\r", b"\n"), (b"\n\n", b"\n"), (b"\r\0", b"\r"))
    return (
        any(_holds_frames(skipped.replace(*change), skipped) for change in undone)
        or _proven(_without_end(skipped))
        or _proven(_with_cr_for_lf(skipped))
        or _proven(_with_byte_again(skipped, b"\r"))
    )


def _holds_new_frames(skipped: bytes) -> bool:
    return len(FrameScanner(frames, unknown=True).feed(skipped)) >= PROOF


def _lacks_flow_control(skipped: bytes) -> bool:
    return _proven(_with_byte_again(skipped, b"\x11")) or _proven(
        _with_byte_again(skipped, b"\x13")
    )


def _lacks_highest_bit(skipped: bytes) -> bool:
    """Where are STX without its highest bit, a known command and ETX at its place?"""
    if any(byte & 0x80 for byte in skipped):
        return False
    places = (match.start() for match in re.finditer(rb"\x4a(?=.[\x10-\x12\x20])", skipped, re.S))
    ends = (place + skipped[place + 1] + OVERHEAD - 1 for place in places)
    return sum(skipped[end : end + 1] == bytes([ETX]) for end in ends) >= PROOF


def _is_text(skipped: bytes) -> bool:
    if skipped.count("\ufffd".encode()) >= PROOF:
        return True
    as_read = skipped.decode("utf-8", "ignore").encode("latin-1", "ignore")
    if _holds_frames(as_read, skipped):
        return True
    digits = re.sub(rb"0x|[\s:,-]", b"", skipped).decode("ascii", "replace")
    start = digits.upper().find("CA")
    run = re.match("(?:[0-9A-Fa-f]{2})*", digits[start:]) if start >= 0 else None
    with suppress(ValueError):
        return bool(run) and _holds_frames(bytes.fromhex(run[0] if run else ""), skipped)
    return False


_PROOFS: tuple[tuple[DamageCause, Callable[[bytes], bool]], ...] = (
    (DamageCause.NEW_FRAMES, _holds_new_frames),
    (DamageCause.LINE_ENDS, _changes_line_ends),
    (DamageCause.FLOW_CONTROL, _lacks_flow_control),
    (DamageCause.AS_TEXT, _is_text),
    (DamageCause.SEVEN_BITS, _lacks_highest_bit),
)


def _with_cr_for_lf(skipped: bytes) -> Iterator[bool]:
    """Each whole candidate, with one LF in it made a CR again: is it a frame?"""
    for start, total in _candidates(skipped, missing=0):
        chunk = skipped[start : start + total]
        places = (i for i, byte in enumerate(chunk[:-1]) if byte == ETX)
        yield any(_fits(chunk[:i] + b"\r" + chunk[i + 1 :]) for i in places)


def _with_byte_again(skipped: bytes, byte: bytes) -> Iterator[bool]:
    """Each candidate that is one byte too short, with `byte` put back: is it a frame?"""
    for start, total in _candidates(skipped, missing=1):
        chunk = skipped[start : start + total - 1]
        yield any(_fits(chunk[:i] + byte + chunk[i:]) for i in range(2, total))


def _without_end(skipped: bytes) -> Iterator[bool]:
    """Each candidate, if it is a frame but for the LF at its end."""
    starts = (match.start() for match in re.finditer(re.escape(bytes([STX])), skipped))
    for start in islice(starts, MOST_STARTS):
        total = skipped[start + 1] + OVERHEAD if start + 1 < len(skipped) else 0
        chunk = skipped[start : start + total - 1]
        yield OVERHEAD <= total == len(chunk) + 1 and _fits(chunk + bytes([ETX]))


def _candidates(skipped: bytes, missing: int) -> Iterator[tuple[int, int]]:
    """Where a frame may begin, and how long it would be; its ETX is `missing` bytes early."""
    left, start = CANDIDATES, skipped.find(STX)
    while start >= 0 and left and start + 1 < len(skipped):
        total = skipped[start + 1] + OVERHEAD
        end = start + total - 1 - missing
        if end < len(skipped) and skipped[end] == ETX:
            left -= 1
            yield start, total
        start = skipped.find(STX, start + 1)


def _fits(frame: bytes) -> bool:
    return crc16(frame[1:-3]) == int.from_bytes(frame[-3:-1], "little")


def _proven(found: Iterator[bool]) -> bool:
    return sum(found) >= PROOF
