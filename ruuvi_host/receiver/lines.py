"""Receipts as lines of text, or as JSON objects.

Text from the network is made printable and truncated before it is put into a line.
"""

import json
import time
from collections.abc import Mapping

from ruuvi_host.formats.measurement import QUANTITIES
from ruuvi_host.receiver.body import Json
from ruuvi_host.receiver.examine import Result
from ruuvi_host.receiver.readings import readings
from ruuvi_host.receiver.receipt import Receipt, printable


def text_lines(receipt: Receipt, decode: bool, count: int = 1) -> str:
    """A line for the request; with `decode` and if accepted, one more for each tag of its batch.

    count: of the requests that the line stands for, this one included.
    """
    verdict, status = receipt.verdict, receipt.verdict.gateway_status
    words = [time.strftime("%H:%M:%S", time.localtime(receipt.time)), f"{verdict.result:<9}"]
    if status is not None:
        words += [
            f"{status.gateway}",
            f"status {status.nonce}",
            f"sensors {len(status.active)} active {len(status.inactive)} inactive",
            f"up {status.members['UPTIME']} s",
            f"{status.members['RESET_REASON']} {status.members['RESET_CNT']}",
            f"bytes {len(receipt.body)}",
            f"signature {verdict.signature}",
        ]
    elif verdict.batch is None:
        words += [receipt.client, printable(receipt.request)]
    else:
        words += [
            verdict.batch.gateway,
            f"nonce {verdict.batch.nonce}",
            f"tags {len(verdict.batch.tags)}",
            f"bytes {len(receipt.body)}",
            f"signature {verdict.signature}",
        ]
    words.append(f"answered {verdict.status}" if receipt.answered else "not answered")
    if verdict.reason:
        words.append(printable(verdict.reason))
    if count > 1:
        words.append(f"({count} such since the last line)")
    lines = ["  ".join(word for word in words if word)]
    if decode and verdict.result is Result.ACCEPTED and verdict.batch is not None:
        for address, reading in readings(verdict.batch).items():
            rssi = verdict.batch.tags[address]["rssi"]
            lines.append(f"    {address}  {rssi} dBm  {_words(reading)}")
    return "\n".join(lines)


def json_line(receipt: Receipt, decode: bool, count: int = 1) -> str:
    """The same as JSON; with `decode` and if accepted it has "readings", by address, complete."""
    verdict, status = receipt.verdict, receipt.verdict.gateway_status
    members: dict[str, Json] = {
        "time": round(receipt.time, 3),
        "result": verdict.result,
        "status": verdict.status if receipt.answered else None,
    }
    if verdict.reason:
        members["reason"] = printable(verdict.reason)
    if count > 1:
        members["count"] = count
    if status is not None:
        members |= {
            "gw_mac": status.gateway,
            "status_nonce": status.nonce,
            "active": {**status.active},
            "inactive": [*status.inactive],
            "bytes": len(receipt.body),
            "signature": verdict.signature,
            "gateway_status": status.members,
        }
        return json.dumps(members)
    if verdict.batch is None:
        members |= {"client": receipt.client, "request": printable(receipt.request)}
        return json.dumps(members)
    members |= {
        "gw_mac": verdict.batch.gateway,
        "nonce": verdict.batch.nonce,
        "tags": len(verdict.batch.tags),
        "bytes": len(receipt.body),
        "signature": verdict.signature,
    }
    if decode and verdict.result is Result.ACCEPTED:
        members["readings"] = {**readings(verdict.batch)}
    return json.dumps(members)


def text_totals(totals: Mapping[Result, int]) -> str:
    """The last line of text."""
    return "Stopped: " + ", ".join(f"{totals[result]} {result}" for result in Result)


def json_totals(totals: Mapping[Result, int]) -> str:
    """The last line of JSON."""
    return json.dumps({"stopped": {result: totals[result] for result in Result}})


def _words(reading: Mapping[str, Json]) -> str:
    """A reading in one line: our fields that have a unit, and all fields of other senders."""
    if not reading:
        return "not decoded"
    words = []
    for name, value in reading.items():
        unit = QUANTITIES[name].unit if name in QUANTITIES else None
        if value is not None and unit != "":
            words.append(f"{name} {printable(str(value))} {unit or ''}".rstrip())
    return ", ".join(words) or "nothing measured"
