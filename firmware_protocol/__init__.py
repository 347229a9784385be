"""What travels on the wire between a host and a Ruuvi coprocessor ("CA-UART").

Pure: bytes and time in, values out. No asyncio, no serial port, no clock. The public names are in
`__all__` and described in docs/pages/firmware-protocol.md. Each is loaded when it is first used, so
that a program pays only for what it needs.

The modules, bottom up: `crc`, `commands`, `framing`, `messages`, then the two ends of the wire,
`session` (the host) and `coprocessor`, each after its parts.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors
    from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN, Command
    from firmware_protocol.coprocessor import (
        Booted,
        Cause,
        Configured,
        CoprocessorCounters,
        CoprocessorEvent,
        CoprocessorSession,
    )
    from firmware_protocol.crc import crc16
    from firmware_protocol.damage import Damage
    from firmware_protocol.damage_causes import DamageCause
    from firmware_protocol.dialect import Generation
    from firmware_protocol.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
    from firmware_protocol.events import (
        Damaged,
        Event,
        Failed,
        Identified,
        Quiet,
        Ready,
        Rebooted,
        Received,
        Replied,
        SessionCounters,
    )
    from firmware_protocol.framing import (
        Frame,
        FrameScanner,
        ScannerCounters,
        decode_frame,
        encode_frame,
        frames,
    )
    from firmware_protocol.messages import (
        CHANNEL_UNKNOWN,
        PHY_NOT_SET,
        TX_POWER_NOT_AVAILABLE,
        Ack,
        AdvRprt,
        AdvRprt2,
        CoprocessorMessage,
        DeviceId,
        GetAll,
        GetDeviceId,
        HostMessage,
        LedCtrl,
        Message,
        Report,
        SetAll,
        SetCh37,
        SetCh38,
        SetCh39,
        SetCodedPhy,
        SetFltrId,
        SetFltrTags,
        SetScan1mbPhy,
        SetScan2mbPhy,
        address_text,
        parse,
    )
    from firmware_protocol.radio import SessionRadio
    from firmware_protocol.scan import AdvertisingEvent
    from firmware_protocol.session import HostSession
    from firmware_protocol.stream import MessageStream
    from firmware_protocol.timers import Timing
    from firmware_protocol.transitions import State
    from firmware_protocol.transmitter import TRANSMIT_MODES, Transmitter

__all__ = [
    "Ack",
    "address_text",
    "AdvertisingEvent",
    "AdvRprt",
    "AdvRprt2",
    "Booted",
    "Cause",
    "CHANNEL_UNKNOWN",
    "Command",
    "Configured",
    "CoprocessorCounters",
    "CoprocessorEvent",
    "CoprocessorMessage",
    "CoprocessorSession",
    "crc16",
    "Damage",
    "DamageCause",
    "Damaged",
    "decode_frame",
    "DeviceId",
    "encode_frame",
    "Event",
    "Failed",
    "FIRMWARE_MAX_ADV_LEN",
    "Frame",
    "frames",
    "FrameScanner",
    "Generation",
    "GetAll",
    "GetDeviceId",
    "HostMessage",
    "HostSession",
    "Identified",
    "LedCtrl",
    "LocalProtocolError",
    "MAX_ADV_LEN",
    "Message",
    "MessageStream",
    "parse",
    "PHY_NOT_SET",
    "ProtocolError",
    "Quiet",
    "Ready",
    "Rebooted",
    "Received",
    "RemoteProtocolError",
    "Replied",
    "Report",
    "ScannerCounters",
    "SessionCounters",
    "SessionRadio",
    "SetAll",
    "SetCh37",
    "SetCh38",
    "SetCh39",
    "SetCodedPhy",
    "SetFltrId",
    "SetFltrTags",
    "SetScan1mbPhy",
    "SetScan2mbPhy",
    "State",
    "Timing",
    "TRANSMIT_MODES",
    "Transmitter",
    "TX_POWER_NOT_AVAILABLE",
]

_BOTTOM_UP = (
    *("crc", "errors", "commands", "framing", "messages", "transitions", "timers"),
    *(
        "damage_causes",
        "damage",
        "events",
        "dialect",
        "stream",
        "session",
        "scan",
        "radio",
        "transmitter",
        "coprocessor",
    ),
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _BOTTOM_UP:  # so the first one that knows the name is where it belongs
            known = vars(import_module(f"{__name__}.{module}"))
            if name in known:
                globals()[name] = known[name]
                return known[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
