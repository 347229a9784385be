"""How many measurements of a sensor never reached us, told by the numbers that they carry.

Lost on air, in the coprocessor or on the serial line: what was reported, damaged and skipped is
among them. Looked at once per news, in the bytes that the table holds anyway: nothing is decoded
for it, and nothing is remembered.
"""

FASTEST = 10.0
"""Measurements a second that a sensor can make at most. A larger step is a restart of the sensor,
or the numbers have been all through."""

UNKNOWN = -1

# Where the number stands in the advertisement, and how many there are before it starts over.
# Told apart by bytes at fixed places, as the gateway does (http-relay of the gateway, 4.1).
_Place = tuple[int, int, int]
_FORMAT_5: _Place = (23, 25, 0xFFFF)
_FORMAT_6: _Place = (26, 27, 0x100)
_FORMAT_E1: _Place = (29, 32, 0xFFFFFF)
_RUUVI_5 = bytes.fromhex("FF990405")
_RUUVI_6 = bytes.fromhex("FF990406")
_RUUVI_E1 = bytes.fromhex("FF9904E1")


def missed(old: bytes, new: bytes, seconds: float) -> int:
    """Measurements between two different advertisements of a sensor, `seconds` apart, that were
    not heard. UNKNOWN: they carry no numbers that could tell."""
    if new[4:8] == _RUUVI_5 == old[4:8]:
        start, end, length = _FORMAT_5
    else:
        place = _place(new)
        if place is None or place != _place(old):
            return UNKNOWN
        start, end, length = place
    if len(new) < end or len(old) < end:
        return UNKNOWN
    step = (int.from_bytes(new[start:end]) - int.from_bytes(old[start:end])) % length
    possible = seconds * FASTEST + 1
    if step > possible or possible >= length:
        return UNKNOWN
    return step - 1 if step else 0


def _place(data: bytes) -> _Place | None:
    if data[4:8] == _RUUVI_5:
        return _FORMAT_5
    if data[8:12] == _RUUVI_6:
        return _FORMAT_6
    if data[1:5] == _RUUVI_E1:
        return _FORMAT_E1
    return None
