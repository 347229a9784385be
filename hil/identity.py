"""Who is on the other end: asked once for each board, for the report and for what can be tested.

The protocol has the device id and the address in one message. The id is the key that a gateway
signs with, so what a Wire tells has another one in its place.
"""

from dataclasses import dataclass

from firmware_protocol.commands import Command
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetAll,
    address_text,
)

from .wire import OURS, NoAnswerError, RebootedError, Wire

TRIES = 4
TIMEOUT = 1.5
MOST_TRIES = 50
"""More bytes than the longest frame has."""
SHORT = 0.2
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a board."""

    address: str
    generation: str
    """"2.0.0": or newer; "1.0.0": or older; or UNKNOWN."""
    is_ours: bool


def clear(wire: Wire) -> int:
    """Empty its receive buffer of whatever is in it; returns how many GET_DEVICE_ID that took.

    For the official firmware one is enough: it decodes at once. A receiver that has been promised
    a long frame may have to be given as many bytes first.
    """
    for attempt in range(MOST_TRIES):
        # The lone 0x0A ends a chunk that somebody has left incomplete.
        data = b"\n" * (attempt == 0) + GetDeviceId().to_frame()
        wire.forget()
        wire.send(data)
        try:
            # A GET_ALL that comes instead is not the end of it: it may have booted just now.
            wire.wait(_is_device_id, "DEVICE_ID", TIMEOUT if attempt < TRIES else SHORT)
        except NoAnswerError:
            if attempt < TRIES or (wire.counters.bytes_received and not wire.what_is_wrong()):
                continue
            perhaps = ": is it the right port, has the board power, are TX and RX crossed over?"
            told = wire.tell() + perhaps * (not wire.counters.bytes_received)
            raise NoAnswerError(
                f"no answer to {attempt + 1} GET_DEVICE_ID in a row; {told}"
            ) from None
        finally:
            _refuse_echo(wire)
        return attempt + 1
    frames = wire.counters.frames
    reports = frames[Command.ADV_RPRT] + frames[Command.ADV_RPRT2]
    deaf = f", though {reports} reports came" if reports else ""
    raise NoAnswerError(f"no answer to {MOST_TRIES} GET_DEVICE_ID in a row{deaf}; {wire.tell()}")


def _refuse_echo(wire: Wire) -> None:
    """Firmware 1.0.0 sends LED_CTRL back. Nobody sends GET_DEVICE_ID back."""
    if any(isinstance(received.message, GetDeviceId) for received in wire.received):
        raise NoAnswerError(
            "what is sent to it comes back: does the line echo, or are TX and RX connected?"
        )


def _is_device_id(message: Message) -> bool:
    return isinstance(message, DeviceId)


def identify(wire: Wire) -> Identity:
    """Ask who it is and how it behaves."""
    clear(wire)
    device = wire.command(GetDeviceId(), TIMEOUT).message
    assert isinstance(device, DeviceId)
    reply = _ask(wire, LedCtrl(0))
    if reply:
        generation = "2.0.0" if isinstance(reply, Ack) else "1.0.0"
    elif isinstance(_ask(wire, SetAll()), Ack):  # the long form, which only new firmware knows
        generation = "2.0.0"
    else:
        generation = UNKNOWN
        clear(wire)
    return Identity(address_text(device.addr), generation, device.id.startswith(OURS))


def _ask(wire: Wire, command: HostMessage) -> Message | None:
    """The answer, though it may boot just now; or None."""
    for _ in range(TRIES):
        try:
            return wire.command(command, TRIES * TIMEOUT).message
        except RebootedError:
            continue
        except NoAnswerError:
            return None
    return None


def listen_only(wire: Wire, seconds: float) -> Identity:
    """What a rig that does not answer tells by itself."""
    wire.listen(seconds)
    address, generation = UNKNOWN, UNKNOWN
    for received in wire.received:
        match received.message:
            case DeviceId():
                address = address_text(received.message.addr)
            case AdvRprt2():
                generation = "2.0.0"
            case AdvRprt():
                generation = "1.0.0"
            case _:
                pass
    return Identity(address, generation, is_ours=False)
