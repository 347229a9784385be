"""What a coprocessor may be sent, drawn by hypothesis: commands, damaged ones, nonsense."""

from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.framing import encode_frame
from firmware_protocol.messages import (
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    LedCtrl,
    SetAll,
    SetCh37,
    SetCh38,
    SetCh39,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
    SetScan2mbPhy,
)

STATES = (SetFltrTags, SetCodedPhy, SetScan1mbPhy, SetScan2mbPhy, SetCh37, SetCh38, SetCh39)

flags = st.booleans()
ids = st.one_of(st.sampled_from([0x0499, 0x004C, 0, 0x0A0A, 0x7FFF]), st.integers(0, 0x7FFF))
whole = st.builds(
    SetAll, ids, flags, flags, flags, flags, flags, flags, flags, st.sampled_from([0, 10, 48, 192])
)
commands = st.one_of(
    whole,
    st.builds(lambda kind, state: kind(state), st.sampled_from(STATES), flags),
    st.builds(SetFltrId, ids),
    st.builds(LedCtrl, st.sampled_from([0, 10, 0x0A0A, 1500, 65535])),
    st.just(GetDeviceId()),
)
frames = commands.map(lambda command: command.to_frame())
raw_frames = st.builds(encode_frame, st.integers(0, 255), st.binary(max_size=20)) | st.sampled_from(
    [
        encode_frame(Command.ACK, b"\x0f,\x00,"),
        GetAll().to_frame(),
        DeviceId(bytes(8), bytes(6)).to_frame(),
        AdvRprt(bytes(6), b"\x02\x01\x06", -60).to_frame(),
        AdvRprt2(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, False, -64).to_frame(),
    ]
)
misfits = st.builds(
    lambda frame, cut, more: encode_frame(frame[2], frame[3 : len(frame) - 3 - cut] + more),
    frames,
    st.integers(0, 2),
    st.binary(max_size=2),
)
"""Commands with a payload of another length, and a CRC that is right."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame with one byte changed, missing or too many."""
    frame = draw(frames)
    at = draw(st.integers(0, len(frame) - 1))
    match draw(st.sampled_from(["change", "drop", "insert"])):
        case "change":
            return frame[:at] + bytes((frame[at] ^ draw(st.integers(1, 255)),)) + frame[at + 1 :]
        case "drop":
            return frame[:at] + frame[at + 1 :]
        case _:
            return frame[:at] + draw(st.binary(min_size=1, max_size=1)) + frame[at:]
