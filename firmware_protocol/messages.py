"""What a frame means: one frozen value per message, both ways.

`message.to_frame()` gives the bytes to send; a FrameScanner with the reading `messages` delivers
them from a stream, `parse(frame)` from a frame. Reports are
NamedTuples because one is made per advertisement; everything else is a frozen dataclass.

Byte order on the wire: company identifier and milliseconds low byte first; addresses and the
device identifier most significant byte first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, NamedTuple, Self, get_args

from firmware_protocol.commands import DELIMITER, FACTS, MAX_ADV_LEN, Command
from firmware_protocol.errors import LocalProtocolError, RemoteProtocolError
from firmware_protocol.framing import (
    STX,
    Build,
    Candidate,
    Frame,
    candidates,
    delimiters_hold,
    encode_frame,
)

TX_POWER_NOT_AVAILABLE = -64
PHY_NOT_SET = 15
CHANNEL_UNKNOWN = 255

Fields = dict[str, int | str]
"""A message for people and test vectors: flags as 0 or 1, addresses with colons, data in hex."""

_COMMA = bytes([DELIMITER])


def address_text(address: bytes) -> str:
    """AA:BB:CC:DD:EE:FF."""
    return address.hex(":").upper()


def _u16(name: str, value: int) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise LocalProtocolError(f"{name} must be 0..65535, not {value}")
    return value.to_bytes(2, "little")


def _u8(name: str, value: int) -> bytes:
    if not 0 <= value <= 0xFF:
        raise LocalProtocolError(f"{name} must be 0..255, not {value}")
    return bytes([value])


def _bytes(name: str, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise LocalProtocolError(f"{name} must have {size} bytes, not {len(value)}")
    return value


class _Encoded:
    """What all messages share: the command number, and the way to the wire."""

    __slots__ = ()
    command: ClassVar[Command]

    def payload(self) -> bytes:
        """The fields as they stand in the frame, each followed by the delimiter."""
        raise NotImplementedError  # each message has fields of its own

    def to_frame(self) -> bytes:
        """The whole frame, ready to send."""
        return encode_frame(self.command, self.payload())


class _Empty(_Encoded):
    """A message without fields."""

    __slots__ = ()

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls()

    def payload(self) -> bytes:
        return b""

    def fields(self) -> Fields:
        return {}


@dataclass(frozen=True, slots=True)
class GetDeviceId(_Empty):
    """Host asks who the coprocessor is; answered by DEVICE_ID."""

    command = Command.GET_DEVICE_ID


@dataclass(frozen=True, slots=True)
class GetAll(_Empty):
    """Coprocessor has booted and asks for SET_ALL. Sent once per boot."""

    command = Command.GET_ALL


@dataclass(frozen=True, slots=True)
class _SetState(_Encoded):
    state: bool

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls(bool(payload[0] & 1))  # only bit 0 counts on receipt

    def payload(self) -> bytes:
        return bytes((bool(self.state), DELIMITER))

    def fields(self) -> Fields:
        return {"state": int(self.state)}


@dataclass(frozen=True, slots=True)
class SetFltrTags(_SetState):
    """Company filter on or off; effective with the next report."""

    command = Command.SET_FLTR_TAGS


@dataclass(frozen=True, slots=True)
class SetCodedPhy(_SetState):
    """Scan the Coded PHY; effective at the next start of a scan."""

    command = Command.SET_CODED_PHY


@dataclass(frozen=True, slots=True)
class SetScan1mbPhy(_SetState):
    """Scan the 1M PHY; effective at the next start of a scan."""

    command = Command.SET_SCAN_1MB_PHY


@dataclass(frozen=True, slots=True)
class SetScan2mbPhy(_SetState):
    """Follow extended advertising to 2M. (Older name: SET_EXT_PAYLOAD.)"""

    command = Command.SET_SCAN_2MB_PHY


@dataclass(frozen=True, slots=True)
class SetCh37(_SetState):
    """Scan channel 37. Its command number equals ETX."""

    command = Command.SET_CH_37


@dataclass(frozen=True, slots=True)
class SetCh38(_SetState):
    """Scan channel 38."""

    command = Command.SET_CH_38


@dataclass(frozen=True, slots=True)
class SetCh39(_SetState):
    """Scan channel 39."""

    command = Command.SET_CH_39


@dataclass(frozen=True, slots=True)
class SetFltrId(_Encoded):
    """Company identifier that the filter lets pass; effective with the next report."""

    command = Command.SET_FLTR_ID
    id: int

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls(int.from_bytes(payload[:2], "little"))

    def payload(self) -> bytes:
        return _u16("id", self.id) + _COMMA

    def fields(self) -> Fields:
        return {"id": self.id}


@dataclass(frozen=True, slots=True)
class LedCtrl(_Encoded):
    """LED off, then on for `time_interval_ms`. Firmware 1.0.0 answers with this very frame."""

    command = Command.LED_CTRL
    time_interval_ms: int

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls(int.from_bytes(payload[:2], "little"))

    def payload(self) -> bytes:
        return _u16("time_interval_ms", self.time_interval_ms) + _COMMA

    def fields(self) -> Fields:
        return {"time_interval_ms": self.time_interval_ms}


# Bits 0 to 6 of the flags byte.
_SET_ALL_FLAGS = (
    "fltr_tags",
    "use_coded_phy",
    "use_1m_phy",
    "use_2m_phy",
    "ch_37",
    "ch_38",
    "ch_39",
)


@dataclass(frozen=True, slots=True)
class SetAll(_Encoded):
    """The whole configuration of the scanner in one command. The defaults are the gateway's.

    `max_adv_len` 0 means no limit and is sent in the short form, the only one that firmware
    1.0.0 and older understand.
    """

    command = Command.SET_ALL
    fltr_id: int = 0x0499
    fltr_tags: bool = True
    use_coded_phy: bool = False
    use_1m_phy: bool = True
    use_2m_phy: bool = True
    ch_37: bool = True
    ch_38: bool = True
    ch_39: bool = True
    max_adv_len: int = 48

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        flags = payload[3]  # bit 7 is ignored
        return cls(
            fltr_id=int.from_bytes(payload[:2], "little"),
            max_adv_len=payload[5] if len(payload) > 5 else 0,
            **{name: bool(flags >> bit & 1) for bit, name in enumerate(_SET_ALL_FLAGS)},
        )

    def payload(self) -> bytes:
        flags = sum(bool(getattr(self, name)) << bit for bit, name in enumerate(_SET_ALL_FLAGS))
        short = _u16("fltr_id", self.fltr_id) + _COMMA + bytes((flags, DELIMITER))
        if self.max_adv_len == 0:
            return short
        return short + _u8("max_adv_len", self.max_adv_len) + _COMMA

    def fields(self) -> Fields:
        flags: Fields = {name: int(getattr(self, name)) for name in _SET_ALL_FLAGS}
        return {"fltr_id": self.fltr_id, **flags, "max_adv_len": self.max_adv_len}


@dataclass(frozen=True, slots=True)
class DeviceId(_Encoded):
    """Who the coprocessor is: its chip's identifier, and its own Bluetooth address."""

    command = Command.DEVICE_ID
    id: bytes
    addr: bytes

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls(payload[:8], payload[9:15])

    def payload(self) -> bytes:
        return _bytes("id", self.id, 8) + _COMMA + _bytes("addr", self.addr, 6) + _COMMA

    def fields(self) -> Fields:
        return {"id": self.id.hex(), "addr": address_text(self.addr)}


@dataclass(frozen=True, slots=True)
class Ack(_Encoded):
    """Coprocessor answers the command `acked_cmd`; `state` True means that it was refused."""

    command = Command.ACK
    acked_cmd: int
    state: bool

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        return cls(payload[0], bool(payload[2] & 1))  # only bit 0 of the state counts

    def payload(self) -> bytes:
        return _u8("acked_cmd", self.acked_cmd) + _COMMA + bytes((bool(self.state), DELIMITER))

    def fields(self) -> Fields:
        return {"acked_cmd": self.acked_cmd, "state": int(self.state)}


class AdvRprt(NamedTuple):
    """Report of firmware 1.0.0 and older: what it does not tell stands at "not known"."""

    address: bytes
    data: bytes
    rssi: int
    primary_phy: int = PHY_NOT_SET
    secondary_phy: int = PHY_NOT_SET
    channel: int = CHANNEL_UNKNOWN
    is_coded_phy: bool = False
    tx_power: int = TX_POWER_NOT_AVAILABLE

    @property
    def command(self) -> Command:
        return Command.ADV_RPRT

    def payload(self) -> bytes:
        """The fields as they stand in the frame, each followed by the delimiter."""
        if self != AdvRprt(*self[:3]):
            raise LocalProtocolError("ADV_RPRT tells address, data and rssi only")
        return _address_data_rssi(self)

    def to_frame(self) -> bytes:
        """The whole frame, ready to send."""
        return encode_frame(self.command, self.payload())

    def fields(self) -> Fields:
        return {"mac": address_text(self.address), "adv": self.data.hex(), "rssi": self.rssi}


class AdvRprt2(NamedTuple):
    """Report of firmware 2.0.0 and later."""

    address: bytes
    """Advertiser's address, six bytes, as received."""
    data: bytes
    """Complete advertising data, any content, 0..235 bytes."""
    rssi: int
    """dBm, -128..127."""
    primary_phy: int
    """0 auto, 1 = 1M, 2 = 2M, 4 = Coded, 15 = not set; others as they came."""
    secondary_phy: int
    """The same; 15 = legacy advertising, no secondary packet."""
    channel: int
    """Of the last packet, 0..39; 255 = not known; others as they came."""
    is_coded_phy: bool
    """Received while scanning the Coded PHY."""
    tx_power: int
    """Advertised, dBm, -63..63; -64 = not available."""

    @property
    def command(self) -> Command:
        return Command.ADV_RPRT2

    def payload(self) -> bytes:
        """The fields as they stand in the frame, each followed by the delimiter."""
        if not (0 <= self.primary_phy <= 15 and 0 <= self.secondary_phy <= 15):
            raise LocalProtocolError("a PHY must be 0..15")
        if not -64 <= self.tx_power <= 63:
            raise LocalProtocolError(f"tx_power must be -64..63, not {self.tx_power}")
        phys = self.primary_phy << 4 | self.secondary_phy
        tx = bool(self.is_coded_phy) << 7 | self.tx_power & 0x7F
        channel = _u8("channel", self.channel)
        return _address_data_rssi(self) + bytes((phys, *channel, tx, DELIMITER))

    def to_frame(self) -> bytes:
        """The whole frame, ready to send."""
        return encode_frame(self.command, self.payload())

    def fields(self) -> Fields:
        return {
            "mac": address_text(self.address),
            "adv": self.data.hex(),
            "rssi": self.rssi,
            "primary_phy": self.primary_phy,
            "secondary_phy": self.secondary_phy,
            "ch_index": self.channel,
            "is_coded_phy": int(self.is_coded_phy),
            "tx_power": self.tx_power,
        }


Report = AdvRprt | AdvRprt2
SetState = SetFltrTags | SetCodedPhy | SetScan1mbPhy | SetScan2mbPhy | SetCh37 | SetCh38 | SetCh39
HostMessage = SetState | SetFltrId | SetAll | LedCtrl | GetDeviceId
"""What the host sends."""
CoprocessorMessage = Report | DeviceId | GetAll | Ack
"""What the coprocessor sends (firmware 1.0.0 also echoes LedCtrl)."""
Message = HostMessage | CoprocessorMessage


def _address_data_rssi(report: Report) -> bytes:
    if len(report.data) > MAX_ADV_LEN:
        raise LocalProtocolError(f"{len(report.data)} bytes of data; at most {MAX_ADV_LEN}")
    if not -128 <= report.rssi <= 127:
        raise LocalProtocolError(f"rssi must be -128..127, not {report.rssi}")
    address = _bytes("address", report.address, 6)
    return b"%b,%b,%c," % (address, report.data, report.rssi & 0xFF)


# Tables for the packed bytes. The RSSI table also makes all reports share one int per value.
_SIGNED_8 = tuple(v - 256 if v & 0x80 else v for v in range(256))
_PHYS = tuple((v >> 4, v & 15) for v in range(256))
_TX = tuple((bool(v & 0x80), (v & 0x7F) - 128 if v & 0x40 else v & 0x7F) for v in range(256))


def _read_adv_rprt(length: int) -> Build[Message]:
    unpack = Struct(f"2x6sB{length}sBBB").unpack

    def build(covered: bytes, offset: int) -> AdvRprt | None:
        address, d1, data, d2, rssi, d3 = unpack(covered)
        return AdvRprt(address, data, _SIGNED_8[rssi]) if d1 == d2 == d3 == DELIMITER else None

    return build


def _read_adv_rprt2(length: int) -> Build[Message]:
    # One unpack, three lookups, one tuple: this runs once per advertisement.
    unpack = Struct(f"2x6sB{length}sBBBBBBB").unpack
    new = tuple.__new__

    def build(covered: bytes, offset: int) -> AdvRprt2 | None:
        address, d1, data, d2, rssi, d3, phys, channel, tx, d4 = unpack(covered)
        if not d1 == d2 == d3 == d4 == DELIMITER:
            return None
        primary, secondary = _PHYS[phys]
        is_coded, tx_power = _TX[tx]
        return new(
            AdvRprt2,
            (address, data, _SIGNED_8[rssi], primary, secondary, channel, is_coded, tx_power),
        )

    return build


_FROM_PAYLOAD: dict[int, Callable[[bytes], Message]] = {
    message.command: message.from_payload
    for message in get_args(Message)
    if message not in get_args(Report)  # those have readings of their own
}


def messages(command: int, layout: tuple[int, ...]) -> Build[Message]:
    """The reading of a FrameScanner for those who want messages. Known commands only."""
    if command == Command.ADV_RPRT2:
        return _read_adv_rprt2(layout[1])
    if command == Command.ADV_RPRT:
        return _read_adv_rprt(layout[1])
    from_payload = _FROM_PAYLOAD[command]
    hold = delimiters_hold(layout)

    def build(covered: bytes, offset: int) -> Message | None:
        return from_payload(covered[2:]) if hold(covered) else None

    return build


def parse(frame: Frame) -> Message:
    """The message of a frame that `decode` or a FrameScanner has accepted.

    Raises RemoteProtocolError: unknown_cmd, or bad_len or bad_delimiter for a frame made by hand.
    """
    if frame.command not in FACTS:
        raise RemoteProtocolError("unknown_cmd")
    if len(frame.payload) > 255:
        raise RemoteProtocolError("bad_len")
    covered = bytes((len(frame.payload), frame.command)) + frame.payload
    header = bytes((STX, *covered[:2]))
    candidate: Candidate[Message] | None = candidates(messages, MAX_ADV_LEN).find(header)
    if candidate is None:
        raise RemoteProtocolError("bad_len")
    message = candidate.build(covered, frame.offset)
    if message is None:
        raise RemoteProtocolError("bad_delimiter")
    return message
