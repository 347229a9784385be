"""What the page shows of the configuration, and how it is changed from there.

`GET /host/settings` has every key that may be shown; of a secret it tells only that there is one.
`POST /host/settings` takes

    gateway  keys of a gateway, as `POST /ruuvi.json`
    files    names of files beside the configuration, each with its text, or null: to be removed
    host     pairs [key, text] of ruuvi-host.toml, as `config set` has them; only those of sensors,
             because others name programs and folders, which is more than who may write here may do

all or nothing, and answers with what has become of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruuvi_host.api.door import Change, Door
from ruuvi_host.config.file_checks import LONGEST_PART, unusable
from ruuvi_host.config.file_places import FILE_NAMES, PARTS
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, Kind
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.sensor_tables import is_of_sensor
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.errors import ConfigError

_ENDS_SESSIONS = frozenset({"lan_auth_type", "lan_auth_user", "lan_auth_pass"})
_SECRETS = tuple(key.name for key in GATEWAY_KEYS if key.secret)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be changed."""

    gateway: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    host: Sequence[tuple[str, str]] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Wish":
        """Raises ValueError: it is none. Raises ConfigError naming a file that cannot be used."""
        gateway, files = document.get("gateway", {}), document.get("files", {})
        host = document.get("host", [])
        if not (isinstance(gateway, dict) and isinstance(files, dict) and isinstance(host, list)):
            raise ValueError("gateway and files are objects, host is a list")
        for name, text in files.items():
            if name not in FILE_NAMES or not isinstance(text, str | None):
                raise ValueError("a file has a name that there is, and a text or null")
            if text is not None:
                _check_file(name, text.encode())
        pairs = []
        for pair in host:
            if not (isinstance(pair, list) and len(pair) == 2):
                raise ValueError("host has pairs")
            name, text = pair
            if not (isinstance(name, str) and isinstance(text, str) and is_of_sensor(name)):
                raise ValueError("pairs are texts, and about sensors")
            pairs.append((name, text))
        return cls(gateway, files, pairs)


def _check_file(name: str, content: bytes) -> None:
    if name in PARTS and len(content) > LONGEST_PART:
        raise ConfigError(name, f"has more than {LONGEST_PART} bytes")
    if why := unusable(name, content):
        raise ConfigError(name, why)


async def shown(door: Door) -> dict[str, Any]:
    """Without any secret. JSON values only."""
    sources = door.loaded.sources
    gateway, tables = sources.gateway, sources.host.sensors.found
    parts = {name: await door.read_file(name) for name in PARTS}
    return {
        "name": door.identity().name,
        "values": {
            key.name: gateway[key.name]
            for key in GATEWAY_KEYS
            if not key.secret and key.kind is not Kind.OBJECT
        },
        "secrets": [name for name in _SECRETS if gateway[name]],
        "files": sorted(door.files()),
        "texts": {
            n: part.decode("utf-8", "replace") for n, part in parts.items() if part is not None
        },
        "fixed": {name: gateway.origins[name] for name in sorted(gateway.own)},
        "sensors": {address: _without_secret(table.values) for address, table in tables.items()},
        "sensor_defaults": {key.name: key.default for key in SensorSettings.KEYS if not key.secret},
    }


def _without_secret(values: Mapping[str, Any]) -> dict[str, Any]:
    secret = {key.name for key in SensorSettings.KEYS if key.secret}
    return {name: bool(value) if name in secret else value for name, value in values.items()}


def told(change: Change, loaded: Loaded) -> dict[str, Any]:
    """What has become of it. JSON values only. loaded: the configuration that is in use now."""
    # Of the values in use, what is wrong with those that were changed, and what keeps a target out.
    wrong = [p for p in loaded.problems if p.key in change.changed]
    wrong += [p for p in loaded.problems if p.severity is Severity.FAULT and p not in wrong]
    return {
        "changed": sorted(change.changed),
        "fixed": dict(change.fixed or {}),
        "problems": [
            {"key": p.key, "why": p.why, "instead": p.instead, "severity": p.severity.value}
            for p in (*change.problems, *wrong)
        ],
        "needs_restart": change.needs_restart,
        "ends_sessions": bool(change.changed & _ENDS_SESSIONS),
    }
