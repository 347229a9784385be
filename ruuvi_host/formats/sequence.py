"""The measurement sequence: where a format carries it, and the one rule for comparing two numbers.

A sensor numbers its measurements. The number tells a new measurement from a repeated one, and how
many were made between two that were received.
"""

from dataclasses import dataclass

FASTEST = 10.0
"""Measurements a second that a sensor can make at most. A larger step is a restart of the sensor,
or the sequence has started over."""

_from_bytes = int.from_bytes


@dataclass(frozen=True, slots=True)
class MeasurementSequence:
    """The measurement sequence of a data format."""

    start: int
    end: int
    """Its bytes in the payload, the format byte being 0; the first one that is not part of it."""
    length: int
    """How many numbers there are before it starts over: 0 to length - 1. Larger ones mean "not
    available"."""
    shift: int = 0
    """Bits that follow it in its last byte."""

    def numbers(self, old: bytes, new: bytes, payload: int = 0) -> tuple[int, int] | None:
        """The numbers in two pieces of data, in both of which the payload begins at `payload`;
        None: not available in one of them, or cut. Both at once, because it is done per report."""
        start, end, length, shift = (
            self.start + payload,
            self.end + payload,
            self.length,
            self.shift,
        )
        if len(old) < end or len(new) < end:
            return None
        one, other = _from_bytes(old[start:end]) >> shift, _from_bytes(new[start:end]) >> shift
        return (one, other) if one < length and other < length else None

    def step(self, old: int | None, new: int | None) -> int | None:
        """How far it has moved: forward, 0 for a duplicate, backward (negative), whichever way is
        shorter; None: unknown, because a number is not available."""
        if old is None or new is None:
            return None
        step = (new - old) % self.length
        return step if step <= self.length // 2 else step - self.length

    def missed(self, old: int | None, new: int | None, seconds: float) -> int | None:
        """Measurements made between two that were received `seconds` apart.

        None: unknown. A number is not available, the sensor was restarted (the step is backward,
        or more than it can make in this time), or there was time for the sequence to start over.
        """
        if old is None or new is None:
            return None
        step = (new - old) % self.length
        possible = seconds * FASTEST + 1
        if step > possible or possible >= self.length:
            return None
        return step - 1 if step else 0
