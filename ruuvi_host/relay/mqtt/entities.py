"""What Home Assistant makes of each member of a message: one entity each, in words that it knows.

Names, device classes and units are those that its documents allow (checked by tests with version
2026.2.3). Pure.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType

SENSOR, BINARY_SENSOR = "sensor", "binary_sensor"

_SCALED = (
    "{{{{ (value_json.{0} / 100) | round(2) if value_json.{0} is number "
    "else value_json.{0} | default('') }}}}"
)
_FLAG = "{{{{ 'ON' if value_json.{0} else 'OFF' if value_json.{0} is defined else '' }}}}"
_TIME = "{{{{ (value_json.{0} | as_datetime).isoformat() if value_json.{0} is number else '' }}}}"
_PLAIN = "{{{{ value_json.{0} | default('') }}}}"
_QUOTED = "{{{{ value_json['{0}'] | default('') }}}}"
"""Of a name with a full stop."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One member of a message, as Home Assistant shows it."""

    member: str
    """Its name in the message."""
    name: str
    """For people."""
    device_class: str = ""
    unit: str = ""
    precision: int | None = None
    """Decimals that are shown at first."""
    state_class: str = "measurement"
    diagnostic: bool = False
    """Shown apart from what was measured."""
    off: bool = False
    """It is there, and only shown once a person wants it."""
    platform: str = SENSOR
    options: tuple[str, ...] = ()
    """All texts that it can be."""
    template: str = ""
    """Empty: the value as it is."""

    @property
    def component(self) -> str:
        """Its id among those of a sensor: letters, digits and _."""
        return re.sub(r"[^a-z0-9]", "_", self.member.lower())

    @property
    def value_template(self) -> str:
        """Where the value is in a message. JSON's null renders as None, which is unknown; a missing
        member renders empty, which is ignored."""
        plain = _QUOTED if "." in self.member else _PLAIN
        return (self.template or plain).format(self.member)

    def settings(self, address: str, expire_after: int) -> dict[str, object]:
        """What a config says of it. address: of the sensor, 12 digits. expire_after: seconds."""
        settings = {
            "platform": self.platform,
            "unique_id": f"ruuvi_{address}_{self.component}",
            "name": self.name,
            "device_class": self.device_class,
            "state_class": self.state_class,
            "unit_of_measurement": self.unit,
            "suggested_display_precision": self.precision,
            "options": list(self.options),
            "entity_category": "diagnostic" if self.diagnostic else "",
            "enabled_by_default": False if self.off else None,
            "expire_after": expire_after,
            "value_template": self.value_template,
        }
        return {key: value for key, value in settings.items() if value not in ("", None, [])}


def particles(member: str, name: str, device_class: str) -> Entity:
    """The mass of what floats in the air, up to a size."""
    # The μ is the Greek letter, U+03BC: Home Assistant knows no other one.
    return Entity(member, name, device_class, "\u03bcg/m³", 1)


def sound(member: str, name: str, unit: str = "dBA") -> Entity:
    """A level of sound."""
    return Entity(member, name, "sound_pressure", unit, 1)


def _flag(member: str, name: str, device_class: str = "", *, off: bool = True) -> Entity:
    return Entity(
        member,
        name,
        device_class,
        state_class="",
        diagnostic=True,
        off=off,
        platform=BINARY_SENSOR,
        template=_FLAG,
    )


TEMPERATURE = Entity("temperature", "Temperature", "temperature", "°C", 2)
HUMIDITY = Entity("humidity", "Humidity", "humidity", "%", 2)
PRESSURE = Entity("pressure", "Pressure", "atmospheric_pressure", "hPa", 2, template=_SCALED)
_SEQUENCE = Entity(
    "measurementSequenceNumber",
    "Measurement sequence number",
    state_class="total_increasing",
    diagnostic=True,
    off=True,
)
_PM1 = particles("PM1.0", "PM1.0", "pm1")
_PM2 = particles("PM2.5", "PM2.5", "pm25")
_PM4 = particles("PM4.0", "PM4.0", "pm4")
_PM10 = particles("PM10.0", "PM10", "pm10")
_GASES = (
    Entity("CO2", "Carbon dioxide", "carbon_dioxide", "ppm", 0),
    Entity("VOC", "VOC index", precision=0),
    Entity("NOx", "NOx index", precision=0),
)
_LIGHT = Entity("luminosity", "Illuminance", "illuminance", "lx", 0)
_LOUD = sound("sound_inst_dba", "Sound level")
_LOUD_AVERAGE = sound("sound_avg_dba", "Sound level average")
_LOUD_PEAK = sound("sound_peak_spl_db", "Sound level peak", "dB")
_AIR_FLAGS = (
    _flag("flag_calibration_in_progress", "Calibration in progress", "running", off=False),
    _flag("flag_button_pressed", "Button pressed"),
    _flag("flag_rtc_running_on_boot", "Clock was running at boot"),
)
RECEPTION = (
    Entity("rssi", "Signal strength", "signal_strength", "dBm", 0, diagnostic=True, off=True),
    Entity(
        "ts",
        "Last seen",
        "timestamp",
        state_class="",
        diagnostic=True,
        off=True,
        template=_TIME,
    ),
)


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of sensor, which a data format tells."""

    name: str
    entities: tuple[Entity, ...]
    """In the order of the message, then what is known of its reception."""


MODELS = MappingProxyType(
    {
        0x05: Model(
            "RuuviTag",
            (
                *(TEMPERATURE, HUMIDITY, PRESSURE),
                *(
                    Entity(f"accel{axis}", f"Acceleration {axis}", unit="g", precision=3, off=True)
                    for axis in "XYZ"
                ),
                Entity(
                    "movementCounter",
                    "Movement counter",
                    state_class="total_increasing",
                    diagnostic=True,
                ),
                Entity("voltage", "Battery voltage", "voltage", "V", 3, diagnostic=True),
                Entity(
                    *("txPower", "Transmit power", "signal_strength", "dBm", 0),
                    diagnostic=True,
                    off=True,
                ),
                *(_SEQUENCE, *RECEPTION),
            ),
        ),
        0x06: Model(
            "Ruuvi Air",
            (
                *(TEMPERATURE, HUMIDITY, PRESSURE, _PM2, *_GASES, _LIGHT, _LOUD_AVERAGE),
                *(_SEQUENCE, *_AIR_FLAGS, *RECEPTION),
            ),
        ),
        0xE1: Model(
            "Ruuvi Air",
            (
                *(TEMPERATURE, HUMIDITY, PRESSURE, _PM1, _PM2, _PM4, _PM10, *_GASES, _LIGHT),
                *(_LOUD, _LOUD_AVERAGE, _LOUD_PEAK, _SEQUENCE, *_AIR_FLAGS, *RECEPTION),
            ),
        ),
    }
)
"""Data format, as in a message (`dataFormat`) → what sends it; those that a gateway decodes."""
