"""What always holds for the coprocessor, whatever it is sent and however often it is asked."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.coprocessor import CoprocessorCounters, CoprocessorSession
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    DeviceId,
    GetDeviceId,
    LedCtrl,
    SetAll,
    SetCh37,
    SetScan1mbPhy,
    messages,
)
from firmware_protocol.scan import AdvertisingEvent
from firmware_protocol.transmitter import TRANSMIT_MODES
from ruuvi_host.simulator.board import Board

TAG = AdvertisingEvent(bytes(6), bytes.fromhex("020106 1bff9904") + bytes(24), -60)

frames = st.sampled_from(
    [m.to_frame() for m in (SetAll(), GetDeviceId(), LedCtrl(10), SetCh37(True))]
    + [SetAll(use_coded_phy=True, fltr_tags=False, max_adv_len=0).to_frame()]
    + [SetScan1mbPhy(False).to_frame(), SetAll(ch_37=False, ch_38=False, ch_39=False).to_frame()]
)
raw = st.one_of(frames, st.binary(max_size=300), st.just(b"\n"))
advertising_events = st.builds(
    AdvertisingEvent,
    address=st.binary(min_size=6, max_size=6),
    data=st.one_of(st.just(TAG.data), st.binary(max_size=255)),
    rssi=st.integers(-128, 127),
    primary_phy=st.sampled_from([1, 4]),
    secondary_phy=st.sampled_from([15, 1, 2, 4]),
    secondary_channel=st.integers(0, 36),
    tx_power=st.integers(-64, 63),
)
inputs = st.lists(st.tuples(st.floats(0, 30), st.one_of(raw, advertising_events)), max_size=40)
sessions = st.fixed_dictionaries(
    {
        "firmware": st.sampled_from(["2.0.0", "1.0.0"]),
        "mode": st.sampled_from(sorted(TRANSMIT_MODES)),
        "baud": st.sampled_from([0, 1200, 115200]),
        "has_coded_phy": st.booleans(),
    }
)


def run(
    options: dict[str, object],
    inputs: list[tuple[float, bytes | AdvertisingEvent]],
    asked_at: Iterable[float] = (),
) -> tuple[bytes, CoprocessorCounters]:
    """Everything that leaves the line, when it is also asked for at some times in between."""
    session = CoprocessorSession(
        DeviceId(bytes(8), bytes(6)),
        TRANSMIT_MODES[str(options["mode"])](int(str(options["baud"]))),
        firmware=str(options["firmware"]),
        has_coded_phy=bool(options["has_coded_phy"]),
    )
    session.boot(0.0)
    agenda: list[tuple[float, bytes | AdvertisingEvent | None]] = [(at, None) for at in asked_at]
    now = 0.0
    for pause, happening in inputs:
        now += pause
        agenda.append((now, happening))
    output = b""
    for at, what in sorted(agenda, key=lambda entry: entry[0]):
        if what is None:
            output += session.take_output(at)
        elif isinstance(what, bytes):
            session.receive(what, at)
        else:
            session.advertised(what, at)
    return output + session.take_output(1500.0), session.counters


@given(sessions, inputs)
def test_nothing_raises_and_everything_is_counted(
    options: dict[str, object], inputs: list[tuple[float, bytes | AdvertisingEvent]]
) -> None:
    _, counters = run(options, inputs)
    assert counters.advertisements == sum(isinstance(w, AdvertisingEvent) for _, w in inputs)
    assert counters.advertisements == (
        counters.not_received
        + counters.too_long
        + counters.filtered
        + counters.reports_sent
        + counters.reports_lost
    )


@given(sessions, inputs, st.lists(st.floats(0, 1200), max_size=30))
def test_asking_in_between_changes_nothing(
    options: dict[str, object],
    inputs: list[tuple[float, bytes | AdvertisingEvent]],
    asked_at: list[float],
) -> None:
    assert run(options, inputs) == run(options, inputs, asked_at)


@given(
    st.integers(),
    st.sampled_from(sorted(TRANSMIT_MODES)),
    st.lists(st.floats(0, 20), max_size=50),
)
def test_the_same_seed_gives_the_same_bytes(seed: int, transmit: str, stops: list[float]) -> None:
    def raw(times: list[float]) -> bytes:
        board = Board(tags=5, rate=60, seed=seed, transmit=transmit)
        output = b"".join(board.advance(at) for at in sorted(times) if at < 0.5)
        board.receive(SetAll().to_frame(), 0.5)
        return output + b"".join(board.advance(at) for at in [*sorted(times), 20.0] if at >= 0.5)

    assert raw(stops) == raw([])


@given(st.lists(raw, max_size=20))
def test_a_line_without_speed_carries_intact_frames_only(received: list[bytes]) -> None:
    """Also when it is reset by what it receives, over and over."""
    session = CoprocessorSession(DeviceId(bytes(8), bytes(6)), TRANSMIT_MODES["ideal"](0))
    session.boot(0.0)
    for now, data in enumerate(received):
        session.receive(data, float(now))
        session.advertised(TAG, now + 0.5)
    scanner = FrameScanner(messages)
    found = scanner.feed(session.take_output(100.0))
    assert scanner.counters.bytes_in_frames == scanner.counters.bytes_received
    assert sum(isinstance(m, Ack | DeviceId) for m in found) <= session.counters.commands
