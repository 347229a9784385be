"""Data format C5 (Cut RAWv2): format 5 without acceleration, so that a service UUID fits.

Source: docs.ruuvi.com "Data format C5".
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats.coding import (
    HUMIDITY,
    PRESSURE,
    TEMPERATURE,
    TX_POWERS,
    U8,
    U16,
    VOLTAGES,
    encode_mac,
    encode_power,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BhHHHBH6s")


class FormatC5(NamedTuple):
    """A reading of data format C5. A field whose sensor is missing is None."""

    data_format: Literal[0xC5] = 0xC5
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    battery_voltage: float | None = None
    tx_power: int | None = None
    movement_counter: int | None = None
    measurement_sequence: int | None = None
    mac: str | None = None


def decode(payload: bytes) -> FormatC5:
    """Decode data format C5.

    payload: 18 bytes from the format byte (0xC5) on.
    Raises FormatError: bad_length.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, temperature, humidity, pressure, power, movements, sequence, mac = _LAYOUT.unpack(payload)
    return FormatC5(
        0xC5,
        TEMPERATURE.decode(temperature),
        HUMIDITY.decode(humidity),
        PRESSURE.decode(pressure),
        VOLTAGES[power >> 5],
        TX_POWERS[power & 31],
        U8.decode(movements),
        U16.decode(sequence),
        mac_text(mac),
    )


def encode(measurement: FormatC5) -> bytes:
    """The 18 bytes of a reading; values outside the range are clipped."""
    m = measurement
    return _LAYOUT.pack(
        0xC5,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        encode_power(m.battery_voltage, m.tx_power),
        U8.encode(m.movement_counter),
        U16.encode(m.measurement_sequence),
        encode_mac(m.mac, 6),
    )


FORMAT = Format(
    number=0xC5,
    name="cut RAWv2",
    reading=FormatC5,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(10, 12, length=0xFFFF),
    address=slice(12, 18),
    movements=slice(9, 10),
)
