"""The values that can be computed from a reading, as a setting of targets."""

from collections.abc import Iterable

from ruuvi_host.config.keys import HostKey, texts

DERIVED = (
    "acceleration_total",
    "acceleration_angle_x",
    "acceleration_angle_y",
    "acceleration_angle_z",
    "equilibrium_vapor_pressure",
    "vapor_pressure",
    "vapor_pressure_deficit",
    "absolute_humidity",
    "dew_point",
    "air_density",
    "battery_low",
    "iaqs",
    "iaqs_grade",
)
"""Their names; `formats/derived.py` has the formulas."""


def derived_key(where: str, name: str = "derived") -> HostKey:
    """For the table of a target of our own form. where: what it goes with."""
    return texts(name, f"Values computed from a reading and added to it{where}.", DERIVED)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each once."""
    wanted = set(names)
    return tuple(name for name in DERIVED if name in wanted)
