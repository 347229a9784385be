"""`GET /ruuvi.json`: the present configuration, without its secrets, as the gateway prints it.

A gateway's page stops at a member that it does not know, so there is nothing of our own in it.

Source: ruuvi.gateway_esp.c gw_cfg_json_generate.c; the printer is that of cJSON.
"""

import asyncio
import json
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door, Identity
from ruuvi_host.config.files import gateway_text
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, SHOWN_ONLY, GatewayKey
from ruuvi_host.config.gateway_values import whole

FILES = (
    *("http_cli_cert", "http_cli_key", "stat_cli_cert", "stat_cli_key"),
    *("mqtt_cli_cert", "mqtt_cli_key", "rcfg_cli_cert", "rcfg_cli_key"),
    *("http_srv_cert", "stat_srv_cert", "mqtt_srv_cert", "rcfg_srv_cert"),
    *("http_path", "http_query", "http_headers"),
)
"""Of the files beside the configuration, in the order of `storage`."""

_SHOWN_AS = {secret: shown for shown, secret in SHOWN_ONLY.items()}


async def get_ruuvi_json(request: Request, door: Door) -> Response:
    """All keys."""
    return answer(200, gateway_document(door).encode())


def gateway_document(door: Door) -> str:
    """The text of the answer."""
    return shown(door.loaded.sources.gateway, door.identity(), door.files())


def shown(gateway: GatewayConfig, identity: Identity, files: Container[str]) -> str:
    """The text for these values. files: names of those that are there."""
    document: dict[str, Any] = {
        "fw_ver": identity.version,
        "nrf52_fw_ver": identity.nrf_version,
        "gw_mac": identity.mac,
        "storage": {"storage_ready": True} | {name: name in files for name in FILES},
    }
    values = gateway.document()
    for key in GATEWAY_KEYS:
        if key.name in values:
            document |= _public(key, values[key.name], identity)
    return printed(document)


def _public(key: GatewayKey, value: Any, identity: Identity) -> dict[str, Any]:
    """What is shown of a key."""
    if key.name in _SHOWN_AS:
        return {_SHOWN_AS[key.name]: bool(value)}
    if key.secret:
        return {}
    if key.members:
        secret = {member.name for member in key.members if member.secret}
        value = {member.name: value[member.name] for member in key.members} if value else {}
        return {key.name: {name: each for name, each in value.items() if name not in secret}}
    match key.name:
        case "mqtt_prefix":
            value = value or f"ruuvi/{identity.mac}/"
        case "mqtt_client_id":
            value = value or identity.mac
        case "remote_cfg_auth_type" if value == "no":
            value = "none"
        case "scan_filter_list":
            value = [text.upper() for text in value]
    return {key.name: value}


def printed(document: Mapping[str, Any]) -> str:
    """As cJSON prints an object: a tab per level and behind each colon, a list on one line."""
    return whole("".join(_object(document, 1)))


def _object(members: Mapping[str, Any], level: int) -> Iterator[str]:
    indent = "\t" * level
    between = "{\n"
    for name, value in members.items():
        yield f"{between}{indent}{_json(name)}:\t"
        between = ",\n"
        if isinstance(value, Mapping):
            yield from _object(value, level + 1)
        elif isinstance(value, list):
            yield f"[{', '.join(map(_json, value))}]"
        else:
            yield _json(value)
    end = "\t" * (level - 1)
    yield f"\n{end}}}" if members else f"{{\n{end}}}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


async def saved_crc32(door: Door) -> int:
    """CRC-32 of the saved configuration: of the file, or of what it would be if there is none."""
    sources = door.loaded.sources
    text = b""
    if sources.gateway_path:
        with suppress(OSError):
            text = await asyncio.to_thread(Path(sources.gateway_path).read_bytes)
    return crc32(text or gateway_text(sources.gateway.document()).encode())
