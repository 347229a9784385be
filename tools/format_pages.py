"""Writes docs/pages/formats-*.md: what stands in which bytes of each data format.

    python tools/format_pages.py

Nothing in those tables is written by hand. Each bit of a payload is turned over, and what changes
in the decoded reading tells where a field is; limits and the codes for "not available" come from
the encoders. A test compares the pages with what comes out here, so they cannot drift.
"""

from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from ruuvi_host.formats import (
    FORMATS,
    FormatError,
    Measurement,
    fields,
)
from ruuvi_host.formats.coding import crc8
from ruuvi_host.formats.measurement import QUANTITIES

PAGES = Path(__file__).parents[1] / "docs" / "pages"
PROBES = 24
"""Payloads of random bytes in which every bit is turned over."""


class Family(NamedTuple):
    """A page."""

    title: str
    about: str
    numbers: tuple[int, ...]


FAMILIES = {
    "tags": Family(
        "Data formats of RuuviTags",
        "Format 5 is what RuuviTags send today, C5 the same without acceleration, for firmware "
        "that also lists a service; 3 is from old firmware. Format 7 is a proof of concept. A "
        "RuuviTag Pro without a sensor for something says that it is not available.",
        (0x05, 0xC5, 0x03, 0x07),
    ),
    "air": Family(
        "Data formats of Ruuvi Air",
        "A Ruuvi Air sends format 6 in legacy advertising and E1 in extended advertising, of the "
        "same samples. E0 and F0 are from prototypes. Units that are sold have no microphone: "
        "sound is not available.",
        (0xE1, 0x06, 0xE0, 0xF0),
    ),
    "encrypted": Family(
        "Encrypted data formats",
        "Offsets are those after bytes 1 to 16, one AES-128 block, were decrypted with the key "
        "of the device. Both formats are from custom projects and proofs of concept.",
        (0x08, 0xFA),
    ),
    "urls": Family(
        "Data formats in URLs",
        "The first tags sent an Eddystone URL, https://ruu.vi/#…, whose fragment is base64. "
        "Offsets are those in the six bytes behind it. The ninth character of format 4 is "
        "tag_id.",
        (0x02, 0x04),
    ),
}

NOTES = {
    0x03: "Longer payloads are accepted: some firmware padded them. Byte 3 may exceed 99.",
    0x07: "Byte 16 is a CRC-8 (polynomial 0x07) over bytes 0 to 15.",
    0x08: "Byte 17 is a CRC-8 (polynomial 0x07) over the decrypted block; it tells a wrong key.",
    0xE1: "Bytes 29 to 33 are reserved, FF.",
    0xE0: "Bytes 29 to 33 are reserved, FF.",
    0xFA: "Bytes 15 and 16 are 0, which tells a wrong key.",
}

Bit = tuple[int, int]
"""(byte, bit), bit 0 being the least significant."""


def close(number: int, opened: bytes) -> bytes:
    """What the decoder takes, of a payload whose checksum is stale, or that is sent in a URL."""
    if number == 0x07:
        return opened[:16] + bytes([crc8(opened[:16])]) + opened[17:]
    if FORMATS[number].in_url:
        return urlsafe_b64encode(opened) + b"x"
    return opened


def read(number: int, opened: bytes) -> dict[str, Any] | None:
    """The fields, or None where something does not fit."""
    try:
        return fields(FORMATS[number].decode(close(number, opened)))
    except FormatError:
        return None


def empty(number: int) -> Measurement:
    """A reading with nothing in it."""
    reading: Any = FORMATS[number].reading
    made: Measurement = reading(data_format=number)
    return made


def where(number: int, length: int) -> dict[str, set[Bit]]:
    """Field → the bits that it depends on."""
    random = Random(number)
    found: dict[str, set[Bit]] = defaultdict(set)
    for _ in range(PROBES):
        raw = bytearray([number, *random.randbytes(length - 1)])
        before = read(number, bytes(raw))
        assert before, f"format {number:X} does not decode what it should"
        for byte in range(1, length):
            for bit in range(8):
                raw[byte] ^= 1 << bit
                after = read(number, bytes(raw))
                raw[byte] ^= 1 << bit
                for name in before:
                    if after and before[name] != after[name]:
                        found[name].add((byte, bit))
    return found


def places(bits: set[Bit]) -> str:
    """Bytes, and bits where it is not all of them: `13, 14 bits 5-7`."""
    by_byte: dict[int, list[int]] = defaultdict(list)
    for byte, bit in sorted(bits):
        by_byte[byte].append(bit)
    parts = []
    whole = sorted(byte for byte, found in by_byte.items() if len(found) == 8)
    parts += [span(raw) for raw in runs(whole)]
    for byte, found in by_byte.items():
        if len(found) < 8:
            name = "bit" if len(found) == 1 else "bits"
            parts.append(f"{byte} {name} {', '.join(map(span, runs(found)))}")
    return ", ".join(parts)


def runs(numbers: list[int]) -> Iterator[list[int]]:
    """Consecutive numbers, together."""
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        yield [number for _, number in group]


def span(run: list[int]) -> str:
    return f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}"


def decoded(number: int, name: str, value: float) -> Any:
    """What comes back of one value, as near as the format gets to it."""
    reading: Any = empty(number)
    return again(number, reading._replace(**{name: value}))[name]


def again(number: int, measurement: Measurement) -> dict[str, Any]:
    """The fields of a reading that was encoded and decoded."""
    known = FORMATS[number]
    return fields(known.decode(known.encode(measurement)))


def limits(number: int, name: str, kind: object) -> str:
    if kind is bool:
        return "yes, no"
    if kind is str:
        return ""
    lowest, highest = decoded(number, name, -1e9), decoded(number, name, 1e9)
    return f"{lowest:.10g} to {highest:.10g}"


def table(number: int) -> Iterator[str]:
    known = FORMATS[number]
    found = where(number, known.length)
    sample = read(number, bytes([number]) + bytes(known.length - 1)) or {}
    lacking = again(number, empty(number))
    yield f"## {known.title}"
    yield ""
    numbers = known.sequence.length if known.sequence else 0
    counted = f" measurement_sequence has {numbers:,} numbers." if numbers else ""
    yield f"{known.length} bytes.{counted}"
    if number in NOTES:
        yield NOTES[number]
    yield ""
    yield "| bytes | field | unit | range | may be missing | meaning |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield "| 0 | data_format | | | no | layout of the payload |"
    for name in sorted(found, key=lambda name: min(found[name])):
        unit, meaning = QUANTITIES[name]
        missing = "yes" if lacking[name] is None else "no"
        cells = places(found[name]), name, unit, limits(number, name, type(sample[name]))
        yield f"| {' | '.join((*cells, missing, meaning))} |"
    yield ""


def page(family: Family) -> str:
    lines = [f"# {family.title}", "", family.about, ""]
    lines += ["Made by tools/format_pages.py from the decoders. [All formats](formats.md)", ""]
    for number in family.numbers:
        lines += table(number)
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Path → text of every page."""
    return {PAGES / f"formats-{name}.md": page(family) for name, family in FAMILIES.items()}


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
