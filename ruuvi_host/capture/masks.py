"""Masks for what identifies a sensor or its place: addresses, names, identifiers.

A mask has the same form as the original, and the same original always gets the same mask, so a
masked capture behaves like the original. Everything is masked that is not known to be harmless.
Masks cannot be undone without the key. With it they can, by trying all addresses.
"""

from hashlib import shake_256

from firmware_protocol.messages import DeviceId
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import COMPANY, FORMATS, df2_4
from ruuvi_host.formats.ad import COMPLETE_NAME, MANUFACTURER_SPECIFIC, SERVICE_DATA_16, SHORT_NAME

# AD type → bytes that it has. A longer one is invalid.
_HARMLESS = {
    0x01: 1,  # flags
    0x0A: 1,  # TX power
    0x12: 4,  # range of the connection interval
    0x19: 2,  # appearance
    0x1A: 2,  # advertising interval
}
_UUIDS_16 = (0x02, 0x03)
_MANY = 4
"""16-bit service UUIDs at most. They are assigned numbers and identify no device."""
_UUIDS_128 = (0x06, 0x07)
_NORDIC_UART = bytes.fromhex("9ECADC240EE5A9E093F3A3B50100406E")
_EDDYSTONE = bytes.fromhex("AAFE")
_IBEACON = bytes.fromhex("4C000215")

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"


class Masks:
    """One set of masks. key: any bytes; another key gives entirely different masks."""

    def __init__(self, key: bytes) -> None:
        self._key = len(key).to_bytes(8, "big") + key

    def address(self, address: bytes) -> bytes:
        """Another address of the same type (its two highest bits), for six bytes, or for the last
        three. The mask of the last three is the end of the mask of the six. All 0xFF stays: it
        means that there is no address.
        """
        if address == b"\xff" * len(address):
            return address
        last = self._scramble(address[-3:])
        if len(address) == 3:
            return last
        first = int.from_bytes(address[:3], "big")
        first ^= int.from_bytes(self._noise("address", address[-3:], 3), "big") & 0x3FFFFF
        return first.to_bytes(3, "big") + last

    def device(self, device: DeviceId) -> DeviceId:
        """The identifier is masked because it is the key that signs batches."""
        return DeviceId(self.opaque("device", device.id), self.address(device.addr))

    def opaque(self, what: str, raw: bytes) -> bytes:
        """Noise of the same length; all zeros, or all ones, stay."""
        if not raw.strip(b"\0") or not raw.strip(b"\xff"):
            return raw
        return self._noise(what, raw, len(raw))

    def text(self, raw: bytes) -> bytes:
        """A letter for each byte."""
        return bytes(_LETTERS[byte & 31] for byte in self._noise("text", raw, len(raw)))

    def advertising_data(self, data: bytes) -> bytes:
        """The same structures, of the same lengths. Takes any content; never raises."""
        masked = bytearray(data)
        position, end = 0, len(data)
        while position < end and (length := data[position]):
            start, stop = position + 2, position + 1 + length
            type_ = data[position + 1] if position + 1 < end else 0
            if stop > end:  # cut short: its content is unknown
                masked[start:] = self.opaque("cut", data[start:])
                return bytes(masked)
            masked[start:stop] = self._structure(type_, data[start:stop])
            position = stop
        masked[position + 1 :] = self.opaque("padding", data[position + 1 :])
        return bytes(masked)

    def _structure(self, type_: int, data: bytes) -> bytes:
        if len(data) <= _HARMLESS.get(type_, 0) or (type_ in _UUIDS_128 and data == _NORDIC_UART):
            return data
        if type_ in _UUIDS_16 and len(data) <= 2 * _MANY:
            return data
        if type_ in (SHORT_NAME, COMPLETE_NAME):
            return self.text(data)
        if type_ == MANUFACTURER_SPECIFIC:
            return self._manufacturer(data)
        if type_ == SERVICE_DATA_16 and data.startswith(_EDDYSTONE):
            return _EDDYSTONE + self._eddystone(data[2:])
        # Other UUIDs may identify a device: those of version 1 contain an address.
        kept = 2 if type_ == SERVICE_DATA_16 else 0
        return data[:kept] + self.opaque(f"structure {type_}", data[kept:])

    def _manufacturer(self, data: bytes) -> bytes:
        if data.startswith(COMPANY):
            return COMPANY + self._ruuvi(data[2:])
        if data.startswith(_IBEACON) and len(data) == 25:  # the last byte is the TX power
            return _IBEACON + self.opaque("ibeacon", data[4:24]) + data[24:]
        return data[:2] + self.opaque("manufacturer", data[2:])

    def _ruuvi(self, payload: bytes) -> bytes:
        known = FORMATS.get(payload[0]) if payload else None
        if known is None or known.in_url or not known.has_length_of(payload):
            return payload[:1] + self.opaque("ruuvi", payload[1:])
        masked = bytearray(payload[: known.length])
        if known.address:
            masked[known.address] = self.address(payload[known.address])
        if known.opaque:
            masked[known.opaque] = self.opaque("ciphertext", payload[known.opaque])
        return bytes(masked) + self.opaque("padding", payload[known.length :])

    def _eddystone(self, frame: bytes) -> bytes:
        """Type and TX power stay. A Ruuvi URL is a reading; its last character may be part of a
        chip's identifier."""
        fragment = df2_4.find_fragment(_EDDYSTONE + frame)
        try:
            df2_4.decode(fragment or b"")
        except FormatError:
            return frame[:2] + self.opaque("eddystone", frame[2:])
        identifier = frame[len(frame) - len(fragment or b"") + 8 :]
        return frame[: len(frame) - len(identifier)] + self.text(identifier)

    def _scramble(self, raw: bytes) -> bytes:
        """Another three bytes for each three bytes: a Feistel network."""
        number = int.from_bytes(raw, "big")
        left, right = number >> 12, number & 0xFFF
        for turn in range(6):
            noise = self._noise(f"turn {turn}", right.to_bytes(2, "big"), 2)
            left, right = right, left ^ int.from_bytes(noise, "big") & 0xFFF
        return (left << 12 | right).to_bytes(3, "big")

    def _noise(self, what: str, raw: bytes, length: int) -> bytes:
        return shake_256(self._key + what.encode() + b"\0" + raw).digest(length)
