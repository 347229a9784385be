"""From the octets of a body to a batch: strict JSON, our schema, and what a schema cannot say.

Pure. What is refused is refused with one sentence that names the place. Source of the layout:
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

_SCHEMA = json.loads(files(__package__).joinpath("batch.schema.json").read_text("utf-8"))
_validate = cast(Callable[[Json, object, str], None], fastjsonschema.compile(_SCHEMA))

_NONCE_MAX = 0xFFFFFFFF


class BadBody(ValueError):  # noqa: N818 - it is a verdict about the body more than an error of ours
    """The body is no batch; the message says where and why, and may hold text from the body."""


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
    """The members of each tag as they came, by address, in the order of the body."""


def read_batch(body: bytes) -> Batch:
    """Check a body and give its batch. Raises BadBody."""
    content = _parse(body)
    try:
        _validate(content, {}, "body")
    except fastjsonschema.JsonSchemaValueException as error:
        raise BadBody(_sentence(error)) from error
    data = cast(dict[str, Json], cast(dict[str, Json], content)["data"])
    nonce = _whole(data["nonce"])
    if nonce > _NONCE_MAX:
        raise BadBody(f"body.data.nonce: must be at most {_NONCE_MAX}")
    timestamp = _whole(data["timestamp"]) if "timestamp" in data else None
    tags = cast(dict[str, Tag], data["tags"])
    stamp, other = ("counter", "timestamp") if timestamp is None else ("timestamp", "counter")
    for address, tag in tags.items():
        if stamp not in tag or other in tag:
            having = "no" if timestamp is None else "a"
            raise BadBody(
                f'body.data.tags.{address}: must have "{stamp}" and not "{other}",'
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
        raise BadBody(f"not UTF-8: octet {error.start}") from error
    except RecursionError as error:
        raise BadBody("not a batch: nested too deeply") from error
    except ValueError as error:
        raise BadBody(f"not JSON: {error}") from error


def _object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for name, value in members:
        if name in result:
            raise ValueError(f'the member "{name}" comes twice')
        result[name] = value
    return result


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _sentence(error: fastjsonschema.JsonSchemaValueException) -> str:
    """What is wrong in our schema's own words; the library's are about its machinery."""
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
