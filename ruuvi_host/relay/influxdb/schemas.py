"""The names of tags and fields in a point, and their types: ours, and those of other programs, so
that the dashboards made for them go on.

Sources: Scrin/RuuviBridge, data_sinks/influxdb.go as of air quality index (before, the particles
were pm10, pm25, pm40 and pm100); Scrin/RuuviCollector, InfluxDBConverter.java with extended values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from firmware_protocol.messages import address_text
from ruuvi_host.config.influxdb import Schema
from ruuvi_host.formats.derived import QUANTITIES as DERIVED
from ruuvi_host.formats.measurement import QUANTITIES

NOT_FIELDS = frozenset({"data_format", "mac", "mac_suffix", "tag_id"})
"""They say which point it is, and not what was measured: tags say so."""


@dataclass(frozen=True)
class Names:
    """How one schema writes a reading."""

    address: str
    """The tag with the sensor's address."""
    data_format: str
    """The tag with the data format."""
    gateway: str
    """The tag with the gateway's address; empty: there is none."""
    colons: bool
    """The address has them."""
    fields: Mapping[str, str]
    """Our name of a measured or derived value, or `rssi` → the name of the field."""
    whole: frozenset[str] = field(default_factory=frozenset)
    """Those of our names that are integers. All other numbers are floats, whole or not: a field
    that once was a float can never be an integer."""

    def address_text(self, address: bytes) -> str:
        text = address_text(address)
        return text if self.colons else text.replace(":", "")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_COLLECTOR = {
    "rssi": "rssi",
    "measurement_sequence": "measurementSequenceNumber",
    **{
        name: _camel(name)
        for name in (
            "temperature",
            "humidity",
            "pressure",
            *(f"acceleration_{axis}" for axis in ("x", "y", "z", "total")),
            "battery_voltage",
            "tx_power",
            "movement_counter",
            "absolute_humidity",
            "dew_point",
            "equilibrium_vapor_pressure",
            "air_density",
        )
    },
    **{f"acceleration_angle_{axis}": f"accelerationAngleFrom{axis.upper()}" for axis in "xyz"},
}
_BRIDGE = {
    **_COLLECTOR,
    "pm1_0": "pm1p0",
    "pm2_5": "pm2p5",
    "pm4_0": "pm4p0",
    "pm10_0": "pm10p0",
    "co2": "co2",
    "voc_index": "voc",
    "nox_index": "nox",
    "luminosity": "illuminance",
    "sound_instant": "soundInstant",
    "sound_average": "soundAverage",
    "sound_peak": "soundPeak",
    "iaqs": "airQualityIndex",
    "calibration_in_progress": "calibrationInProgress",
    "button_pressed": "buttonPressedOnBoot",
    "rtc_running_on_boot": "rtcOnBoot",
}
_WHOLE = frozenset({"tx_power", "rssi", "movement_counter", "measurement_sequence"})
_OURS = {name: name for name in ("rssi", *QUANTITIES, *DERIVED) if name not in NOT_FIELDS}

NAMES = MappingProxyType(
    {
        Schema.RUUVI: Names("address", "data_format", "gateway", True, _OURS),
        Schema.RUUVI_BRIDGE: Names("mac", "dataFormat", "", False, _BRIDGE, _WHOLE),
        Schema.RUUVI_COLLECTOR: Names("mac", "dataFormat", "", False, _COLLECTOR, _WHOLE),
    }
)
"""By schema."""

OFFSET = "{}_offset"
"""With our names: the field that tells what a person has added to another one."""
