"""Members of messages that no gateway sends: values of all data formats, corrected and with names,
and computed ones. Pure.

The formats 5, 6 and E1 keep the names and digits of a gateway, but for what is corrected. All
others have our own names, as in every other place where this host shows a reading.
"""

from collections.abc import Callable
from functools import lru_cache

from ruuvi_host.config.homeassistant import Extras
from ruuvi_host.formats import COMPANY
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, find
from ruuvi_host.formats.derived import derived_of, possible
from ruuvi_host.formats.gateway import gateway_members, payload_members
from ruuvi_host.formats.json_text import json_members, json_string, json_value
from ruuvi_host.formats.measurement import Measurement, Value, fields
from ruuvi_host.intake.readings import NamedReading, Readings
from ruuvi_host.relay.mqtt.messages import DECODED, UNKNOWN, Said


class OwnMembers:
    """What is said of each report.

    readings: what people say about their sensors, as of now; asked for each report.
    """

    def __init__(self, extras: Extras, readings: Callable[[], Readings]) -> None:
        self._decode_all = extras.decode_all
        self._derived = extras.derived
        unnamed = Readings()
        self._readings = readings if extras.decode_all else lambda: unnamed

    def __call__(self, address: bytes, data: bytes) -> Said:
        reading = self._readings().of(address, data)
        said = self._of_gateway(data, reading)
        if said is UNKNOWN and self._decode_all and reading.measurement is not None:
            text = "," + json_members(reading.measurement)
            said = Said(text, reading.measurement.data_format)
        if said is UNKNOWN:
            return UNKNOWN
        return Said(said.text + self._added(reading), said.data_format)

    def _of_gateway(self, data: bytes, reading: NamedReading) -> Said:
        """By a gateway's names, if it is one of its formats."""
        members, measurement = gateway_members(data), reading.measurement
        if not members and self._decode_all and measurement is not None:
            # A gateway looks at fixed places only; here it is found wherever it stands.
            payload = find(data, MANUFACTURER_SPECIFIC, COMPANY)
            members = payload_members(payload[2:]) if payload else []
        if not members or members[0][1] not in DECODED:
            return UNKNOWN
        corrected = {offset.field for offset in reading.offsets}
        text = "".join(
            f',"{name}":{json_value(getattr(measurement, name)) if name in corrected else value}'
            for name, value in members
        )
        return Said(text, int(members[0][1]))

    def _added(self, reading: NamedReading) -> str:
        text = ""
        if reading.measurement is not None:
            for name, value in self._computed(reading.measurement).items():
                text += f',"{name}":{json_value(value)}'
        if reading.offsets:
            added = ",".join(f'"{field}":{value}' for field, value in reading.offsets)
            text += f',"offsets":{{{added}}}'
        if reading.name:
            text += f',"name":{json_string(reading.name)}'
        return text

    def _computed(self, measurement: Measurement) -> dict[str, Value]:
        if not self._derived:
            return {}
        measured = fields(measurement)
        return derived_of(measured, _possible(self._derived, tuple(measured)))


_possible = lru_cache(64)(possible)
