"""How the firmware finds commands in what a host sends.

A *chunk* ends with each 0x0A, wherever that stands, or after 212 bytes. It is a frame from its
first byte on, or it joins the *ring* of earlier failures, which is then tried from its first byte
on. Nothing ever searches for STX and no time-out clears the ring; a frame that decodes at once
does. More than 64 bytes in the ring overflow the stack, which ends in a reset.

Source: ruuvi.gateway_nrf.c v2.0.0 and v1.0.0, read, not measured.
"""

from firmware_protocol.commands import Command
from firmware_protocol.errors import RemoteProtocolError
from firmware_protocol.firmwares import Firmware
from firmware_protocol.framing import ETX, Frame, decode_frame

CHUNK_SIZE = 212
"""The receive buffer: the longest frame of firmware 2.0.0."""
RING_SIZE = 127
"""A ring buffer of 128 bytes, one of which must stay free."""
DECODE_SIZE = 64
"""The buffer on the stack into which the ring is copied."""

_REPORTS = (Command.ADV_RPRT, Command.ADV_RPRT2)


class CommandReader:
    """Bytes in, frames out, from one boot to the next."""

    def __init__(self, firmware: Firmware) -> None:
        self.has_overflowed = False
        """The stack is overwritten: nothing but a reset follows."""
        self._firmware = firmware
        self._chunk = bytearray()
        self._ring = b""

    def feed(self, byte: int) -> Frame | None:
        """One byte; the frame that it completes."""
        self._chunk.append(byte)
        if byte != ETX and len(self._chunk) < CHUNK_SIZE:
            return None
        chunk = bytes(self._chunk)
        self._chunk.clear()
        frame = self._decode(chunk)
        if frame is None:
            self._ring = (self._ring + chunk)[:RING_SIZE]
            self.has_overflowed = len(self._ring) > DECODE_SIZE
            if self.has_overflowed:
                return None
            frame = self._decode(self._ring)
        if frame:
            self._ring = b""
        return frame

    def _decode(self, raw: bytes) -> Frame | None:
        try:
            frame = decode_frame(raw, self._firmware.max_adv)
        except RemoteProtocolError as error:
            if error.reason != "bad_delimiter" or raw[2] in _REPORTS:
                return None
            # The C codec checks the delimiters of reports only.
            frame = Frame(raw[2], raw[3 : 3 + raw[1]])
        is_new = frame.command == Command.ADV_RPRT2 or (
            frame.command == Command.SET_ALL and len(frame.payload) == 7
        )
        return None if is_new and self._firmware.is_v1 else frame
