"""Which of two measurements of a sensor is the newer one, whoever has heard them. Pure."""

from typing import NamedTuple

from ruuvi_host.formats import FORMATS


class Stamp(NamedTuple):
    """What is known of the time of a measurement."""

    ts: int | None
    """UTC seconds of the reception, where the host has a clock that can be right."""
    cnt: int | None
    """In its place, of a host without clock."""
    life: int
    """Of the host: its number, until it connects again; a counter may then begin anew."""
    data_format: int | None
    number: int | None
    """Of the measurement."""


def is_newer(new: Stamp, old: Stamp, *, late: bool, age: float, window: float) -> bool:
    """Does `new`, which came later, replace `old`, which came `age` seconds before it?

    late: it was kept by its host. window: seconds after which what is not late counts anyway: a
    clock that was wrong must not hide a sensor for ever.
    """
    if new.ts is not None and old.ts is not None:
        if new.ts != old.ts:
            return new.ts > old.ts or (not late and age > window)
        return _is_ahead(new, old)
    if late:
        return False
    if new.cnt is not None and old.cnt is not None and new.life == old.life:
        if new.cnt != old.cnt:
            return new.cnt > old.cnt
        return _is_ahead(new, old)
    return True  # two hosts whose words cannot be compared: as they come


def _is_ahead(new: Stamp, old: Stamp) -> bool:
    known = FORMATS.get(new.data_format or 0)
    if known is None or known.sequence is None or new.data_format != old.data_format:
        return True
    step = known.sequence.step(old.number, new.number)
    return step is None or step >= 0
