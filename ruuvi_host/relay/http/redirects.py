"""Where a redirect may lead to: to whom our data goes is decided by the user, not by a server."""

from ruuvi_host.config.addresses import is_ruuvi
from ruuvi_host.config.url import Address, join
from ruuvi_host.relay.http.near import distance
from ruuvi_host.relay.http.outcome import Advice, NotDelivered, Stage, Step
from ruuvi_host.relay.sink import Verdict

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Followed as the same POST, but for 303, which asks for a GET."""
SEE_OTHER = 303
PERHAPS_GET = frozenset({301, 302})
"""The same POST to us, and to every browser a GET; if its target refuses POST, so did they mean."""
REFUSES_POST = frozenset({405, 501})
MAX_REDIRECTS = 10
NOT_AGAIN = 3000.0
"""Seconds until a batch is posted again to a server that may have it already: seldom, and still
before the network watchdog misses an answer."""
_ADVICE = Advice(
    Stage.REDIRECT,
    "if the server takes the batch before it redirects, as a script host does, set "
    "http.redirect_get = true; if it leads to a log-in page, mend the authorization",
)


def following(address: Address, location: bytes, status: int) -> Address:
    """Where a redirect leads to. Raises NotDelivered if that is no place for our data."""
    try:
        there = join(address, _text(location))
    except ValueError as error:
        raise not_followed(f"redirected to what is no address: {error}", status) from None
    if there.scheme == "http" and address.scheme == "https":
        raise not_followed("redirected from https to http", status)
    # Only the user sends data to Ruuvi: simulated readings must not get there through others.
    if is_ruuvi(there.host) and not is_ruuvi(address.host):
        raise not_followed("redirected to Ruuvi", status)
    return there


def led_to(address: Address, location: bytes) -> str:
    """The server to which a redirect leads that is not followed."""
    try:
        return join(address, _text(location)).server
    except ValueError:
        return "what is no address"


def only_to_read(there: Address, status: int) -> NotDelivered:
    """The server sends us, after our POST, to a page that takes only GET."""
    reason = (
        f"status {status} leads to a page of {there.server} that takes only GET: whether the "
        "batch was taken is not known; see http.redirect_get"
    )
    return NotDelivered(
        Verdict.FIX,
        Step.REDIRECT,
        reason,
        status=status,
        wait=NOT_AGAIN,
        advice=_ADVICE,
        reached=True,
    )


def not_followed(reason: str, status: int | None = None) -> NotDelivered:
    return NotDelivered(Verdict.FIX, Step.REDIRECT, reason, status=status)


def leads_inward(before: str, after: str) -> bool:
    """Would a server at IP address `before` lead us to one that only we can reach?

    To this machine only a server on this machine may lead, and to the neighbours on the wire
    (link-local) only one of them or of this machine: a server on the net could otherwise post
    through us to what is not on the net.
    """
    return distance(after) < distance(before)


def _text(location: bytes) -> str:
    try:
        return location.decode()
    except UnicodeDecodeError:
        return location.decode("latin-1")
