"""Parses a body and checks it: strict JSON, our schemas, and what a schema cannot express. A body
is a batch, or a gateway's status (its statistics); its members tell which.

Pure. A refusal is one sentence that names the place. Source of the layout:
ruuvi.gateway_esp.c http_json.c; of the wider types (digits as a string), its versions up to v1.13.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeAlias, cast

import fastjsonschema

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Tag: TypeAlias = dict[str, Json]

_Check: TypeAlias = Callable[[Json, object, str], None]


def _compiled(name: str) -> _Check:
    schema = json.loads(files(__package__).joinpath(name).read_text("utf-8"))
    return cast(_Check, fastjsonschema.compile(schema))


_BATCH = _compiled("batch.schema.json")
_STATUS = _compiled("status.schema.json")

_NONCE_MAX = 0xFFFFFFFF


class BadBody(ValueError):  # noqa: N818 - a verdict on the body, not an error of this program
    """The body is neither; the message says where and why, and may contain text from the body."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was posted."""

    gateway: str
    """`gw_mac`: the gateway's address as text."""
    nonce: int
    """Unsigned 32-bit."""
    timestamp: int | None
    """UTC seconds of the post; None from a gateway that uses no clock."""
    tags: dict[str, Tag]
    """The members of each tag unchanged, by address, in the order of the body."""


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What a gateway posted about itself."""

    gateway: str
    """`DEVICE_ADDR`: the gateway's address as text."""
    nonce: int
    """Unsigned 32-bit."""
    active: dict[str, int]
    """Address → reports counted."""
    inactive: list[str]
    """Addresses."""
    members: dict[str, Json]
    """All members, unchanged."""


def read(body: bytes) -> Batch | GatewayStatus:
    """Check a body and return its content. Raises BadBody."""
    content = _parse(body)
    if isinstance(content, dict) and "DEVICE_ADDR" in content:
        return _status(content)
    return _batch(content)


def read_batch(body: bytes) -> Batch:
    """Check a body that has to be a batch. Raises BadBody."""
    return _batch(_parse(body))


def _checked(content: Json, check: _Check) -> None:
    try:
        check(content, {}, "body")
    except fastjsonschema.JsonSchemaValueException as error:
        raise BadBody(_sentence(error)) from error


def _status(content: dict[str, Json]) -> GatewayStatus:
    _checked(content, _STATUS)
    nonce, seen = _whole(content["NONCE"]), _whole(content["SENSORS_SEEN"])
    if nonce > _NONCE_MAX:
        raise BadBody(f"body.NONCE: must be at most {_NONCE_MAX}")
    sensors = cast(list[dict[str, str]], content["ACTIVE_SENSORS"])
    if seen != len(sensors):
        raise BadBody(f"body.SENSORS_SEEN: must be {len(sensors)}, as many as are active")
    active = {sensor["MAC"]: int(sensor["COUNTER"]) for sensor in sensors}
    inactive = cast(list[str], content["INACTIVE_SENSORS"])
    if len({*active, *inactive}) != len(sensors) + len(inactive):
        raise BadBody("body: a sensor is listed twice")
    return GatewayStatus(str(content["DEVICE_ADDR"]), nonce, active, inactive, content)


def _batch(content: Json) -> Batch:
    _checked(content, _BATCH)
    data = cast(dict[str, Json], cast(dict[str, Json], content)["data"])
    nonce = _whole(data["nonce"])
    if nonce > _NONCE_MAX:
        raise BadBody(f"body.data.nonce: must be at most {_NONCE_MAX}")
    timestamp = _whole(data["timestamp"]) if "timestamp" in data else None
    tags = cast(dict[str, Tag], data["tags"])
    wanted, other = ("counter", "timestamp") if timestamp is None else ("timestamp", "counter")
    for address, tag in tags.items():
        if wanted not in tag or other in tag:
            having = "no" if timestamp is None else "a"
            raise BadBody(
                f'body.data.tags.{address}: must have "{wanted}" and not "{other}",'
                f' as body.data has {having} "timestamp"'
            )
    return Batch(str(data["gw_mac"]), nonce, timestamp, tags)


def _parse(body: bytes) -> Json:
    """JSON as RFC 8259 has it: UTF-8 without a byte order mark, no NaN, no name twice."""
    try:
        return cast(
            Json,
            json.loads(
                body.decode("utf-8"),
                object_pairs_hook=_object,
                parse_constant=_refuse_constant,
                parse_float=_finite,
            ),
        )
    except UnicodeDecodeError as error:
        raise BadBody(f"not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise BadBody("not a batch: nested too deeply") from error
    except ValueError as error:
        raise BadBody(f"not JSON: {error}") from error


def _object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for name, value in members:
        if name in result:
            raise ValueError(f'the member "{name}" occurs twice')
        result[name] = value
    return result


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _sentence(error: fastjsonschema.JsonSchemaValueException) -> str:
    """What is wrong, in the words of our schema; those of the library are about its rules."""
    definition, value = error.definition, error.value
    if error.rule == "required":
        missing = [name for name in definition["required"] if name not in value]
        return f'{error.name}: "{missing[0]}" is missing'
    if error.rule == "additionalProperties":
        unknown = [name for name in value if name not in definition["properties"]]
        return f'{error.name}: unknown member "{unknown[0]}"'
    return f"{error.name}: must be {definition['description']}"


def _whole(value: Json) -> int:
    """A number that the schema has found to be whole: 7, 7.0 or "7"."""
    return int(cast("int | float | str", value))
