"""Gives up CAP_NET_ADMIN: who has started a bridge needs it no longer.

A capability belongs to a thread, so this is to be called while there is only one.
Source: capabilities(7), linux/capability.h.
"""

import ctypes
import struct

_VERSION_3 = 0x20080522
_NET_ADMIN = 12
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=6I")
"""Effective, permitted and inheritable of the lower 32 capabilities, then of the upper ones."""


def has_net_admin() -> bool:
    """Is it in effect?"""
    sets = _read()
    return bool(sets and sets[0] & 1 << _NET_ADMIN)


def drop_net_admin() -> bool:
    """Take it out of all sets, and with them out of the ambient one. False: it was not there."""
    sets = _read()
    without = [part & ~(1 << _NET_ADMIN) for part in sets[:3]] + sets[3:]
    if without == sets:
        return False
    header = ctypes.create_string_buffer(_HEADER.pack(_VERSION_3, 0))
    return bool(ctypes.CDLL(None).capset(header, _SETS.pack(*without)) == 0)


def _read() -> list[int]:
    """The six numbers of this thread; empty: they cannot be had."""
    header = ctypes.create_string_buffer(_HEADER.pack(_VERSION_3, 0))
    sets = ctypes.create_string_buffer(_SETS.size)
    try:
        answer = ctypes.CDLL(None).capget(header, sets)
    except AttributeError:
        return []
    return list(_SETS.unpack_from(sets)) if answer == 0 else []
