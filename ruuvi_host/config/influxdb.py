"""What the settings of a database for line protocol mean: the address of its write request, the
names in its points, and the tags that a person adds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ruuvi_host.config.url import parse_address
from ruuvi_host.errors import ConfigError

API_NAMES = ("v1", "v2")
_PATHS = {"v1": "/write", "v2": "/api/v2/write"}

MAX_TAGS = 20
"""Of a person's own."""


class Schema(Enum):
    """Whose names tags and fields have."""

    RUUVI = "ruuvi"
    """Ours: those of every other place where this host shows a reading."""
    RUUVI_BRIDGE = "ruuvibridge"
    RUUVI_COLLECTOR = "ruuvicollector"


SCHEMAS = tuple(schema.value for schema in Schema)

OWN_TAGS = {
    Schema.RUUVI: ("address", "data_format", "gateway", "name"),
    Schema.RUUVI_BRIDGE: ("dataFormat", "mac", "name"),
    Schema.RUUVI_COLLECTOR: ("dataFormat", "mac", "name"),
}
"""The keys of the tags that a schema has itself."""


@dataclass(frozen=True, slots=True)
class Points:
    """How a reading becomes a point."""

    schema: Schema = Schema.RUUVI
    measurement: str = "ruuvi_measurements"
    tags: tuple[tuple[str, str], ...] = ()
    """Of every point, besides those of the schema."""


def tags_of(given: Sequence[str], schema: Schema) -> tuple[tuple[str, str], ...]:
    """`key=value` → (key, value). Raises ConfigError."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise ConfigError("tags", f"{text} must be key=value")
        if key in OWN_TAGS[schema] or key in ("time", "_field", "_measurement"):
            raise ConfigError("tags", f"{key} is a name of its own there: take another one")
        if "\\" in key:  # left out in some places, a name could become another one
            raise ConfigError("tags", f"{key}: databases read a backslash in different ways")
        if key.startswith("_"):
            raise ConfigError(
                "tags", f"{key}: databases keep names that begin with _ to themselves"
            )
        if not text.isprintable():
            raise ConfigError("tags", "there are characters in one that cannot be printed")
        if key in found:
            raise ConfigError("tags", f"{key} is there twice")
        found[key] = value
    if len(found) > MAX_TAGS:
        raise ConfigError("tags", f"there are {len(found)} of them, and may be {MAX_TAGS}")
    return tuple(sorted(found.items()))


def write_url(given: Mapping[str, Any]) -> str:
    """The address of the write request. given: all keys of the target. Raises ConfigError.

    Times are whole seconds, and that is always said: a database takes what it does not know for
    nanoseconds.
    """
    url: str = given["url"]
    api: str = given["api"]
    try:
        parse_address(url)
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError("url", f"the address cannot be used: {error}") from None
    if "@" in parts.netloc:
        raise ConfigError("url", "user and password have keys of their own: user, pass")
    if parts.query or parts.fragment:
        why = "must end before the ?: what stands behind it has keys of its own (database, bucket)"
        raise ConfigError("url", why)
    path = parts.path.rstrip("/")
    other = _PATHS["v2" if api == "v1" else "v1"]
    if path.endswith(_PATHS["v2"]) and api == "v1":
        raise ConfigError("api", f"v1 does not go with an address that ends in {other}")
    if not path.endswith(_PATHS[api]):
        path += _PATHS[api]
    if api == "v1":
        named = {"db": given["database"], "rp": given["retention"]}
    else:
        named = {"org": given["org"], "bucket": given["bucket"]}
    query = urlencode(
        {**{k: v for k, v in named.items() if v}, "precision": "s"},
        quote_via=quote,
        safe="",
        errors="replace",
    )
    return parts._replace(path=path, query=query).geturl()
