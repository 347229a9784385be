"""How numbers are packed into bytes: the building blocks that the data formats share.

A block converts both ways between the raw number in a payload and its value; None is the value of
the raw number that means "not available".
"""

from collections.abc import Callable, Iterable
from math import exp, log

from ruuvi_host.errors import FormatError


def _nearest(raw: float, lowest: int, highest: int) -> int:
    """`raw` within its limits, as an integer; halves away from zero, as C's round() has it."""
    if raw <= lowest:
        return lowest
    if raw >= highest:
        return highest
    return int(raw + 0.5) if raw >= 0 else int(raw - 0.5)


class Number:
    """A float: value = (raw + offset) * times / per_unit. One division, so the nearest float.

    lowest, highest: limits of the raw number for encode(); decode() accepts any number.
    missing: the raw number for "not available"; where there is none, None is encoded as 0.
    """

    __slots__ = ("decode", "highest", "lowest", "missing", "offset", "per_unit", "times")
    decode: Callable[[int], float | None]
    """A function of its own, because it is called for nearly every field of every reading."""

    def __init__(
        self,
        per_unit: int,
        lowest: int,
        highest: int,
        missing: int | None = None,
        offset: int = 0,
        times: int = 1,
    ) -> None:
        self.per_unit = per_unit
        self.lowest = lowest
        self.highest = highest
        self.missing = missing
        self.offset = offset
        self.times = times
        if (offset, times) == (0, 1):
            self.decode = lambda raw: None if raw == missing else raw / per_unit
        else:
            self.decode = lambda raw: None if raw == missing else (raw + offset) * times / per_unit

    def encode(self, value: float | None) -> int:
        if value is None:
            return self.missing or 0
        raw = value * self.per_unit / self.times - self.offset
        return _nearest(raw, self.lowest, self.highest)


class Whole:
    """An int: value = base + step * raw. The other arguments are those of Number."""

    __slots__ = ("base", "decode", "highest", "lowest", "missing", "step")
    decode: Callable[[int], int | None]

    def __init__(
        self, lowest: int, highest: int, missing: int | None = None, base: int = 0, step: int = 1
    ) -> None:
        self.lowest = lowest
        self.highest = highest
        self.missing = missing
        self.base = base
        self.step = step
        self.decode = lambda raw: None if raw == missing else base + step * raw

    def encode(self, value: float | None) -> int:
        if value is None:
            return self.missing or 0
        return _nearest((value - self.base) / self.step, self.lowest, self.highest)


class Logarithmic:
    """One byte: value = exp(raw * ln(top) / 254) - minus, in hundredths; 255 is missing."""

    __slots__ = ("_minus", "_steps", "_values")

    def __init__(self, top: int, minus: int) -> None:
        self._minus = minus
        self._steps = 254 / log(top)
        exact = (exp(raw / self._steps) - minus for raw in range(255))
        self._values = (*(round(value, 2) for value in exact), None)

    def decode(self, raw: int) -> float | None:
        return self._values[raw]

    def encode(self, value: float | None) -> int:
        if value is None:
            return 255
        linear = value + self._minus
        return _nearest(log(linear) * self._steps, 0, 254) if linear > 1 else 0


TEMPERATURE = Number(200, -0x7FFF, 0x7FFF, missing=-0x8000)
HUMIDITY = Number(400, 0, 0xFFFE, missing=0xFFFF)
PRESSURE = Whole(0, 0xFFFE, missing=0xFFFF, base=50000)
ACCELERATION = Number(1000, -0x7FFF, 0x7FFF, missing=-0x8000)
PARTICLES = Number(10, 0, 0xFFFE, missing=0xFFFF)
U8 = Whole(0, 0xFE, missing=0xFF)
U16 = Whole(0, 0xFFFE, missing=0xFFFF)

# Nine bits: a byte, and the least significant bit among the flags.
AIR_INDEX = Whole(0, 510, missing=511)
SOUND = Number(5, 0, 510, missing=511, offset=90)

# The power word: battery voltage in its upper 11 bits, TX power in its lower 5.
VOLTAGE = Number(1000, 0, 2046, missing=2047, offset=1600)
TX_POWER = Whole(0, 30, missing=31, base=-40, step=2)
# VOLTAGES[word >> 5], TX_POWERS[word & 31]: two look-ups instead of two calls.
VOLTAGES = tuple(VOLTAGE.decode(raw) for raw in range(2048))
TX_POWERS = tuple(TX_POWER.decode(raw) for raw in range(32))


def encode_power(voltage: float | None, tx_power: float | None) -> int:
    """The power word of a voltage in V and a TX power in dBm."""
    return VOLTAGE.encode(voltage) << 5 | TX_POWER.encode(tx_power)


_HUNDREDTHS = Number(100, 0, 12799)


def decode_sign_magnitude(byte: int, hundredths: int) -> float:
    """A temperature of the formats 2, 3 and 4: sign and whole degrees, then hundredths.

    Some senders put more than 99 into the second byte; it is added all the same.
    """
    magnitude = ((byte & 0x7F) * 100 + hundredths) / 100
    return 0.0 - magnitude if byte & 0x80 else magnitude  # a subtraction never gives -0.0


def encode_sign_magnitude(value: float | None) -> tuple[int, int]:
    """The two bytes of a temperature in degrees C."""
    whole, hundredths = divmod(_HUNDREDTHS.encode(abs(value or 0)), 100)
    is_negative = value is not None and value < 0 and (whole or hundredths)
    return whole | 0x80 if is_negative else whole, hundredths


MAC_TEXTS: dict[bytes, str | None] = {}
"""The results of `mac_text` so far: few addresses send many readings."""


def mac_text(content: bytes) -> str | None:
    """An address, or the end of one, as CB:B8:33:4C:88:4F; None for all FF."""
    if content not in MAC_TEXTS:
        if len(MAC_TEXTS) >= 4096:  # a flood of addresses must not fill the memory
            MAC_TEXTS.clear()
        MAC_TEXTS[content] = content.hex(":").upper() if content.strip(b"\xff") else None
    return MAC_TEXTS[content]


def encode_mac(text: str | None, size: int) -> bytes:
    """The bytes of an address, or of its last `size`; all FF for None."""
    return b"\xff" * size if text is None else bytes.fromhex(text.replace(":", ""))


def encode_bits(*bits: bool | int) -> int:
    """A flags byte; the first argument is its least significant bit. Of an int, bit 0 counts."""
    return sum((bit & 1) << position for position, bit in enumerate(bits))


def _crc8_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


_CRC8 = tuple(_crc8_of_byte(byte) for byte in range(256))


def crc8(data: Iterable[int]) -> int:
    """Polynomial 0x07, start 0, no reflection, no final xor; "123456789" gives 0xF4."""
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def wrong_length(payload: bytes, expected: int) -> FormatError:
    """The error for a payload that does not have the `expected` number of bytes."""
    name = payload[:1].hex().upper().lstrip("0")
    return FormatError(
        "bad_length",
        f"data format {name} has {expected} bytes, and this payload has {len(payload)}",
    )
