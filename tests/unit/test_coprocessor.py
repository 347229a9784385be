"""The coprocessor's end of the wire, rule by rule: boot, commands, the watchdog."""

from dataclasses import replace

import pytest
from conftest import load_vectors
from coprocessor_bench import ADDRESS, APPLE, DEVICE, GATEWAY, RUUVI, TAG, Bench

from firmware_protocol.commands import Command
from firmware_protocol.coprocessor import Booted, Cause, Configured, CoprocessorSession
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.framing import encode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetCh37,
    SetCh38,
    SetCh39,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
    SetScan2mbPhy,
)
from firmware_protocol.scan import AdvertisingEvent
from firmware_protocol.transmitter import Ideal

# -- boot -----------------------------------------------------------------------------------------


def test_boot_asks_once_for_the_configuration() -> None:
    bench = Bench()
    assert bench.at_boot == [GetAll()]
    assert bench.received(41.9) == []
    assert bench.session.settings is None


def test_an_unknown_firmware_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"no firmware '3'; there are 2\.0\.0, 1\.0\.0"):
        CoprocessorSession(DEVICE, Ideal(0), firmware="3")


def test_led_is_on_for_four_seconds_after_boot_and_as_long_as_asked() -> None:
    bench = Bench()
    assert bench.session.led_off_at == 4.0
    bench.send(LedCtrl(1500), 1.0)
    assert bench.session.led_off_at == 2.5
    bench.send(LedCtrl(0), 1.5)
    assert bench.session.led_off_at == 1.5


def test_no_reports_before_set_all_but_every_command_is_answered() -> None:
    bench = Bench()
    assert not bench.hears(TAG, 0.1)
    assert bench.ask(GetDeviceId(), 0.2) == [DEVICE]
    assert bench.ask(SetScan1mbPhy(True), 0.3) == [Ack(Command.SET_SCAN_1MB_PHY, False)]
    assert not bench.hears(TAG, 0.4)
    assert bench.counters.not_received == 2
    bench.configure(now=0.5)
    assert bench.hears(TAG, 0.6)


# -- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        SetFltrTags(True),
        SetFltrId(0x0499),
        SetCodedPhy(True),
        SetScan1mbPhy(False),
        SetScan2mbPhy(True),
        SetCh37(True),
        SetCh38(True),
        SetCh39(True),
        LedCtrl(1500),
        replace(GATEWAY, max_adv_len=0),
        GATEWAY,
    ],
    ids=str,
)
def test_command_is_acknowledged(command: HostMessage) -> None:
    assert Bench().ask(command, 1.0) == [Ack(command.command, False)]


@pytest.mark.parametrize(
    "message",
    [
        AdvRprt(ADDRESS, RUUVI, -1),
        AdvRprt2(ADDRESS, b"", -1, 1, 15, 37, False, 0),
        DEVICE,
        GetAll(),
        Ack(Command.SET_ALL, False),
    ],
    ids=lambda m: m.command.name,
)
def test_what_only_a_coprocessor_sends_is_refused(message: Message) -> None:
    assert Bench().ask(message.to_frame(), 1.0) == [Ack(message.command, True)]


@pytest.mark.parametrize(
    "frame",
    [
        encode_frame(0x04, b"\x07"),
        encode_frame(0x0D, b"\x01,"),
        encode_frame(0x18, b"\x00"),
        bytes.fromhex("ca001800000a"),
    ],
    ids=["obsolete", "unknown", "length", "CRC"],
)
def test_what_does_not_decode_is_not_answered(frame: bytes) -> None:
    assert Bench().ask(frame, 1.0) == []


def test_delimiters_are_checked_in_reports_only() -> None:
    bench = Bench()
    assert bench.ask(encode_frame(Command.SET_FLTR_ID, b"\x99\x04;"), 1.0) == [
        Ack(Command.SET_FLTR_ID, False)
    ]
    payload = AdvRprt2(ADDRESS, b"", -1, 1, 15, 37, False, 0).payload()[:-1] + b";"
    assert bench.ask(encode_frame(Command.ADV_RPRT2, payload), 2.0) == []


def test_every_frame_that_a_host_can_send_is_answered() -> None:
    for entry in load_vectors("uart.json")["valid"]:
        frame = bytes.fromhex(entry["hex"])
        if entry["direction"] == "host_to_device" and 0x0A not in frame[:-1]:
            assert len(Bench().ask(frame, 1.0)) == 1, entry["name"]


def test_set_all_without_channels_keeps_the_earlier_ones_and_applies_the_rest() -> None:
    bench = Bench()
    nothing = replace(GATEWAY, ch_37=False, ch_38=False, ch_39=False, fltr_id=0x004C)
    assert bench.ask(nothing, 1.0) == [Ack(Command.SET_ALL, True)]
    assert not bench.hears(TAG, 1.1)
    bench.configure(replace(GATEWAY, ch_37=False, ch_39=False), 2.0)
    assert bench.ask(nothing, 3.0) == [Ack(Command.SET_ALL, True)]
    assert not bench.hears(TAG, 3.1)
    assert bench.hears(AdvertisingEvent(ADDRESS, APPLE, -50), 3.2)
    stored = replace(nothing, ch_38=True)
    assert bench.session.settings == stored
    assert bench.session.take_events()[-1] == Configured(3.0, stored, refused=True)


def test_a_channel_is_not_disabled_when_it_is_the_last() -> None:
    bench = Bench()
    assert bench.ask(SetCh38(False), 0.5) == [Ack(Command.SET_CH_38, True)]
    bench.configure(now=1.0)
    assert bench.ask(SetCh38(False), 2.0) == [Ack(Command.SET_CH_38, False)]
    assert bench.ask(SetCh39(False), 3.0) == [Ack(Command.SET_CH_39, False)]
    assert bench.ask(SetCh37(False), 4.0) == [Ack(Command.SET_CH_37, True)]


def test_a_chip_without_coded_phy_refuses_and_applies_every_set_all() -> None:
    bench = Bench(has_coded_phy=False)
    assert bench.ask(GATEWAY, 1.0) == [Ack(Command.SET_ALL, True)]
    assert bench.hears(TAG, 2.0)
    assert bench.ask(SetCodedPhy(True), 3.0) == [Ack(Command.SET_CODED_PHY, True)]
    assert bench.ask(SetScan2mbPhy(True), 4.0) == [Ack(Command.SET_SCAN_2MB_PHY, False)]
    bench.configure(replace(GATEWAY, use_coded_phy=True), 5.0)
    assert [bench.hears(TAG, t) for t in (6.0, 27.0, 48.0)] == [True] * 3  # never on Coded


# -- the watchdog ---------------------------------------------------------------------------------


def test_without_configuration_it_resets_every_42_seconds() -> None:
    bench = Bench()
    assert bench.received(41.99) == []
    assert bench.received(42.0) == [GetAll()]
    assert bench.received(84.0) == [GetAll()]
    assert bench.session.take_events() == [
        Booted(0.0, Cause.POWER_ON),
        Booted(42.0, Cause.WATCHDOG),
        Booted(84.0, Cause.WATCHDOG),
    ]


def test_a_reset_forgets_the_configuration() -> None:
    bench = Bench()
    bench.configure(now=1.0)
    assert bench.hears(TAG, 1.0 + 0.02)
    bench.session.tick(1.02 + 42.0)
    assert bench.session.settings is None
    assert not bench.hears(TAG, 43.1)


@pytest.mark.parametrize(
    ("firmware", "what", "resets_at"),
    [
        ("2.0.0", None, 43.0),
        ("2.0.0", GATEWAY, 72.0),
        ("2.0.0", replace(GATEWAY, use_1m_phy=False, use_2m_phy=False), 43.0),
        ("2.0.0", LedCtrl(1500), 43.0),
        ("2.0.0", GetDeviceId(), 43.0),
        ("2.0.0", SetFltrTags(False), 43.0),
        ("2.0.0", TAG, 72.0),
        ("2.0.0", TAG._replace(data=APPLE), 43.0),
        ("2.0.0", TAG._replace(data=RUUVI + bytes(18)), 43.0),
        # 1.0.0 has 20 s, is fed by each start of a scan (SET_ALL at 1, then every 21.005 s) ...
        ("1.0.0", None, 21.0),
    ],
    ids=str,
)
def test_what_feeds_the_watchdog(
    firmware: str, what: HostMessage | AdvertisingEvent | None, resets_at: float
) -> None:
    bench = Bench(firmware=firmware)
    bench.configure(GATEWAY if firmware == "2.0.0" else replace(GATEWAY, max_adv_len=0), 1.0)
    if isinstance(what, AdvertisingEvent):
        bench.session.advertised(what, 30.0)
    elif what:
        bench.send(what, 30.0)
    bench.boots()
    bench.session.tick(resets_at - 0.01)
    assert bench.boots() == []
    bench.session.tick(resets_at)
    assert bench.boots() == [resets_at]


@pytest.mark.parametrize("what", [LedCtrl(0), GetDeviceId(), SetFltrTags(True)], ids=str)
def test_firmware_1_is_fed_by_every_command(what: HostMessage) -> None:
    bench = Bench(firmware="1.0.0")
    bench.send(what, 10.0)
    bench.session.tick(29.9)
    assert bench.boots() == [0.0]
    bench.session.tick(30.0)
    assert bench.boots() == [30.0]


def test_firmware_1_is_fed_by_each_start_of_a_scan() -> None:
    bench = Bench(firmware="1.0.0")
    one_channel = replace(GATEWAY, ch_38=False, ch_39=False, max_adv_len=0)
    bench.configure(one_channel, 1.0)
    bench.session.tick(500.0)
    assert bench.boots() == [0.0]


def test_the_first_set_all_feeds_even_if_no_scan_starts() -> None:
    bench = Bench()
    bench.send(replace(GATEWAY, use_1m_phy=False, use_2m_phy=False), 30.0)
    bench.session.tick(71.9)
    assert bench.boots() == [0.0]
    bench.session.tick(72.0)
    assert bench.boots() == [72.0]


def test_a_report_lost_on_the_line_feeds_it_too() -> None:
    bench = Bench(Ideal(1))  # 10 s a byte: the queue fills
    bench.send(GATEWAY, 1.0)
    for step in range(100):
        bench.session.advertised(TAG, 30.0 + step / 100)
    assert bench.counters.reports_lost > 0
    bench.session.tick(72.9)
    assert bench.boots() == [0.0]


def test_a_reset_cuts_the_frame_on_the_line() -> None:
    bench = Bench(Ideal(115200))
    bench.configure(now=1.0)
    bench.received(2.0)
    bench.session.advertised(TAG, 3.0)
    bench.session.boot(3.002, Cause.WATCHDOG)
    output = bench.session.take_output(4.0)
    assert output.endswith(GetAll().to_frame())
    assert 20 <= len(output) - 6 <= 24  # 2 ms of the report
