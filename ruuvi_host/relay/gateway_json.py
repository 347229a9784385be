"""The body of a post, and of an answer to `GET /history`, byte for byte as the Ruuvi Gateway makes
them: raw, decoded or both.

The signature is over this very text, so it is made once per attempt and sent as it is. It is put
together from templates: the gateway's own printer decides on spaces, order and digits, which no
JSON library lets one choose. Strings are left to `json`.

Source: ruuvi.gateway_esp.c http_json.c, json_stream_gen.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch

PHY_NAMES = {15: "1M", 2: "2M", 4: "Coded"}
"""Secondary PHY → `ble_phy`; 15 is "none", so the primary one, 1M. Others: no such member."""

Members = Callable[[bytes], list[tuple[str, str]]]
"""Advertising data → names and values of what it means, as JSON."""

TAGS_PER_SLICE = 100
"""So many tags, decoded, take a millisecond or two: the event loop gets a turn in between."""


@dataclass(frozen=True, slots=True)
class BodyFacts:
    """What a body tells besides its batch."""

    coordinates: str = ""
    """As configured; at most 63 bytes."""
    use_timestamps: bool = True
    """False: a gateway without a clock. Tags then have a `counter` in place of the time."""
    data_format: DataFormat = DataFormat.RAW
    signed_tx_power: bool = False
    """True: a negative transmit power as it is, and not as the gateway prints it."""

    def __post_init__(self) -> None:
        if self.data_format is not DataFormat.RAW:
            _members()  # imported now, rather than in the middle of the first batch


def _members() -> Members:
    """Imported only when something is decoded: it is half a megabyte."""
    from ruuvi_host.formats.gateway import gateway_members

    return gateway_members


def body_slices(batch: Batch, facts: BodyFacts, utc: int) -> Iterator[bytes]:
    """The body of one attempt, made at `utc` (whole seconds), in pieces of some milliseconds."""
    return _slices(batch.gateway, batch.advertisements, facts, utc, batch.nonce)


def history_slices(
    gateway: DeviceId, advertisements: Sequence[Advertisement], facts: BodyFacts, utc: int
) -> Iterator[bytes]:
    """The answer to `GET /history`: a body without a nonce."""
    return _slices(gateway, advertisements, facts, utc, None)


def _slices(
    gateway: DeviceId,
    advertisements: Sequence[Advertisement],
    facts: BodyFacts,
    utc: int,
    nonce: int | None,
) -> Iterator[bytes]:
    timestamp = f'    "timestamp": {utc},\n' if facts.use_timestamps else ""
    nonce_line = "" if nonce is None else f'    "nonce": {nonce},\n'
    head = (
        "{\n"
        '  "data": {\n'
        f'    "coordinates": {json.dumps(facts.coordinates, ensure_ascii=False)},\n'
        f"{timestamp}{nonce_line}"
        f'    "gw_mac": "{address_text(gateway.addr)}",\n'
        '    "tags": {'
    )
    yield head.encode()
    time_name = "timestamp" if facts.use_timestamps else "counter"
    # The firmware prints a negative power as an unsigned 32-bit number. Servers know it so.
    mask = -1 if facts.signed_tx_power else 0xFFFFFFFF
    members = None if facts.data_format is DataFormat.RAW else _members()
    has_data = facts.data_format is not DataFormat.DECODED
    for first in range(0, len(advertisements), TAGS_PER_SLICE):
        part = advertisements[first : first + TAGS_PER_SLICE]
        text = ",".join([_tag(a, time_name, mask, members, has_data=has_data) for a in part])
        yield (text if first == 0 else "," + text).encode()
    yield b"\n    }\n  }\n}" if advertisements else b"}\n  }\n}"


def _tag(
    advertisement: Advertisement,
    time_name: str,
    power_mask: int,
    members: Members | None,
    *,
    has_data: bool,
) -> str:
    address, data, rssi, _, secondary, channel, power, _, time = advertisement
    phy = PHY_NAMES.get(secondary)
    phy_line = f'        "ble_phy": "{phy}",\n' if phy else ""
    power_line = "" if power is None else f',\n        "ble_tx_power": {power & power_mask}'
    data_line = decoded_lines = ""
    if has_data:
        data_line = f',\n        "data": "{data.hex().upper()}"'
    if members:
        # What cannot be decoded stays in the batch, without these.
        decoded = members(data)
        decoded_lines = "".join([f',\n        "{name}": {text}' for name, text in decoded])
    return (
        f'\n      "{address_text(address)}": {{\n'
        f'        "rssi": {rssi},\n'
        f'        "{time_name}": {time},\n'
        f"{phy_line}"
        f'        "ble_chan": {channel}'
        f"{power_line}{data_line}{decoded_lines}\n"
        "      }"
    )
