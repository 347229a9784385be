"""Format: all that the rest of the house needs to know of one data format, in one value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruuvi_host.formats.encryption import Keys
from ruuvi_host.formats.measurement import Measurement
from ruuvi_host.formats.sequence import MeasurementSequence


@dataclass(frozen=True, slots=True)
class Cipher:
    """How the payload of an encrypted format is opened and closed; its length does not change."""

    decrypt: Callable[[bytes, Keys], bytes]
    """The payload in clear. Raises FormatError: bad_length, key_required, decrypt_failed."""
    encrypt: Callable[[bytes, bytes], bytes]
    """(payload in clear, key) → the payload on the air, with its checksum. Raises FormatError:
    key_required, when the extra for encryption is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Format:
    """A data format. Each place is one in the payload in clear; the format byte is byte 0.

    What has no default must be said, with None for what the format does not have: nothing can be
    forgotten without an error.
    """

    number: int
    name: str
    reading: type[Measurement]
    """A NamedTuple of exactly the fields that the format carries. Each has a default."""
    decode: Callable[[bytes], Measurement]
    """Takes the payload in clear. Raises FormatError: bad_length, and what its docstring names."""
    encode: Callable[[Any], bytes]
    """Takes a reading of this format, and makes the payload in clear."""
    length: int
    """Bytes of the payload."""
    sequence: MeasurementSequence | None
    """Of the field measurement_sequence."""
    address: slice | None
    """Of the device, or the end of it: mac or mac_suffix."""
    movements: slice | None
    """Of the field movement_counter."""
    opaque: slice | None = None
    """Bytes that nobody can check: reserved ones, and ciphertext. Masked in captures."""
    may_be_padded: bool = False
    """Are bytes behind the payload accepted?"""
    cipher: Cipher | None = None
    """Of an encrypted format."""
    in_url: bool = False
    """Is it sent in the fragment of an Eddystone URL, not in manufacturer data?"""
    superseded_by: int | None = None
    """The format in which the same device sends the same measurements with more in them."""

    @property
    def title(self) -> str:
        """For people: 5 (RAWv2)."""
        return f"{self.number:X} ({self.name})"

    def has_length_of(self, payload: bytes) -> bool:
        """Is this payload as long as the format allows?"""
        return len(payload) == self.length or (self.may_be_padded and len(payload) > self.length)
