"""The document of a gateway's statistics: facts in, the octets of a post out.

Nearly all numbers in it are strings of digits: so the gateway sends them, and its servers read
them. The text form is that of its JSON library: tabs, and a tab behind each colon.

Source: ruuvi.gateway_esp.c http_json.c.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_protocol.messages import DeviceId, address_text
from firmware_protocol.session import Generation
from ruuvi_host.starts import Start

_Json = bool | int | str | Sequence["_Json"] | Mapping[str, "_Json"]

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")

_GENERATIONS = {Generation.V1: "v1.0.0", Generation.V2: "v2.0.0", Generation.UNKNOWN: "v0.0.0"}


@dataclass(frozen=True, slots=True)
class CoprocessorFacts:
    """What is known about the coprocessor."""

    device: DeviceId
    firmware: str
    """vX.Y.Z; a server may refuse what is no semantic version."""
    answers: bool
    """It has answered a moment ago, and is configured."""
    self_reboots: int = 0
    resets: int = 0
    """By us, over its reset line."""
    lost_acks: int = 0
    """Commands without an answer."""


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What one document tells."""

    coprocessor: CoprocessorFacts
    version: str
    """Ours, vX.Y.Z."""
    uptime: int
    """Seconds since the process began."""
    nonce: int
    wireless: bool
    connections_lost: int
    start: Start
    memory: int
    """Octets that are free; also told as the largest free block."""
    samples: Sequence[tuple[bytes, int]]
    """(address, reports heard since the last document), most recently changed first."""


def semver(version: str) -> str:
    """A version as vX.Y.Z, with a pre-release if it has one; v0.0.0 if it is none at all.

    Python's own ways of writing (0.1, 0.1.0.dev3) lose what a semantic version cannot hold.
    """
    found = _VERSION.match(version.strip())
    if not found:
        return "v0.0.0"
    numbers = ".".join(str(int(number or 0)) for number in found.groups()[:3])
    return f"v{numbers}{found[4] or ''}"


def firmware_version(generation: Generation) -> str:
    """The version that a coprocessor's behaviour tells; there is no command to ask for it."""
    return _GENERATIONS[generation]


def document(facts: StatusFacts) -> bytes:
    """The body of a post of statistics."""
    coprocessor, start, free = facts.coprocessor, facts.start, str(facts.memory)
    active = [(address_text(address), str(count)) for address, count in facts.samples if count]
    inactive = [address_text(address) for address, count in facts.samples if not count]
    members: dict[str, _Json] = {
        "DEVICE_ADDR": address_text(coprocessor.device.addr),
        "ESP_FW": facts.version,
        "NRF_FW": coprocessor.firmware,
        "NRF_STATUS": coprocessor.answers,
        "UPTIME": str(facts.uptime),
        "NONCE": str(facts.nonce),
        "CONNECTION": "WIFI" if facts.wireless else "ETHERNET",
        "NUM_CONN_LOST": str(facts.connections_lost),
        "NUM_MIC_FAILURE": "0",
        "RESET_REASON": start.reason.value,
        "RESET_CNT": str(start.count),
        "RESET_INFO": start.info,
        "NRF_SELF_REBOOT_CNT": str(coprocessor.self_reboots),
        "NRF_EXT_HW_RESET_CNT": str(coprocessor.resets),
        "NRF_LOST_ACK_CNT": str(coprocessor.lost_acks),
        "TOTAL_FREE_BYTES_INTERNAL": free,
        "TOTAL_FREE_BYTES_DEFAULT": free,
        "LARGEST_FREE_BLOCK_INTERNAL": free,
        "LARGEST_FREE_BLOCK_DEFAULT": free,
        "SENSORS_SEEN": str(len(active)),
        "ACTIVE_SENSORS": [{"MAC": address, "COUNTER": count} for address, count in active],
        "INACTIVE_SENSORS": inactive,
        "TASKS": [],
    }
    return _text(members, 1).encode("utf-8", "replace")


def _text(value: _Json, depth: int) -> str:
    if isinstance(value, Mapping):
        tabs = "\t" * depth
        lines = [f'{tabs}"{name}":\t{_text(each, depth + 1)}' for name, each in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + tabs[1:] + "}"
    if isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join([_text(each, depth + 1) for each in value]) + "]"
