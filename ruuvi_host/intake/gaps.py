"""How many measurements of a sensor were never received, as its measurement sequence tells.

Lost on air, in the coprocessor or on the serial line: what was reported, damaged and skipped is
among them. Asked once per changed advertisement, about the bytes that the table holds anyway:
nothing is decoded for it, and nothing is remembered.
"""

from ruuvi_host.formats import COMPANY, FORMATS
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, position

_SEQUENCES = {
    number: known.sequence
    for number, known in FORMATS.items()
    if known.sequence and not known.cipher
}
"""Of the data formats whose sequence can be read without a key."""


def missed(old: bytes, new: bytes, seconds: float) -> int | None:
    """Measurements between two different advertisements of a sensor, `seconds` apart, that were
    not received. None: unknown, because they carry no numbers, or none that can be compared."""
    data = position(new, MANUFACTURER_SPECIFIC, COMPANY)
    payload = data + len(COMPANY)
    # A sensor that sends one format begins all its advertisements alike.
    if not data or len(new) <= payload or not old.startswith(new[: payload + 1]):
        return None
    sequence = _SEQUENCES.get(new[payload])
    if sequence is None:
        return None
    numbers = sequence.numbers(old, new, payload)
    if numbers is None:
        return None
    before, now = numbers  # unpacked here: `*numbers` below takes twice as long
    return sequence.missed(before, now, seconds)
