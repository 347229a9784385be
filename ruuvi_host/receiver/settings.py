"""What a receiver can be told: where it listens, whom it believes, how it misbehaves."""

from dataclasses import dataclass
from pathlib import Path

OUTAGE = 503
"""The status of an outage when none is named."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults are a well-behaved receiver on a free port of this machine.

    An outage is played by answering a status other than 2xx, or by `hang`. It lasts for ever, or
    meets the first, or every so-manieth, of the good batches.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 = any free one."""
    tls_cert: Path | None = None
    """PEM, with the chain. None = plain HTTP."""
    tls_key: Path | None = None
    """PEM. None = it is in `tls_cert`."""

    keys: tuple[bytes, ...] = ()
    """HMAC keys, any of which may sign; none = signatures cannot be verified."""
    new_key: bytes | None = None
    """Offered with every answer, and expected of a gateway once it has been."""
    rate: str | None = None
    """The value of X-Ruuvi-Gateway-Rate; any text, since gateways must bear any text."""

    answer: int = 200
    """The status for a good batch, 200 to 599."""
    delay: float = 0.0
    """Seconds between taking a batch and answering."""
    hang: bool = False
    """Read, and never answer."""
    fail_first: int = 0
    """Play the outage for so many good batches only; 0 = not limited in this way."""
    fail_every: int = 0
    """Play the outage for each so-manieth good batch only; 0 = not limited in this way."""

    head_timeout: float = 10.0
    """Seconds for TLS, and again for a request's head to be complete."""
    body_timeout: float = 30.0
    """Seconds for a body to be complete."""
    max_connections: int = 100

    @property
    def success(self) -> int:
        """The status for a batch that is accepted."""
        return self.answer if self.answer < 300 else 200

    def outage(self, number: int) -> int | None:
        """The status if the outage meets the good batch of this number (from 1), else None."""
        limited = self.fail_first > 0 or self.fail_every > 0
        if self.answer < 300 and not self.hang and not limited:
            return None
        status = self.answer if self.answer >= 300 else OUTAGE
        if not limited or number <= self.fail_first:
            return status
        return status if self.fail_every and number % self.fail_every == 0 else None
