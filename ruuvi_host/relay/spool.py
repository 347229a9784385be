"""The one queue of a relay: batches that wait for their server, bounded, the oldest leaves.

In memory while the host runs; what is undelivered when it stops is written to one file and read
again at the next start. (Surviving `kill -9` is the next step of this room.)
"""

import json
import os
from collections import deque
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
    """Batches in order of age.

    max_reports: bound on the advertisements in all batches together.
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

    def remove(self, batch: Batch) -> None:
        """Take a batch out: delivered, or dropped by whoever counts it. None that has left."""
        if self._batches and self._batches[-1] is batch:
            self._batches.pop()
        elif self._batches and self._batches[0] is batch:
            self._batches.popleft()
        else:
            try:
                self._batches.remove(batch)
            except ValueError:
                return  # the bound has pushed it out meanwhile
        self.reports -= len(batch.advertisements)

    def save(self, path: Path) -> None:
        """Write all batches to `path` (0600), replacing it in one step; remove it when empty."""
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
            raise SpoolError(
                str(path), f"cannot keep undelivered data: {error.strerror}"
            ) from error

    def load(self, path: Path) -> None:
        """Append what `save` wrote. A damaged line ends it: raises SpoolError, what was before
        it is kept."""
        try:
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    try:
                        batch = _from_json(json.loads(line))
                    except (ValueError, TypeError, KeyError, AttributeError) as error:
                        raise SpoolError(str(path), f"line {number} is damaged") from error
                    self.append(batch)
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise SpoolError(str(path), f"cannot read undelivered data: {error}") from error


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


def _from_json(value: dict[str, Any]) -> Batch:
    advertisements = tuple(
        Advertisement(
            bytes.fromhex(address),
            bytes.fromhex(data),
            rssi,
            primary,
            secondary,
            channel,
            power,
            0.0,
            stamp,
        )
        for address, data, rssi, primary, secondary, channel, power, stamp in value[
            "advertisements"
        ]
    )
    gateway = DeviceId(bytes.fromhex(value["id"]), bytes.fromhex(value["addr"]))
    return Batch(value["nonce"], gateway, advertisements)
