"""Settings of a receiver: address, keys, and which failures it simulates."""

from dataclasses import dataclass
from pathlib import Path

OUTAGE = 503
"""The default status of an outage."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults are a receiver without failures on a free port of this machine.

    An outage is simulated by a status other than 2xx, or by `hang`. It affects all good batches,
    the first N, or every Nth.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    tls_cert: Path | None = None
    """PEM, with the chain. None: plain HTTP."""
    tls_key: Path | None = None
    """PEM. None: it is in `tls_cert`."""
    gw_cfg: Path | None = None
    """A folder of configurations that gateways fetch; None: there are none."""

    keys: tuple[bytes, ...] = ()
    """HMAC keys, any of which may sign; none: signatures are not verified."""
    new_key: bytes | None = None
    """Sent with every answer; a gateway that got it must use it."""
    rate: str | None = None
    """The value of X-Ruuvi-Gateway-Rate; any text, to test how gateways handle it."""

    answer: int = 200
    """The status for a good batch, 200 to 599."""
    delay: float = 0.0
    """Seconds between accepting a batch and answering."""
    hang: bool = False
    """Read, and do not answer."""
    fail_first: int = 0
    """Only the first N good batches meet the outage; 0: no such limit."""
    fail_every: int = 0
    """Only every Nth good batch meets the outage; 0: no such limit."""

    head_timeout: float = 10.0
    """Seconds for TLS, and again for a request's head to be complete."""
    body_timeout: float = 30.0
    """Seconds for a body to be complete."""
    max_connections: int = 100
    make_room: float = 1.0
    """Seconds after which a client whose request is not complete leaves when there are too many. A
    gateway sends its own in milliseconds."""

    @property
    def success(self) -> int:
        """The status for a batch that is accepted."""
        return self.answer if self.answer < 300 else 200

    def outage(self, number: int) -> int | None:
        """The status if the good batch with this number (from 1) meets the outage, else None."""
        limited = self.fail_first > 0 or self.fail_every > 0
        if self.answer < 300 and not self.hang and not limited:
            return None
        status = self.answer if self.answer >= 300 else OUTAGE
        if not limited or number <= self.fail_first:
            return status
        return status if self.fail_every and number % self.fail_every == 0 else None
