"""Standard output and error as they may be: closed, or of a locale that lacks one of our signs.

It is part of every start, `--version` too: it imports nothing that Python has not loaded already.
"""

import codecs
import os
import sys

ALIKE = "ruuvi_host.alike"
"""The name under which codecs know it."""
_ALIKE = {"…": "...", "→": "->", "·": "-", "°": "deg ", "µ": "u", "²": "2", "³": "3", "₂": "2"}
_ALIKE |= {"\u2013": "-", "\u00d7": "x"}
"""What stands for a sign that cannot be written. All others become \\uXXXX, as JSON has them."""


def prepare() -> None:
    """To be called before anything is written."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Or the next file that is opened would get this number, and what is written to it.
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ALIKE)


def _alike(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(_ALIKE.get(sign) or _escaped(sign) for sign in signs), error.end


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


codecs.register_error(ALIKE, _alike)
