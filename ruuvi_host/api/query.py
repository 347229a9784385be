"""The query of a request as the gateway reads it: by name, the first counts, nothing decoded.

Pure. Source: ruuvi.gateway_esp.c http_server_cb_on_get.c, and C's strtoul.
"""

import re

_MOST = 0xFFFFFFFF
"""An unsigned long of the gateway has 32 bits."""
_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9A-Fa-f]+)|0([0-7]*)|([1-9][0-9]*))", re.ASCII
)


def parameter(query: bytes, name: str) -> str | None:
    """The value of the first `name=` at the beginning or behind a &, as it stands there; None:
    there is none."""
    for pair in query.decode("latin-1").split("&"):
        found, equals, value = pair.partition("=")
        if equals and found == name:
            return value
    return None


def unsigned(text: str) -> int:
    """A number as strtoul with base 0 reads it: with a sign, octal and hexadecimal ones too; what
    follows the digits does not count, and without digits it is 0."""
    found = _NUMBER.match(text)
    if not found:
        return 0
    sign, hexadecimal, octal, decimal = found.groups()
    if hexadecimal:
        number = int(hexadecimal, 16)
    elif decimal:
        number = _decimal(decimal)
    else:
        number = int(octal or "0", 8)
    if number > _MOST:
        return _MOST
    return -number & _MOST if sign == "-" else number


def _decimal(digits: str) -> int:
    # Python refuses, and takes long, to read thousands of digits.
    return int(digits) if len(digits) <= 10 else _MOST + 1
