"""The body that a batch would be posted with, as one line: what `spool export` writes.

It says what `gateway_json.body_slices` says, which `tests/unit/test_body_line.py` holds it to, with
the spaces of Python's json; put together at once, since there may be a million of them.
"""

import json
from functools import lru_cache

from firmware_protocol.messages import address_text
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.gateway_json import PHY_NAMES, BodyFacts, body_slices


class BodyLines:
    """Of the batches of one target."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._begin = f'{{"target": {json.dumps(target)}, "data": {{"coordinates": "", '

    def line(self, batch: Batch, utc: int) -> str:
        """With its end. utc: of the attempt, whole seconds."""
        tags = batch.advertisements
        if len(tags) > 1 and len({tag.address for tag in tags}) < len(tags):
            return self._slowly(batch, utc)
        name, when = "counter", ""
        if not batch.counted:
            name, when = "timestamp", f'"timestamp": {utc}, '
        texts = [
            f'"{address.hex(":").upper()}": {{"rssi": {rssi}, "{name}": {time}, '
            f'{_PHYS.get(secondary, "")}"ble_chan": {channel}'
            f"{_power(power)}"
            f', "data": "{data.hex().upper()}"}}'
            for address, data, rssi, _, secondary, channel, power, _, time in tags
        ]
        return (
            f'{self._begin}{when}"nonce": {batch.nonce}, "gw_mac": "{_text(batch.gateway.addr)}", '
            f'"tags": {{{", ".join(texts)}}}}}}}\n'
        )

    def _slowly(self, batch: Batch, utc: int) -> str:
        """An address that is there twice is one member for who reads it."""
        facts = BodyFacts(use_timestamps=not batch.counted)
        body = json.loads(b"".join(body_slices(batch, facts, utc)))
        return json.dumps({"target": self._target, **body}) + "\n"


def _power(power: int | None) -> str:
    return "" if power is None else f', "ble_tx_power": {power & 0xFFFFFFFF}'


_PHYS = {phy: f'"ble_phy": "{name}", ' for phy, name in PHY_NAMES.items()}
_text = lru_cache(64)(address_text)
