"""Numbers in queries: the same as those of the C library."""

import ctypes

from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.api.query import unsigned

MOST = 0xFFFFFFFF
STRTOUL = ctypes.CDLL(None).strtoul
STRTOUL.restype = ctypes.c_ulong
STRTOUL.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
LONG = ctypes.sizeof(ctypes.c_ulong) * 8


def of_32_bits(text: str) -> int:
    """What strtoul gives, if long has 32 bits as on a gateway."""
    wide = int(STRTOUL(text.encode("latin-1"), None, 0))
    is_negative = text.lstrip(" \t\n\v\f\r").startswith("-")
    number = (-wide if is_negative else wide) & ((1 << LONG) - 1)
    if number > MOST:
        return MOST
    return -number & MOST if is_negative else number


@given(st.text(" \t\n\v\f\r+-0123456789abfgxX%.", max_size=14))
@example("-4294967296")
@example(" \v-0X1g")
@example("0x")
@example("-0")
def test_numbers(text: str) -> None:
    assert unsigned(text) == of_32_bits(text)
