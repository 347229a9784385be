"""What Home Assistant makes of members that no gateway sends: values by our own names, of formats
that a gateway does not decode, and computed ones. Pure.

As in `entities`, classes and units are those that Home Assistant 2026.2.3 allows.
"""

from functools import lru_cache

from ruuvi_host.formats import FORMATS
from ruuvi_host.formats.derived import possible
from ruuvi_host.relay.mqtt.entities import (
    BINARY_SENSOR,
    HUMIDITY,
    MODELS,
    PRESSURE,
    RECEPTION,
    TEMPERATURE,
    Entity,
    Model,
    particles,
    sound,
)

_NAMES = {
    0x07: "Ruuvi motion and presence sensor",
    0xE0: "Ruuvi Air prototype",
    0xF0: "Ruuvi Air prototype",
}
"""What sends a data format; all others: a RuuviTag."""

# Unlike those of a gateway, some may be null, which is unknown.
_FLAG = (
    "{{{{ 'ON' if value_json.{0} else 'OFF' if value_json.{0} is false "
    "else value_json.{0} | default('') }}}}"
)


def _flag(member: str, name: str, device_class: str = "", *, main: bool = False) -> Entity:
    return Entity(
        *(member, name, device_class),
        state_class="",
        diagnostic=not main,
        platform=BINARY_SENSOR,
        template=_FLAG,
    )


def _counter(member: str, name: str, *, off: bool = False) -> Entity:
    return Entity(member, name, state_class="total_increasing", diagnostic=True, off=off)


_FIELDS = (
    *(TEMPERATURE, HUMIDITY, PRESSURE),
    *(
        Entity(f"acceleration_{axis}", f"Acceleration {axis.upper()}", "", "g", 3, off=True)
        for axis in "xyz"
    ),
    Entity("battery_voltage", "Battery voltage", "voltage", "V", 3, diagnostic=True),
    Entity(*("tx_power", "Transmit power", "signal_strength", "dBm", 0), diagnostic=True, off=True),
    _counter("movement_counter", "Movement counter"),
    _counter("measurement_sequence", "Measurement sequence number", off=True),
    particles("pm1_0", "PM1.0", "pm1"),
    particles("pm2_5", "PM2.5", "pm25"),
    particles("pm4_0", "PM4.0", "pm4"),
    particles("pm10_0", "PM10", "pm10"),
    Entity("co2", "Carbon dioxide", "carbon_dioxide", "ppm", 0),
    Entity("voc_index", "VOC index", precision=0),
    Entity("nox_index", "NOx index", precision=0),
    Entity("luminosity", "Illuminance", "illuminance", "lx", 0),
    sound("sound_instant", "Sound level"),
    sound("sound_average", "Sound level average"),
    sound("sound_peak", "Sound level peak", "dB"),
    _flag("calibration_in_progress", "Calibration in progress", "running"),
    _flag("usb_powered", "USB", "plug"),
    _flag("low_battery", "Battery", "battery"),
    _flag("boost_mode", "Boost mode"),
    _flag("motion_detected", "Motion", "motion", main=True),
    _flag("presence_detected", "Presence", "occupancy", main=True),
    Entity("motion_intensity", "Motion intensity", precision=0),
    Entity("tilt_x", "Tilt X", unit="°", precision=1),
    Entity("tilt_y", "Tilt Y", unit="°", precision=1),
    Entity("color_temperature", "Colour temperature", unit="K", precision=0),
)
BY_FIELD = {entity.member: entity for entity in _FIELDS}
"""Field of a reading → entity. What says who sends it has none."""

_DERIVED = (
    Entity("acceleration_total", "Acceleration", unit="g", precision=3),
    *(
        Entity(f"acceleration_angle_{axis}", f"Angle to axis {axis.upper()}", unit="°", precision=1)
        for axis in "xyz"
    ),
    Entity("equilibrium_vapor_pressure", "Saturation vapour pressure", "pressure", "Pa", 0),
    Entity("vapor_pressure", "Vapour pressure", "pressure", "Pa", 0),
    Entity("vapor_pressure_deficit", "Vapour pressure deficit", "pressure", "Pa", 0),
    Entity("absolute_humidity", "Absolute humidity", "absolute_humidity", "g/m³", 2),
    Entity("dew_point", "Dew point", "temperature", "°C", 2),
    Entity("air_density", "Air density", unit="kg/m³", precision=3),
    _flag("battery_low", "Battery", "battery"),
    Entity("iaqs", "Indoor air quality score", precision=0),
    Entity(
        *("iaqs_grade", "Indoor air quality", "enum"),
        state_class="",
        options=("excellent", "good", "fair", "poor", "very_poor"),
    ),
)
BY_DERIVED = {entity.member: entity for entity in _DERIVED}
"""Name of a computed value → entity."""


@lru_cache(64)
def model_of(
    data_format: int, *, decode_all: bool = False, derived: tuple[str, ...] = ()
) -> Model | None:
    """What sends a data format, with all that its messages tell; None: they tell nothing.

    decode_all: all data formats are decoded. derived: names of computed values that are added.
    """
    fields: tuple[str, ...] = getattr(FORMATS.get(data_format), "reading", _Nothing)._fields
    model = MODELS.get(data_format)
    if model is None and decode_all and fields:
        found = [BY_FIELD[name] for name in fields if name in BY_FIELD]
        model = Model(_NAMES.get(data_format, "RuuviTag"), (*found, *RECEPTION))
    if model is None:
        return None
    measured = model.entities[: -len(RECEPTION)]
    added = [BY_DERIVED[name] for name in possible(derived, fields)]
    return Model(model.name, (*measured, *added, *RECEPTION))


class _Nothing:
    """The reading of what is no data format."""

    _fields: tuple[str, ...] = ()
