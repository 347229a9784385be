"""Values computed from one reading, on request only: they are never among the decoded fields.

Saturation is over water, below freezing too, because that is what humidity sensors relate to;
the Ruuvi apps use ice there. Sources: RuuviBridge (Bolton's formula for the saturation
vapour pressure), the Ruuvi web application for the battery, Ruuvi Air's firmware for the IAQS.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import acos, degrees, exp, hypot, log, sqrt

from ruuvi_host.formats.measurement import Quantity, Value

QUANTITIES: dict[str, Quantity] = {
    "acceleration_total": Quantity("g", "length of the acceleration"),
    "acceleration_angle_x": Quantity("°", "angle of the acceleration to the x axis"),
    "acceleration_angle_y": Quantity("°", "angle of the acceleration to the y axis"),
    "acceleration_angle_z": Quantity("°", "angle of the acceleration to the z axis"),
    "equilibrium_vapor_pressure": Quantity("Pa", "vapour pressure of saturated air"),
    "vapor_pressure": Quantity("Pa", "vapour pressure"),
    "vapor_pressure_deficit": Quantity("Pa", "how much vapour pressure saturation takes"),
    "absolute_humidity": Quantity("g/m³", "water in the air"),
    "dew_point": Quantity("°C", "temperature at which dew falls"),
    "air_density": Quantity("kg/m³", "density of the air"),
    "battery_low": Quantity("", "the voltage is low for this temperature"),
    "iaqs": Quantity("", "indoor air quality score, 0 to 100"),
    "iaqs_grade": Quantity("", "the score in words"),
}
"""Every derived value, in the order of `derive`."""

_DIGITS = 4
"""Decimals; no sensor is better."""

_GRADES = ((89.5, "excellent"), (79.5, "good"), (49.5, "fair"), (9.5, "poor"))


def derive(fields: Mapping[str, Value]) -> dict[str, Value]:
    """All derived values of a reading, by name; None where an input is missing.

    fields: of a measurement, by name (see `measurement.fields`).
    """

    def number(name: str) -> float | None:
        value = fields.get(name)
        return value if isinstance(value, int | float) else None

    t, rh, p = number("temperature"), number("humidity"), number("pressure")
    if rh is not None and rh > 100:
        rh = None  # a sensor that is wet or broken; a deficit below 0 is no value
    x, y, z = (number(f"acceleration_{axis}") for axis in "xyz")
    voltage, pm2_5, co2 = number("battery_voltage"), number("pm2_5"), number("co2")

    derived: dict[str, Value] = dict.fromkeys(QUANTITIES)
    if x is not None and y is not None and z is not None:
        total = sqrt(x * x + y * y + z * z)
        derived["acceleration_total"] = total
        if total:
            derived["acceleration_angle_x"] = degrees(acos(x / total))
            derived["acceleration_angle_y"] = degrees(acos(y / total))
            derived["acceleration_angle_z"] = degrees(acos(z / total))
    if t is not None:
        saturated = equilibrium_vapor_pressure(t)
        derived["equilibrium_vapor_pressure"] = saturated
        if rh is not None:
            vapor = saturated * rh / 100
            derived["vapor_pressure"] = vapor
            derived["vapor_pressure_deficit"] = saturated * (1 - rh / 100)
            derived["absolute_humidity"] = saturated * rh * 0.021674 / (273.15 + t)
            derived["dew_point"] = dew_point(vapor) if rh else None
            if p is not None:
                derived["air_density"] = (
                    1.2929 * 273.15 / (t + 273.15) * (p - 0.3783 * vapor) / 101300
                )
    if voltage is not None:
        derived["battery_low"] = battery_low(voltage, t)
    if pm2_5 is not None and co2 is not None:
        score = iaqs(pm2_5, co2)
        derived["iaqs"] = score
        derived["iaqs_grade"] = iaqs_grade(score)
    return derived


def possible(names: Iterable[str], fields: Iterable[str]) -> tuple[str, ...]:
    """Those of these derived values that readings with these fields can have.

    fields: names, as of a data format.
    """
    of_ones = derive(dict.fromkeys(fields, 1.0))
    return tuple(name for name in names if of_ones[name] is not None)


def derived_of(fields: Mapping[str, Value], names: Sequence[str]) -> dict[str, Value]:
    """Those of `derive` that are asked for, rounded as far as sensors are right.

    fields: as for `derive`. names: of QUANTITIES.
    """
    if not names:
        return {}
    all_of_them = derive(fields)
    return {name: _rounded(all_of_them[name]) for name in names}


def _rounded(value: Value) -> Value:
    return round(value, _DIGITS) if isinstance(value, float) else value


def equilibrium_vapor_pressure(temperature: float) -> float:
    """Vapour pressure of saturated air in Pa; temperature in degrees C."""
    return 611.2 * exp(17.67 * temperature / (243.5 + temperature))


def dew_point(vapor_pressure: float) -> float:
    """Temperature in degrees C at which a vapour pressure (Pa, above 0) is the saturated one."""
    v = log(vapor_pressure / 611.2)
    return -243.5 * v / (v - 17.67)


def battery_low(voltage: float, temperature: float | None) -> bool:
    """Is the battery to be replaced? Cold batteries show less voltage. V; degrees C."""
    if temperature is None or temperature >= 0:
        return voltage < 2.5
    return voltage < (2.3 if temperature >= -20 else 2.0)


def iaqs(pm2_5: float, co2: float) -> float:
    """Indoor air quality score, 0 (bad) to 100 (good), of particles (ug/m3) and CO2 (ppm)."""
    dx = min(max(pm2_5, 0), 60) * 100 / 60
    dy = (min(max(co2, 420), 2300) - 420) * 100 / 1880
    return max(100 - hypot(dx, dy), 0.0)


def iaqs_grade(score: float) -> str:
    """The words that go with a score: excellent, good, fair, poor, very_poor."""
    return next((grade for limit, grade in _GRADES if score >= limit), "very_poor")
