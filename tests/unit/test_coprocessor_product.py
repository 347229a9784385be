"""A session with a radio of its own: what the firmware's faults would do, and it must not."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.coprocessor import Booted, Configured, CoprocessorSession
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    LedCtrl,
    Message,
    SetAll,
    SetCh37,
    SetFltrId,
    messages,
)
from firmware_protocol.scan import AT_BOOT, AdvertisingEvent
from firmware_protocol.transmitter import Ideal

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
REPORT = AdvRprt2(bytes.fromhex("cbb8334c884f"), b"\x03\xff\x99\x04", -60, 1, 15, 255, False, -64)
GARBAGE = bytes.fromhex("ca07") + bytes(200)  # of the firmware it would overflow the stack


class Ears:
    """A radio that takes what it is told."""

    start_time = 0.0
    scan_end = inf
    is_scanning = False

    def __init__(self, told: list[str]) -> None:
        self.settings = AT_BOOT
        self._told = told

    def reset(self) -> None:
        self.settings = AT_BOOT

    def configure(self, settings: SetAll, now: float) -> bool:
        self._told.append("configured")
        self.settings = settings
        return settings.use_coded_phy

    def set_flag(self, name: str, value: bool) -> bool:
        self._told.append(name)
        return not value

    def set_company(self, company: int) -> None:
        self.settings = replace(self.settings, fltr_id=company)

    def start(self, now: float) -> None:
        self._told.append("started")


class Bench:
    """A session that has booted, and what a host reads of it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.radio = Ears(self.told)
        self.session = CoprocessorSession(DEVICE, Ideal(0), radio=self.radio)
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        self.session.boot(100.0)

    def read(self, now: float) -> list[Message]:
        return self._scanner.feed(self.session.take_output(now))

    def ask(self, data: bytes, now: float) -> list[Message]:
        self.session.receive(data, now)
        return self.read(now)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    assert bench.read(100.0) == [GetAll()]
    return bench


def test_answers_come_at_once_and_before_the_first_report(bench: Bench) -> None:
    bench.session.receive(SetAll().to_frame(), 101.0)
    bench.session.report(REPORT, 101.0)
    assert bench.read(101.0) == [Ack(Command.SET_ALL, False), REPORT]
    assert bench.told[0] == "configured"
    booted, configured = bench.session.take_events()
    assert isinstance(booted, Booted)
    assert configured == Configured(101.0, SetAll(), False)


def test_what_the_radio_refuses_is_in_the_ack(bench: Bench) -> None:
    asked = SetAll(use_coded_phy=True).to_frame() + SetCh37(False).to_frame()
    expected = [Ack(Command.SET_ALL, True), Ack(Command.SET_CH_37, True)]
    assert bench.ask(asked, 101.0) == expected


def test_each_command_of_one_read_gets_its_answer(bench: Bench) -> None:
    asked = GetDeviceId().to_frame() + LedCtrl(1500).to_frame() + SetFltrId(7).to_frame()
    led, company = Ack(Command.LED_CTRL, False), Ack(Command.SET_FLTR_ID, False)
    assert bench.ask(asked, 101.0) == [DEVICE, led, company]
    assert bench.radio.settings.fltr_id == 7
    assert bench.session.counters.replies_replaced == 0


def test_garbage_costs_a_host_nothing_but_the_garbage(bench: Bench) -> None:
    assert bench.ask(GARBAGE + SetAll().to_frame(), 101.0) == [Ack(Command.SET_ALL, False)]
    assert bench.session.counters.crashes == 0


def test_an_incomplete_frame_is_given_up_and_what_is_behind_it_is_found(bench: Bench) -> None:
    # The beginning of a report with 200 bytes of data, and a command in their place.
    assert bench.ask(b"\xca\xd6\x12" + GetDeviceId().to_frame(), 101.0) == []
    assert bench.session.deadline == pytest.approx(101.05)
    assert bench.read(101.06) == [DEVICE]
    assert bench.session.deadline == inf


def test_no_watchdog_bites(bench: Bench) -> None:
    assert bench.session.deadline == inf
    bench.session.tick(100_000.0)
    assert bench.session.counters.watchdog_resets == 0


def test_reports_longer_than_a_firmware_has_room_for(bench: Bench) -> None:
    long = REPORT._replace(data=bytes(235))
    bench.session.report(long, 101.0)
    assert bench.read(101.0) == [long]


def test_what_is_simulated_is_not_for_it(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError, match="hears by itself"):
        bench.session.advertised(AdvertisingEvent(bytes(6), b"", -50), 101.0)
    assert bench.session.counters.advertisements == 0


def test_it_says_who_it_is_now(bench: Bench) -> None:
    other = DeviceId(bytes(range(8)), bytes(range(6)))
    bench.session.device = other
    assert bench.ask(GetDeviceId().to_frame(), 101.0) == [other]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({*(place % (len(data) + 1) for place in places), len(data)})
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def a_frame(noise: bytes) -> bytes:
    return noise + GetDeviceId().to_frame()


@given(
    noise=st.lists(st.binary(max_size=60), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    sure=st.sampled_from([a_frame, bytes]),
)
def test_any_bytes_in_any_pieces(
    noise: list[bytes], cuts: list[int], sure: Callable[[bytes], bytes]
) -> None:
    bench = Bench()
    bench.read(100.0)
    now = 101.0
    for piece in cut(b"".join(map(sure, noise)), cuts):
        bench.session.receive(piece, now)
    now += 1.0
    bench.read(now)
    assert bench.ask(GetDeviceId().to_frame(), now) == [DEVICE]
    assert bench.session.deadline == inf
