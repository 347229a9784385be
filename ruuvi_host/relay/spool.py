"""The one queue of a relay: batches that wait for their server, bounded, the oldest leaves.

In memory while the host runs; what is undelivered when it stops is written to one file and read
again at the next start. (Surviving `kill -9` is the next step of this room.)
"""

import json
import os
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from firmware_protocol.messages import DeviceId
from ruuvi_host.advertisement import Advertisement
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch
from ruuvi_host.status import RelayCounters

MAX_REPORTS = 100_000
"""About 30 MB in memory; an hour's outage with 100 sensors at 10 s is 36,000."""


class Spool:
    """Batches with reports in them, in order of age.

    max_reports: bound on the advertisements in all batches together. The youngest batch is kept
    even if it alone is larger.
    """

    def __init__(self, counters: RelayCounters, max_reports: int = MAX_REPORTS) -> None:
        self.reports = 0
        """Advertisements in all batches together."""
        self._counters = counters
        self._max_reports = max_reports
        self._batches: deque[Batch] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def append(self, batch: Batch) -> None:
        """Keep a batch, the youngest. The oldest leave when the bound is reached, counted."""
        self._batches.append(batch)
        self.reports += len(batch.advertisements)
        while self.reports > self._max_reports and len(self._batches) > 1:
            oldest = self._batches[0]
            self.remove(oldest)
            self._counters.overflowed += 1
            self._counters.overflowed_reports += len(oldest.advertisements)

    def oldest(self) -> Batch:
        return self._batches[0]

    def remove(self, batch: Batch) -> bool:
        """Take a batch out: delivered, or dropped by whoever counts it. False: it has left."""
        if self._batches and self._batches[-1] is batch:
            self._batches.pop()
        elif self._batches and self._batches[0] is batch:
            self._batches.popleft()
        else:
            try:
                self._batches.remove(batch)
            except ValueError:
                return False
        self.reports -= len(batch.advertisements)
        return True

    def save(self, path: Path) -> None:
        """Write all batches to `path` (0600), replacing it in one step; remove it when empty.

        Raises SpoolError; the file is then as it was.
        """
        try:
            if not self._batches:
                path.unlink(missing_ok=True)
                return
            temporary = path.with_suffix(".new")
            with open(temporary, "w", opener=_private) as file:
                file.writelines(json.dumps(_to_json(batch)) + "\n" for batch in self._batches)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                path.with_suffix(".new").unlink(missing_ok=True)
            raise SpoolError(
                str(path), f"cannot keep undelivered data: {error.strerror}"
            ) from error

    def load(self, path: Path) -> None:
        """Append what `save` wrote.

        Raises SpoolError if anything of it cannot be read. What can be has been appended then,
        and the file is set aside under another name, so that `save` does not overwrite it.
        """
        damaged = []
        try:
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        self.append(_from_json(json.loads(line)))
                    except (ValueError, TypeError, KeyError, RecursionError):
                        damaged.append(number)
        except FileNotFoundError:
            return
        except OSError as error:
            problem = f"undelivered data cannot be read: {error.strerror}; {_set_aside(path)}"
            raise SpoolError(str(path), problem) from error
        if damaged:
            lines = f"line {damaged[0]} is" if len(damaged) == 1 else f"{len(damaged)} lines are"
            raise SpoolError(str(path), f"{lines} damaged; {_set_aside(path)}")


def _set_aside(path: Path) -> str:
    """Give a file another name; what became of it, in words."""
    asides = (path.with_suffix(f".damaged{n}") for n in count(1))
    try:
        aside = next(a for a in asides if not a.exists())
        path.rename(aside)
    except OSError as error:
        return f"it cannot be set aside either: {error.strerror}"
    return f"it was set aside as {aside.name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _to_json(batch: Batch) -> dict[str, Any]:
    return {
        "nonce": batch.nonce,
        "id": batch.gateway.id.hex(),
        "addr": batch.gateway.addr.hex(),
        # Without `heard`: monotonic time means nothing to another process.
        "advertisements": [
            [a.address.hex(), a.data.hex(), *a[2:7], a.stamp] for a in batch.advertisements
        ],
    }


def _from_json(value: Any) -> Batch:
    gateway = DeviceId(bytes.fromhex(value["id"]), bytes.fromhex(value["addr"]))
    advertisements = tuple(_advertisement(*row) for row in value["advertisements"])
    nonce = value["nonce"]
    if (len(gateway.id), len(gateway.addr), type(nonce)) != (8, 6, int) or not advertisements:
        raise ValueError("not a batch")
    return Batch(nonce, gateway, advertisements)


def _advertisement(address: str, data: str, *numbers: Any) -> Advertisement:
    rssi, primary, secondary, channel, power, stamp = numbers
    octets = bytes.fromhex(address)
    whole = (rssi, primary, secondary, channel, 0 if power is None else power, stamp)
    if len(octets) != 6 or any(type(number) is not int for number in whole):
        raise ValueError("not an advertisement")
    return Advertisement(
        octets, bytes.fromhex(data), rssi, primary, secondary, channel, power, 0.0, stamp
    )
