"""A batch as JSON lines: one for each reading, decoded; or one with the body of a gateway."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b

from firmware_protocol.messages import address_text
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Content
from ruuvi_host.formats.derived import derived_of
from ruuvi_host.formats.json_text import json_members, json_string, json_value
from ruuvi_host.formats.measurement import fields
from ruuvi_host.intake.advertisement import RSSI_NOT_AVAILABLE, Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices

Encoder = Callable[[Batch, float], list[bytes]]
"""Batch and time of the attempt (UTC, seconds) → lines, each with its line feed. A batch without
reports gives none."""

_LINE = re.compile(rb'\n *(?:("[^"]*"): )?')
"""In a gateway's body: a new line, with the name of a member. Texts have neither in them."""


_LAST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


def encoder(
    content: Content,
    config: Config,
    known: Callable[[], Readings] | None = None,
    derived: Sequence[str] = (),
) -> Encoder:
    """How a target of this content writes a batch.

    known: what people say about their sensors, as of now. None: as the configuration has it.
    derived: values that are added to readings.
    """
    if content is Content.READINGS:
        if known is None:
            of_config = Readings(config.sensors)
            return partial(readings, lambda: of_config, derived)
        return partial(readings, known, derived)
    facts = BodyFacts(config.coordinates, signed_tx_power=config.signed_tx_power)

    def gateway(batch: Batch, utc: float) -> list[bytes]:
        if not batch.advertisements:
            return []
        of_batch = BodyFacts(
            facts.coordinates, not batch.counted, signed_tx_power=facts.signed_tx_power
        )
        body = b"".join(body_slices(batch, of_batch, int(utc)))
        return [_LINE.sub(lambda found: found[1] + b":" if found[1] else b"", body) + b"\n"]

    return gateway


def readings(
    known: Callable[[], Readings], derived: Sequence[str], batch: Batch, _: float
) -> list[bytes]:
    """A line for each report: its measurement by our own names, with what is derived from it; or
    its data and why it cannot be decoded."""
    now_known, gateway, counted = known(), address_text(batch.gateway.addr), batch.counted
    return [
        _reading(now_known, derived, report, gateway, counted=counted)
        for report in batch.advertisements
    ]


def _reading(
    known: Readings,
    derived: Sequence[str],
    advertisement: Advertisement,
    gateway: str,
    *,
    counted: bool,
) -> bytes:
    name, measurement, error, offsets = known.of(advertisement.address, advertisement.data)
    if measurement is not None:
        what = json_members(measurement)
        for key, value in derived_of(fields(measurement), derived).items():
            what += f',"{key}":{json_value(value)}'
    else:
        what = f'"adv":"{advertisement.data.hex().upper()}","error":"{error}"'
    if offsets:
        added = ",".join(f'"{field}":{value}' for field, value in offsets)
        what += f',"offsets":{{{added}}}'
    timestamp = advertisement.timestamp
    # Without a clock it is a running number; and what a damaged spool says may be no time at all.
    is_time = not counted and 0 <= timestamp <= _LAST
    when = f'"time":"{_iso(timestamp)}"' if is_time else f'"counter":{timestamp}'
    address = address_text(advertisement.address)
    rssi = "null" if advertisement.rssi == RSSI_NOT_AVAILABLE else advertisement.rssi
    head = f'{when},"gateway":"{gateway}","address":"{address}","rssi":{rssi}'
    if name:
        head += f',"name":{json_string(name)}'
    return f"{{{head},{what}}}\n".encode()


def _iso(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Recent:
    """The last lines of a file, so that a batch that is delivered again is not written again."""

    MOST = 5000
    """Lines."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, line: bytes) -> bool:
        return _identity(line) in self._known

    def add(self, line: bytes) -> None:
        self._known[_identity(line)] = None
        if len(self._known) > self.MOST:
            self._known.popitem(last=False)


def _identity(line: bytes) -> bytes:
    """What a line has in common with the same one of another attempt. A gateway's body tells the
    time of the attempt, which stands before its nonce."""
    nonce = line.find(b'"nonce":')
    return blake2b(line[max(nonce, 0) :], digest_size=16).digest()
