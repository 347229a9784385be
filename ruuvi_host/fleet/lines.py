"""What a fleet tells, as a line: of JSON, or for people. Pure.

JSON has the members of the hosts' own messages, decoded also where a host publishes only the data.
"""

import json
from typing import Any

from ruuvi_host.errors import FormatError
from ruuvi_host.fleet.fleet import Measurement, Moved, Told
from ruuvi_host.fleet.messages import Heard
from ruuvi_host.formats import decode, fields
from ruuvi_host.formats.gateway import gateway_members
from ruuvi_host.formats.summary import summary
from ruuvi_host.intake.readings import Readings
from ruuvi_host.logs import printable

_WORDS = (
    *(("temperature", "{:.2f} °C"), ("humidity", "{:.1f} %RH"), ("pressure", "{:.0f} Pa")),
    *(("CO2", "CO2 {:.0f} ppm"), ("PM2.5", "PM2.5 {:.1f} µg/m³")),
    *(("VOC", "VOC {:.0f}"), ("NOx", "NOx {:.0f}"), ("luminosity", "{:.0f} lx")),
    *(("voltage", "{:.2f} V"), ("movementCounter", "moved {:.0f}")),
)
"""Members of a message without advertising data → words."""


def json_line(told: Told, utc: float, known: Readings) -> str:
    """One object. utc: now. known: names of sensors, and keys."""
    line: dict[str, Any]
    if isinstance(told, Moved):
        line = {"kind": "place", "time": round(utc, 3), "address": told.tag}
        return json.dumps(line | {"place": told.place, "before": told.before or None})
    if not isinstance(told, Measurement):
        line = {"kind": "gateway", "time": round(utc, 3), "gw_mac": told.gateway}
        return json.dumps(line | {"state": told.state or None})
    heard = told.heard
    line = {"kind": "measurement", "time": round(utc, 3), "address": heard.tag}
    if name := known.name(bytes.fromhex(heard.tag.replace(":", ""))):
        line["name"] = name
    line |= {"place": told.place or None, "newest": told.is_newest, "late": heard.is_late}
    # What we say ourselves cannot be changed by what is in a message.
    line = heard.members | line
    line.pop("aoa", None)
    # Of numbers, text and data that were written in another way.
    line |= {"gw_mac": heard.gateway, "rssi": heard.rssi}
    line |= {n: v for n in ("ts", "gwts", "cnt") if (v := getattr(heard, n)) is not None}
    ordered = {name: line.pop(name) for name in _FIRST if name in line} | line
    is_decoded = "dataFormat" in line or "data_format" in line or not heard.data
    decoded = "" if is_decoded else _decoded(heard.data, known)
    return json.dumps(ordered)[:-1] + decoded + "}"


_FIRST = "kind time address name place newest late gw_mac rssi ts gwts cnt data".split()


def _decoded(data: bytes, known: Readings) -> str:
    """What the data means: by the gateway's names; formats that it does not decode, by ours."""
    if members := gateway_members(data):
        return "".join([f', "{name}": {value}' for name, value in members])
    try:
        measurement = decode(data, known.keys)
    except FormatError as error:
        return f', "error": "{error.code}"'
    return ", " + json.dumps(fields(measurement))[1:-1]


def text_line(told: Told, known: Readings) -> str:
    """The same for people."""
    if isinstance(told, Moved):
        return f"{told.tag}  is at {told.place}" + (f", was at {told.before}" * bool(told.before))
    if not isinstance(told, Measurement):
        return f"{printable(told.gateway)}  {told.state or 'is forgotten'}"
    heard = told.heard
    name = known.name(bytes.fromhex(heard.tag.replace(":", "")))
    rssi = "   -" if heard.rssi is None else f"{heard.rssi:4d}"
    said = f"{heard.tag} {rssi} dBm by {heard.gateway}" + (f"  {name}" if name else "")
    late = "  (late)" if heard.is_late else "" if told.is_newest else "  (not the newest)"
    return f"{said}  {words(heard, known)}{late}"


def words(heard: Heard, known: Readings) -> str:
    """What was measured, in a few words."""
    return data_words(heard.data, known) if heard.data else _member_words(heard.members)


def data_words(data: bytes, known: Readings) -> str:
    """The same of advertising data."""
    try:
        return summary(decode(data, known.keys))
    except FormatError as error:
        return error.code


def payload_words(payload: bytes) -> str:
    """The same of a payload that was read before, and has no advertising data in it."""
    members: dict[str, Any] = json.loads(payload)
    return _member_words(members)


def _member_words(members: dict[str, Any]) -> str:
    values = [(members.get(name), text) for name, text in _WORDS]
    return "  ".join(
        text.format(value)
        for value, text in values
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    )
