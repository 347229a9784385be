"""How much, and how long, a client may take."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds. The defaults are those of the local API of a gateway (http_server.c), and
    in connections and bytes what its specification asks of a host."""

    head: int = 16_384
    """Bytes of the head of a request."""
    body: int | None = 65_536
    """Bytes of its body, which then needs a Content-Length. None: the application looks itself."""

    head_time: float = 5.0
    """Until the head is complete."""
    request_time: float = 30.0
    """Until the whole request is complete."""
    silence: float = 3.0
    """Without a byte of a request that has begun, or is the first."""
    sending: float = 15.0
    """For a client to take its answer."""
    keep_alive: float = 75.0
    """Between two requests. Longer than the 60 s that pollers like to wait."""
    linger: float = 1.0
    """For which the rest of a refused request is still read: closing at once would reset the
    connection, and the client might not see the answer."""

    connections: int = 16
    """Then who waits for longest without being answered leaves."""
    most: int = 64
    """Whatever they do."""
    newcomer: float = 0.5
    """For which nobody who has just connected has to leave: its request may be on the way."""

    half_closed: bool = True
    """A client that ends its sending side behind a request is still answered."""

    answers_silence: bool = False
    """A client that has not sent a byte in time is answered, too. Not where browsers ask: they
    connect on suspicion, and would take the answer for that to a request that they send just then.
    """

    @classmethod
    def of_an_application_that_judges(
        cls, head_time: float, connections: int, newcomer: float, *, half_closed: bool
    ) -> "Limits":
        """Only what an application cannot see; bodies and their time are its own affair."""
        return cls(
            body=None,
            head_time=head_time,
            request_time=inf,
            silence=inf,
            sending=inf,
            connections=connections,
            most=connections,
            newcomer=newcomer,
            half_closed=half_closed,
            answers_silence=True,
        )
