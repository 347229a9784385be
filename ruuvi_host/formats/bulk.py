"""Many lines of hex at once: what a RuuviTag sends in bulk, everything else line by line.

The result is what the plain decoder gives for each line, in half of its time: one conversion from
hex and one unpack serve a whole block, and no value is made but its text. Tests compare the two.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from struct import Struct

from ruuvi_host.formats.coding import TX_POWERS, VOLTAGES
from ruuvi_host.formats.df5 import HEADER
from ruuvi_host.formats.measurement import QUANTITIES

_LAYOUT = Struct(f">{len(HEADER)}xhHHhhhHBH6x")
_BYTES = _LAYOUT.size
_BEGINNING = HEADER.hex().upper().encode()
_HEX = 2 * _BYTES
"""Characters of a line."""
_ADDRESS = _HEX - 12
"""Where the address begins in it."""
_NO_ADDRESS = ":".join(["FF"] * 6)

Raw = tuple[int, int, int, int, int, int, int, int, int]
"""The numbers of a payload: temperature, humidity, pressure, acceleration, power, movements,
sequence."""
Row = tuple[Raw, str, str]
"""With the line itself, and its address as text."""
Render = Callable[[Iterable[Row], Iterable[int]], list[str]]
"""(rows, numbers of their lines) → their answers."""


def answer(block: bytes, render: Render, otherwise: Callable[[bytes, int], str], first: int) -> str:
    """The answers to all lines, in their order.

    block: complete lines; behind the last one there is no line end. render: for what a RuuviTag
    sends. otherwise: for any other line, as it is, and its number. first: number of the first line.
    """
    lines = block.split(b"\n")
    seen = block.upper()
    if b"\r" in seen:
        seen = seen.replace(b"\r\n", b"\n").removesuffix(b"\r")
    comparable = lines if seen == block else seen.split(b"\n")
    usual = [len(line) == _HEX and line.startswith(_BEGINNING) for line in comparable]
    count = sum(usual)
    rows = _rows(list(compress(comparable, usual))) if count else None
    if rows is None:
        return "".join(map(otherwise, lines, range(first, first + len(lines))))
    numbers = range(first, first + len(lines))
    if count == len(lines):
        return "".join(render(rows, numbers))
    done = iter(render(rows, compress(numbers, usual)))
    each = zip(usual, lines, numbers, strict=True)
    return "".join(
        next(done) if is_usual else otherwise(line, number) for is_usual, line, number in each
    )


def _rows(lines: list[bytes]) -> Iterator[Row] | None:
    """Of lines that begin as a RuuviTag's do, and are as long; None: one of them is not hex."""
    joined = b"\n".join(lines)
    try:
        text = joined.decode("ascii")
        data = bytes.fromhex(text)  # skips the line ends
    except ValueError:
        return None
    if len(data) != len(lines) * _BYTES:  # there are spaces within a line
        return None
    addresses = _addresses(joined, len(lines))
    return zip(_LAYOUT.iter_unpack(data), text.split("\n"), addresses, strict=True)


def _addresses(joined: bytes, count: int) -> list[str]:
    """All at once: each of the twelve digits for all lines, with a step from line to line."""
    texts = bytearray((b":" * 17 + b"\n") * count)
    for digit in range(12):
        texts[digit // 2 * 3 + digit % 2 :: 18] = joined[_ADDRESS + digit :: _HEX + 1]
    return texts.decode().split("\n")[:-1]


_JSON_VOLTAGES = ["null" if value is None else str(value) for value in VOLTAGES]
_JSON_POWERS = ["null" if value is None else str(value) for value in TX_POWERS]


def json_lines(rows: Iterable[Row], numbers: Iterable[int]) -> list[str]:
    """As `decode adv --json` has them."""
    return [
        f'{{"adv":"{shown}","data_format":5,'
        f'"temperature":{"null" if t == -0x8000 else t / 200},'
        f'"humidity":{"null" if h == 0xFFFF else h / 400},'
        f'"pressure":{"null" if p == 0xFFFF else p + 50000},'
        f'"acceleration_x":{"null" if x == -0x8000 else x / 1000},'
        f'"acceleration_y":{"null" if y == -0x8000 else y / 1000},'
        f'"acceleration_z":{"null" if z == -0x8000 else z / 1000},'
        f'"battery_voltage":{_JSON_VOLTAGES[power >> 5]},"tx_power":{_JSON_POWERS[power & 31]},'
        f'"movement_counter":{"null" if movements == 0xFF else movements},'
        f'"measurement_sequence":{"null" if sequence == 0xFFFF else sequence},'
        + ('"mac":null}\n' if mac == _NO_ADDRESS else f'"mac":"{mac}"}}\n')
        for (t, h, p, x, y, z, power, movements, sequence), shown, mac in rows
    ]


_CSV_VOLTAGES = ["" if value is None else str(value) for value in VOLTAGES]
_CSV_POWERS = ["" if value is None else str(value) for value in TX_POWERS]
_REST = "," * (len(QUANTITIES) - 12) + "\n"
"""The columns that only other formats have."""


def csv_lines(rows: Iterable[Row], numbers: Iterable[int]) -> list[str]:
    """As `decode adv --csv` has them: number of the line, no error, the columns."""
    return [
        f"{number},,5,{'' if t == -0x8000 else t / 200},{'' if h == 0xFFFF else h / 400},"
        f"{'' if p == 0xFFFF else p + 50000},{'' if x == -0x8000 else x / 1000},"
        f"{'' if y == -0x8000 else y / 1000},{'' if z == -0x8000 else z / 1000},"
        f"{_CSV_VOLTAGES[power >> 5]},{_CSV_POWERS[power & 31]},"
        f"{'' if movements == 0xFF else movements},{'' if sequence == 0xFFFF else sequence},"
        f"{'' if mac == _NO_ADDRESS else mac}{_REST}"
        for number, ((t, h, p, x, y, z, power, movements, sequence), _, mac) in zip(
            numbers, rows, strict=True
        )
    ]
