"""Measurement: what all decoded readings have in common, and what the names in them mean.

Each data format has its own value type (a NamedTuple, in the format's file) with exactly the
fields that the format carries. A name means the same, in the same unit, in every format.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

Value = bool | int | float | str | None


class Measurement(Protocol):
    """One decoded reading: immutable, with fixed units, None for "not available".

    Only data_format is in every format. `fields` gives all that a reading has, by name.
    """

    @property
    def data_format(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def _asdict(self) -> dict[str, Any]: ...


def fields(measurement: Measurement) -> dict[str, Value]:
    """Name → value in the order of the payload, data_format first; every field of the format."""
    return measurement._asdict()


class Quantity(NamedTuple):
    """What a field is: its unit ("" where there is none), and a few words for people."""

    unit: str
    meaning: str


QUANTITIES: dict[str, Quantity] = {
    "data_format": Quantity("", "layout of the payload"),
    "temperature": Quantity("°C", "air temperature"),
    "humidity": Quantity("%RH", "relative humidity; above 100 the sensor is faulty"),
    "pressure": Quantity("Pa", "air pressure"),
    "acceleration_x": Quantity("g", "acceleration along the x axis"),
    "acceleration_y": Quantity("g", "acceleration along the y axis"),
    "acceleration_z": Quantity("g", "acceleration along the z axis"),
    "battery_voltage": Quantity("V", "battery"),
    "tx_power": Quantity("dBm", "power of the sender's radio"),
    "movement_counter": Quantity("", "movements so far; starts over"),
    "measurement_sequence": Quantity("", "number of the measurement; starts over"),
    "mac": Quantity("", "address that the sender states"),
    "mac_suffix": Quantity("", "end of the address that the sender states"),
    "tag_id": Quantity("", "part of the chip's identifier"),
    "pm1_0": Quantity("µg/m³", "particles up to 1.0 µm"),
    "pm2_5": Quantity("µg/m³", "particles up to 2.5 µm"),
    "pm4_0": Quantity("µg/m³", "particles up to 4.0 µm"),
    "pm10_0": Quantity("µg/m³", "particles up to 10 µm"),
    "co2": Quantity("ppm", "carbon dioxide"),
    "voc_index": Quantity("", "volatile organic compounds; 100 is the usual of this place"),
    "nox_index": Quantity("", "nitrogen oxides; 1 is the usual of this place"),
    "luminosity": Quantity("lx", "illuminance"),
    "sound_instant": Quantity("dBA", "sound level now"),
    "sound_average": Quantity("dBA", "sound level, average"),
    "sound_peak": Quantity("dB SPL", "sound level, peak"),
    "calibration_in_progress": Quantity("", "the sensors are still settling"),
    "button_pressed": Quantity("", "the button is held down"),
    "rtc_running_on_boot": Quantity("", "the clock was already running at start-up"),
    "usb_powered": Quantity("", "powered by USB"),
    "low_battery": Quantity("", "the battery is low"),
    "boost_mode": Quantity("", "measuring more often for a while"),
    "motion_detected": Quantity("", "something moves nearby"),
    "presence_detected": Quantity("", "somebody is nearby"),
    "motion_intensity": Quantity("", "strength of the motion, 0 to 15"),
    "tilt_x": Quantity("°", "tilt of the x axis"),
    "tilt_y": Quantity("°", "tilt of the y axis"),
    "color_temperature": Quantity("K", "colour of the light"),
}
"""Every field that a measurement can have."""
