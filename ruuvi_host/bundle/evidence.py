"""What only a running host knows for the report of a fault, and how it tells it another process."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ruuvi_host.config.show import Line

if TYPE_CHECKING:
    from ruuvi_host.capture.pcapng import Record

NAME = "evidence.sock"
"""In the state directory, for its owner alone: what is told over it is not masked."""
SECONDS = 5.0
"""For which the port is listened to. A tag speaks each 1.3 s."""
PATIENCE = SECONDS + 10.0
"""Seconds to wait for the answer."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Nothing of it is masked."""

    config: Sequence[Line]
    """In force, without secrets."""
    log: Sequence[str]
    starts: Mapping[str, Any]
    records: "Sequence[Record]"
    """Of SECONDS; empty: nothing came."""

    def document(self) -> dict[str, Any]:
        """As JSON can have it."""
        return {
            "config": [asdict(line) for line in self.config],
            "log": list(self.log),
            "starts": dict(self.starts),
            "records": [[*r[:3], r.data.hex(), r.lost, r.interface] for r in self.records],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Evidence":
        """Raises ValueError, TypeError or KeyError when it is none, as of another version."""
        from ruuvi_host.capture.pcapng import Record

        return cls(
            [Line(**line) for line in document["config"]],
            [str(line) for line in document["log"]],
            dict(document["starts"]),
            [
                Record(bool(sent), int(wall), monotonic, bytes.fromhex(data), lost, 0, interface)
                for sent, wall, monotonic, data, lost, interface in document["records"]
            ],
        )
