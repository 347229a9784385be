"""Percent-decoding of one value of a query, as the gateway does it. Pure.

A + stays a +. Source: esp32-wifi-manager http_server_handle_req.c, and the host's own caution.
"""

import re

_ENCODED = re.compile(rb"%(..?)?", re.DOTALL)


def decoded(value: str | None) -> str | None:
    """The text that `value` stands for; None: there is none, or its %xx are no octets, or are zero.

    value: as it stands in the query, a character for each octet.
    """
    if value is None:
        return None
    try:
        octets = _ENCODED.sub(lambda found: _octet(found[1]), value.encode("latin-1"))
    except ValueError:
        return None
    return octets.decode("utf-8", "replace")


def _octet(digits: bytes | None) -> bytes:
    """Raises ValueError."""
    if not digits or not re.fullmatch(rb"[0-9A-Fa-f]{2}", digits) or digits == b"00":
        raise ValueError
    return bytes.fromhex(digits.decode("ascii"))
