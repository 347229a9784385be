"""The document of a gateway's statistics: facts in, the bytes of a post out.

Nearly all numbers in it are strings of digits: so the gateway sends them, and its servers read
them. The text form is that of its JSON library: tabs, and a tab behind each colon.

Source: ruuvi.gateway_esp.c http_json.c.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from firmware_protocol.dialect import Generation
from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host.monitoring.starts import Start

SENSORS_PER_SLICE = 500

T = TypeVar("T")

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
    """Bytes that are free; also told as the largest free block."""
    samples: Sequence[tuple[bytes, int]]
    """(address, reports received since the last document), most recently changed first."""


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
    return b"".join(document_slices(facts))


def document_slices(facts: StatusFacts) -> Iterator[bytes]:
    """The same, in pieces of a millisecond or so."""
    coprocessor, start, free = facts.coprocessor, facts.start, str(facts.memory)
    active = [(address, count) for address, count in facts.samples if count]
    inactive = [address for address, count in facts.samples if not count]
    members: dict[str, str | bool] = {
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
    }
    lines = [
        f'\t"{name}":\t{json.dumps(value, ensure_ascii=False)},\n'
        for name, value in members.items()
    ]
    yield ("{\n" + "".join(lines) + '\t"ACTIVE_SENSORS":\t[').encode("utf-8", "replace")
    for part, comma in _parts(active):
        yield (comma + ", ".join([_active(*sensor) for sensor in part])).encode()
    yield b'],\n\t"INACTIVE_SENSORS":\t['
    for addresses, comma in _parts(inactive):
        yield (comma + ", ".join([f'"{address_text(address)}"' for address in addresses])).encode()
    yield b'],\n\t"TASKS":\t[]\n}'


def _active(address: bytes, count: int) -> str:
    return f'{{\n\t\t\t"MAC":\t"{address_text(address)}",\n\t\t\t"COUNTER":\t"{count}"\n\t\t}}'


def _parts(items: list[T]) -> Iterator[tuple[list[T], str]]:
    """The items in parts, and what stands between a part and the one before."""
    for first in range(0, len(items), SENSORS_PER_SLICE):
        yield items[first : first + SENSORS_PER_SLICE], ", " if first else ""
