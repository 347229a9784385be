"""`GET /metrics`: the gateway's lines, then our own, for Prometheus.

Source: ruuvi.gateway_esp.c metrics.c, of whose lines those are left out that mean nothing on Linux.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door, Identity
from ruuvi_host.api.exposition import labelled
from ruuvi_host.api.gateway_document import gateway_document, saved_crc32
from ruuvi_host.api.host_metrics import Meanings, all_meanings, host_families
from ruuvi_host.api.query import parameter
from ruuvi_host.api.reading_metrics import reading_families
from ruuvi_host.monitoring.machine import memory_available
from ruuvi_host.monitoring.overview import Overview

CONTENT_TYPE = "text/plain; charset=utf-8; version=0.0.4"

_CAPABILITIES = ("INTERNAL", "DEFAULT")
"""Of the gateway's kinds of memory: those that mean something here."""


@dataclass(frozen=True, slots=True)
class CheckSums:
    """They change with the configuration."""

    saved: int
    """Of the saved file."""
    shown: int
    """Of the text of `GET /ruuvi.json`."""


async def get_metrics(request: Request, door: Door) -> Response:
    """With `?readings=true`: also what each sensor measures."""
    query: bytes = request.scope["query_string"]
    meant = await asyncio.to_thread(_meanings)
    sums = CheckSums(await saved_crc32(door), crc32(gateway_document(door).encode()))
    overview = door.overview()
    memory = memory_available(most=None)
    lines = list(gateway_lines(overview, door.identity(), memory, sums))
    lines += map(str, host_families(overview, meant, door.clock.monotonic()))
    if parameter(query, "readings") == "true":
        for family in await reading_families(door):
            lines.append(str(family))
            await asyncio.sleep(0)  # of ten thousand sensors each takes some milliseconds
    return answer(200, "".join(lines).encode(), CONTENT_TYPE)


@cache
def _meanings() -> Meanings:
    return all_meanings()


def gateway_lines(
    overview: Overview, identity: Identity, memory: int, sums: CheckSums
) -> Iterator[str]:
    """The gateway's own, in its order. memory: bytes that are free."""
    intake, link = overview.intake, overview.links[0].counters
    numbers = {
        "received_advertisements": intake.legacy,
        "received_ext_advertisements": intake.extended_2m,
        "received_coded_advertisements": intake.coded,
        "uptime_us": round(overview.uptime * 1e6),
        "nrf_self_reboot_cnt": link.session.reboots,
        "nrf_ext_hw_reset_cnt": link.resets,
        "nrf_lost_ack_cnt": link.session.lost_acks,
    }
    for name, number in numbers.items():
        yield f"ruuvigw_{name} {number}\n"
    for name in ("free_bytes", "largest_free_block_bytes"):
        for capability in _CAPABILITIES:
            kind = labelled({"capability": f"MALLOC_CAP_{capability}"})
            yield f"ruuvigw_heap_{name}{kind} {memory}\n"
    versions = {"esp_fw": identity.version, "nrf_fw": identity.nrf_version}
    yield f"ruuvigw_info{labelled({'mac': identity.mac} | versions)} 1\n"
    yield f"ruuvigw_gw_cfg_crc32 {sums.saved}\n"
    yield f"ruuvigw_ruuvi_json_crc32 {sums.shown}\n"
