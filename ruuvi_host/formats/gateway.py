"""The other view of a reading: decoded as the Ruuvi Gateway does it, name by name, digit by digit.

The gateway recognises less than `decode` (fixed places instead of AD structures, neither lengths
nor flags checked) and prints differently (its own names, a fixed number of decimals, raw codes
where only measurements have a "not available"). Servers rely on all of that, so they get exactly
the same bytes from us.

Source: ruuvi.gateway_esp.c adv_decode_0x05.c, 0x06.c, 0xe0.c, 0xe1.c, 0xf0.c.
"""

from collections.abc import Callable
from functools import cache
from math import exp, log
from struct import Struct, pack, unpack

Members = list[tuple[str, str]]
"""(name, value as JSON text), in the gateway's order."""

NULL = "null"


def gateway_members(data: bytes) -> Members:
    """What the gateway adds to a tag whose advertising data is `data`; empty: not decoded."""
    # Data shorter than the format is read as if zeros followed.
    padded = data.ljust(_LONGEST, b"\0")
    for recognised, start, members in _FORMATS:
        if recognised(padded):
            return members(padded[start:])
    return []


def payload_members(payload: bytes) -> Members:
    """The same for a payload that was found elsewhere than the gateway looks for it; empty: it is
    of no format that it decodes.

    payload: as long as its format is, from the format byte on.
    """
    found = _OF_PAYLOADS.get(payload[0]) if payload else None
    return found(payload) if found else []


# -- numbers --------------------------------------------------------------------------------------


def _decimal(numerator: int, denominator: int, decimals: int) -> str:
    """numerator / denominator, rounded half to even. What is negative keeps its sign, even at 0."""
    scaled, rest = divmod(abs(numerator) * 10**decimals, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and scaled & 1):
        scaled += 1
    sign = "-" if numerator < 0 else ""
    if not decimals:
        return f"{sign}{scaled}"
    whole, fraction = divmod(scaled, 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}"


def _binary32(value: float) -> float:
    """The nearest single-precision number: the firmware calculates with those."""
    rounded: float = unpack("<f", pack("<f", value))[0]
    return rounded


def _temperature(raw: int, decimals: int) -> str:
    return NULL if raw == -0x8000 else _decimal(raw, 200, decimals)


def _humidity(raw: int, decimals: int) -> str:
    return NULL if raw == 0xFFFF else _decimal(raw, 400, decimals)


def _humidity_binary32(raw: int) -> str:
    """Formats E0 and E1 multiply by 100 in single precision before they round: 118 gives 0.29."""
    if raw == 0xFFFF:
        return NULL
    return _decimal(round(_binary32(_binary32(raw / 400) * 100)), 100, 2)


def _pressure(raw: int) -> str:
    return NULL if raw == 0xFFFF else str(raw + 50000)


def _particles(raw: int) -> str:
    return NULL if raw == 0xFFFF else _decimal(raw, 10, 1)


def _count(raw: int, invalid: int) -> str:
    return NULL if raw == invalid else str(raw)


def _sound(nine_bits: int) -> str:
    return NULL if nine_bits == 511 else _decimal(nine_bits + 90, 5, 1)


def _half(raw: int) -> str:
    return NULL if raw == 0xFF else _decimal(raw, 2, 1)


def _nine_bits(byte: int, flags: int, bit: int) -> int:
    return byte * 2 + (flags >> bit & 1)


def _flag(flags: int, bit: int) -> str:
    return "true" if flags >> bit & 1 else "false"


def _id(content: bytes) -> str:
    return f'"{content.hex(":").upper()}"'


@cache
def _exponential(raw: int, top: int, minus: int, decimals: int) -> str:
    """Format F0's exp(raw · ln(top) / 254) - minus, in single precision at each step."""
    if raw == 0xFF:
        return NULL
    step = _binary32(_binary32(log(top)) / 254)
    value = _binary32(_binary32(exp(_binary32(step * raw))) - minus)
    return f"{value:.{decimals}f}"  # rounds the exact value, half to even


@cache
def _luminosity_6(raw: int) -> str:
    return NULL if raw == 0xFF else f"{exp(raw * log(65536) / 254) - 1:.0f}"


# -- formats --------------------------------------------------------------------------------------

_DF5 = Struct(">xhHHhhhHBH6s")
_DF6 = Struct(">xhHHHHBBBBBB3s")
_DFE1 = Struct(">xhHH4HHBB3sBBB3sB5x6s")
_DFE0 = Struct(">xhHH4HHHHHBBHBB5x6s")
_DFF0 = Struct(">xb12B6s")


def _df5(payload: bytes) -> Members:
    t, h, p, x, y, z, power, movements, sequence, mac = _DF5.unpack_from(payload)
    volt, tx = power >> 5, power & 31
    axes = [
        (name, NULL if raw == -0x8000 else _decimal(raw, 1000, 3))
        for name, raw in (("accelX", x), ("accelY", y), ("accelZ", z))
    ]
    return [
        ("dataFormat", "5"),
        ("temperature", _temperature(t, 3)),
        ("humidity", _humidity(h, 4)),
        ("pressure", _pressure(p)),
        *axes,
        ("movementCounter", str(movements)),
        ("voltage", NULL if volt == 2047 else _decimal(volt + 1600, 1000, 3)),
        ("txPower", "31" if tx == 31 else str(2 * tx - 40)),
        ("measurementSequenceNumber", str(sequence)),
        ("id", _id(mac)),
    ]


def _df6(payload: bytes) -> Members:
    t, h, p, pm, co2, voc, nox, light, sound, sequence, flags, mac = _DF6.unpack_from(payload)
    return [
        ("dataFormat", "6"),
        ("temperature", _temperature(t, 1)),
        ("humidity", _humidity(h, 1)),
        ("pressure", _pressure(p)),
        ("PM2.5", _particles(pm)),
        ("CO2", _count(co2, 0xFFFF)),
        ("VOC", _count(_nine_bits(voc, flags, 6), 511)),
        ("NOx", _count(_nine_bits(nox, flags, 7), 511)),
        ("luminosity", _luminosity_6(light)),
        ("sound_avg_dba", _sound(_nine_bits(sound, flags, 4))),
        ("measurementSequenceNumber", str(sequence)),
        *_air_flags(flags),
        ("id", _id(mac)),
    ]


def _air_flags(flags: int) -> Members:
    names = "calibration_in_progress", "button_pressed", "rtc_running_on_boot"
    return [(f"flag_{name}", _flag(flags, bit)) for bit, name in enumerate(names)]


def _prototype_flags(flags: int) -> Members:
    names = "usb_on", "low_battery", "calibration_in_progress", "boost_mode"
    return [(f"flag_{name}", _flag(flags, bit)) for bit, name in enumerate(names)]


def _extended_head(data_format: int, t: int, h: int, p: int, *particles: int) -> Members:
    names = "PM1.0", "PM2.5", "PM4.0", "PM10.0"
    return [
        ("dataFormat", str(data_format)),
        ("temperature", _temperature(t, 3)),
        ("humidity", _humidity_binary32(h)),
        ("pressure", _pressure(p)),
        *((name, _particles(raw)) for name, raw in zip(names, particles, strict=True)),
    ]


def _dfe1(payload: bytes) -> Members:
    unpacked = _DFE1.unpack_from(payload)
    co2, voc, nox, light, instant, average, peak, sequence, flags, mac = unpacked[7:]
    lux = int.from_bytes(light, "big")
    return [
        *_extended_head(0xE1, *unpacked[:7]),
        ("CO2", _count(co2, 0xFFFF)),
        ("VOC", _count(_nine_bits(voc, flags, 6), 511)),
        ("NOx", _count(_nine_bits(nox, flags, 7), 511)),
        ("luminosity", NULL if lux == 0xFFFFFF else _decimal(lux, 100, 0)),
        ("sound_inst_dba", _sound(_nine_bits(instant, flags, 3))),
        ("sound_avg_dba", _sound(_nine_bits(average, flags, 4))),
        ("sound_peak_spl_db", _sound(_nine_bits(peak, flags, 5))),
        ("measurementSequenceNumber", str(int.from_bytes(sequence, "big"))),
        *_air_flags(flags),
        ("id", _id(mac)),
    ]


def _dfe0(payload: bytes) -> Members:
    unpacked = _DFE0.unpack_from(payload)
    co2, voc, nox, light, average, peak, sequence, voltage, flags, mac = unpacked[7:]
    return [
        *_extended_head(0xE0, *unpacked[:7]),
        ("CO2", _count(co2, 0xFFFF)),
        ("VOC", _count(voc, 511)),
        ("NOx", _count(nox, 511)),
        ("luminosity", _count(light, 0xFFFF)),
        ("sound_avg_dba", _half(average)),
        ("sound_peak_spl_db", _half(peak)),
        ("voltage", NULL if voltage == 0xFF else _decimal(3 * voltage, 100, 2)),
        ("measurementSequenceNumber", str(sequence)),
        *_prototype_flags(flags),
        ("id", _id(mac)),
    ]


def _dff0(payload: bytes) -> Members:
    t, h, p, *particles, co2, voc, nox, light, sound, last, mac = _DFF0.unpack_from(payload)
    names = "PM1.0", "PM2.5", "PM4.0", "PM10.0"
    return [
        ("dataFormat", "240"),
        ("temperature", NULL if t == -0x80 else str(t)),
        ("humidity", _half(h)),
        ("pressure", NULL if p == 0xFF else str(90000 + 100 * p)),
        *(
            (name, _exponential(raw, 1001, 1, 1))
            for name, raw in zip(names, particles, strict=True)
        ),
        ("CO2", _exponential(co2, 40001, 1, 0)),
        ("VOC", _exponential(voc, 500, 0, 0)),
        ("NOx", _exponential(nox, 500, 0, 0)),
        ("luminosity", _exponential(light, 40001, 1, 0)),
        ("sound_avg_dba", _half(sound)),
        ("measurementSequenceNumber", str(last >> 4)),
        *_prototype_flags(last),
        ("id", _id(mac)),
    ]


def _tag(data_format: int) -> Callable[[bytes], bool]:
    """Flags (of any value), then manufacturer specific data."""
    ending = bytes((0x1B, 0xFF, 0x99, 0x04, data_format))
    return lambda data: data[:2] == b"\x02\x01" and data[3:8] == ending


def _air(data_format: int) -> Callable[[bytes], bool]:
    """Flags (of any value), the list of services, then manufacturer specific data."""
    ending = bytes((0x03, 0x03, 0x98, 0xFC, 0x17, 0xFF, 0x99, 0x04, data_format))
    return lambda data: data[:2] == b"\x02\x01" and data[3:12] == ending


def _extended(data_format: int) -> Callable[[bytes], bool]:
    """Manufacturer specific data first, without flags."""
    beginning = bytes((0x2B, 0xFF, 0x99, 0x04, data_format))
    return lambda data: data[:5] == beginning


_FORMATS = (
    (_tag(0x05), 7, _df5),
    (_air(0x06), 11, _df6),
    (_extended(0xE1), 4, _dfe1),
    (_extended(0xE0), 4, _dfe0),
    (_air(0xF0), 11, _dff0),
)
_OF_PAYLOADS = {0x05: _df5, 0x06: _df6, 0xE0: _dfe0, 0xE1: _dfe1, 0xF0: _dff0}
_LONGEST = 48
