"""CRC-16/CCITT-FALSE over LEN, CMD and payload; the one module that knows crcmod.

crcmod without its C extension takes 24 times as long as `binascii.crc_hqx`, and pip does not
tell when the extension was not built. So: crcmod where it is fast, the standard library where it
is not. The tests hold each against the other and both against documented frames.
"""

from binascii import crc_hqx
from collections.abc import Callable
from importlib.util import find_spec

INITIAL = 0xFFFF
POLYNOMIAL = 0x11021  # with the leading bit, as crcmod wants it

Crc = Callable[[bytes], int]


def crc16_crcmod() -> Crc:
    """The CRC as crcmod computes it, with or without its C extension."""
    import crcmod

    function: Crc = crcmod.mkCrcFun(POLYNOMIAL, initCrc=INITIAL, rev=False, xorOut=0)
    return function


def crc16_stdlib(data: bytes) -> int:
    """The CRC as the standard library computes it (same polynomial, other start value)."""
    return crc_hqx(data, INITIAL)


def has_fast_crcmod() -> bool:
    """Was crcmod, which is always there, installed with its C extension?"""
    return find_spec("crcmod._crcfunext") is not None


crc16: Crc = crc16_crcmod() if has_fast_crcmod() else crc16_stdlib
"""crc16(data) -> 0..65535; "123456789" gives 0x29B1. On the wire the low byte comes first."""
