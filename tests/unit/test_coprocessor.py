"""The coprocessor's end of the wire: what the specification says of it, rule by rule."""

from dataclasses import replace

import pytest
from conftest import load_vectors

from firmware_protocol.commands import Command
from firmware_protocol.coprocessor import Booted, Cause, Configured, CoprocessorSession
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.framing import FrameScanner, encode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetAll,
    SetCh37,
    SetCh38,
    SetCh39,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
    SetScan2mbPhy,
    messages,
)
from firmware_protocol.scan import AdvertisingEvent, company_id
from firmware_protocol.transmitter import DropIfBusy, Faithful, Ideal, Transmitter

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
ADDRESS = bytes.fromhex("cbb8334c884f")
RUUVI = bytes.fromhex(
    "0201061bff99040514644725c44100340000041ca936110158c6a5b9e0ad06"
)  # 31 bytes, company 0x0499
APPLE = bytes.fromhex("0201061aff4c000215") + bytes(21)
NAMELESS = bytes.fromhex("020106")
TAG = AdvertisingEvent(ADDRESS, RUUVI, -67)
AIR = AdvertisingEvent(  # extended advertising, 1M then 2M
    ADDRESS, bytes.fromhex("2bff9904e1") + bytes(39), -70, 1, 2, secondary_channel=17, tx_power=8
)
FAR = AdvertisingEvent(ADDRESS, RUUVI, -95, 4, 4, secondary_channel=3)  # Coded

GATEWAY = SetAll()  # what a gateway sends


class Bench:
    """A booted coprocessor on a line that takes no time unless a transmitter is given."""

    def __init__(
        self,
        transmitter: Transmitter | None = None,
        *,
        firmware: str = "2.0.0",
        has_coded_phy: bool = True,
    ) -> None:
        self.session = CoprocessorSession(
            DEVICE, transmitter or Ideal(0), firmware=firmware, has_coded_phy=has_coded_phy
        )
        self.scanner: FrameScanner[Message] = FrameScanner(messages)
        self.counters = self.session.counters
        self.session.boot(0.0)
        self.at_boot = self.received(0.001)

    def received(self, now: float) -> list[Message]:
        """What the host has received until now, since the last time."""
        return self.scanner.feed(self.session.take_output(now))

    def send(self, what: HostMessage | bytes, now: float) -> None:
        data = what if isinstance(what, bytes) else what.to_frame()
        self.session.receive(data, now)

    def ask(self, what: HostMessage | bytes, now: float) -> list[Message]:
        """The answers that come within 10 ms."""
        self.send(what, now)
        return self.received(now + 0.01)

    def configure(self, settings: SetAll = GATEWAY, now: float = 0.0) -> None:
        [ack] = self.ask(settings, now)
        assert isinstance(ack, Ack)

    def hears(self, event: AdvertisingEvent, now: float) -> bool:
        """Does this event lead to a report?"""
        self.session.advertised(event, now)
        return any(isinstance(m, AdvRprt | AdvRprt2) for m in self.received(now))

    def boots(self) -> list[float]:
        """When it has booted since the last time."""
        return [e.at for e in self.session.take_events() if isinstance(e, Booted)]


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


# -- the receive path -----------------------------------------------------------------------------

HAS_INNER_0A = SetCh37(True).to_frame()  # CMD is 0x0A


def test_a_frame_may_come_in_pieces() -> None:
    bench = Bench()
    for byte in GATEWAY.to_frame():
        assert bench.received(1.0) == []
        bench.send(bytes([byte]), 1.0)
    assert bench.received(1.1) == [Ack(Command.SET_ALL, False)]


def test_a_frame_with_an_inner_0a_decodes_only_when_the_ring_is_empty() -> None:
    bench = Bench()
    assert HAS_INNER_0A.count(b"\n") == 2
    assert bench.ask(HAS_INNER_0A, 1.0) == [Ack(Command.SET_CH_37, False)]
    assert bench.ask(b"\x00\n" + HAS_INNER_0A, 2.0) == []


def test_garbage_directly_before_a_frame_loses_that_frame() -> None:
    bench = Bench()
    assert bench.ask(b"\x00" + GetDeviceId().to_frame(), 1.0) == []


def test_0a_separates_a_frame_from_garbage() -> None:
    assert Bench().ask(b"\x00\n" + GetDeviceId().to_frame(), 1.0) == [DEVICE]


@pytest.mark.parametrize(
    "rescue",
    [GetDeviceId(), LedCtrl(0), LedCtrl(1500), GATEWAY, replace(GATEWAY, max_adv_len=0)],
    ids=str,
)
def test_a_poisoned_ring_is_emptied_by_a_frame_without_inner_0a(rescue: HostMessage) -> None:
    bench = Bench()
    bench.send(GetDeviceId().to_frame()[1:], 1.0)  # its STX was lost
    assert bench.ask(HAS_INNER_0A, 2.0) == []
    assert bench.ask(HAS_INNER_0A, 41.0) == []  # no time-out clears it
    assert len(bench.ask(rescue, 41.1)) == 1
    assert bench.ask(HAS_INNER_0A, 41.2) == [Ack(Command.SET_CH_37, False)]


def test_a_reset_empties_the_ring() -> None:
    bench = Bench()
    bench.send(GetDeviceId().to_frame()[1:], 1.0)
    assert bench.ask(HAS_INNER_0A, 42.1) == [GetAll(), Ack(Command.SET_CH_37, False)]


def test_bytes_behind_a_frame_in_the_ring_are_lost_with_it() -> None:
    bench = Bench()
    bench.send(HAS_INNER_0A[:3], 1.0)
    assert bench.ask(HAS_INNER_0A[3:-1] + b"\n", 2.0) == [Ack(Command.SET_CH_37, False)]
    half = HAS_INNER_0A[:3] + HAS_INNER_0A[3:].replace(b"\n", b"")
    bench.send(half + b"\xca\x00\n", 3.0)  # ETX is where 0xCA stands: no frame
    assert bench.ask(GetDeviceId(), 4.0) == [DEVICE]


@pytest.mark.parametrize(("raw", "crashes"), [(64, 0), (65, 1)])
def test_more_than_64_bytes_in_the_ring_crash_it(raw: int, crashes: int) -> None:
    bench = Bench()
    bench.configure(now=0.5)
    bench.session.take_events()
    bench.send(b"\x55" * (raw - 1) + b"\n", 1.0)
    assert bench.counters.crashes == crashes
    if crashes:
        assert bench.session.take_events() == [Booted(1.0, Cause.CRASH)]
        assert bench.received(1.1) == [GetAll()]
        assert bench.session.settings is None
    assert bench.ask(GetDeviceId(), 2.0) == [DEVICE]


def test_five_undecodable_set_all_in_a_row_crash_it() -> None:
    bench = Bench(firmware="1.0.0")  # which does not know the long form
    frame = GATEWAY.to_frame()
    assert len(frame) == 13
    for second in range(4):
        assert bench.ask(frame, 1.0 + second) == []
    assert bench.counters.crashes == 0
    assert bench.ask(frame, 5.0) == [GetAll()]


def test_without_0a_a_chunk_ends_after_212_bytes() -> None:
    bench = Bench()
    bench.send(b"\x00" * 211, 1.0)
    assert bench.counters.crashes == 0
    bench.send(b"\x00", 1.0)
    assert bench.counters.crashes == 1
    assert bench.ask(GetDeviceId(), 2.0) == [GetAll(), DEVICE]


# -- the reply slot -------------------------------------------------------------------------------


def test_a_second_command_before_the_first_reply_replaces_it() -> None:
    bench = Bench()
    bench.send(GetDeviceId(), 1.0)
    bench.send(LedCtrl(0), 1.0)
    assert bench.received(2.0) == [Ack(Command.LED_CTRL, False)]
    assert bench.counters.replies_replaced == 1


def test_firmware_1_answers_both() -> None:
    bench = Bench(firmware="1.0.0")
    assert bench.ask(GetDeviceId().to_frame() + LedCtrl(0).to_frame(), 1.0) == [DEVICE, LedCtrl(0)]


def test_the_ack_of_set_all_comes_after_the_start_of_the_scan() -> None:
    bench = Bench()
    bench.send(GATEWAY, 1.0)
    assert bench.received(1.004) == []
    assert bench.received(1.006) == [Ack(Command.SET_ALL, False)]


def test_a_reply_waits_for_the_end_of_the_frame_on_the_line() -> None:
    bench = Bench(Ideal(115200))
    bench.configure()
    bench.session.advertised(TAG, 2.0)
    bench.send(GetDeviceId(), 2.001)
    byte = 10 / 115200
    end = 2.0 + 51 * byte
    assert bench.received(end - byte / 2) == []
    assert bench.scanner.pending == 50
    assert len(bench.received(end)) == 1
    assert bench.received(end + 22 * byte) == []  # it begins a moment later
    assert bench.received(end + 24 * byte) == [DEVICE]


def test_a_reply_is_not_starved_by_reports() -> None:
    bench = Bench(Ideal(115200))
    bench.configure()
    for step in range(20_000):  # a hundred times what the line carries
        bench.session.advertised(TAG, 1.0 + step / 20_000)
        if step == 10_000:
            bench.send(GetDeviceId(), 1.5)
    assert DEVICE not in bench.received(1.5)
    assert DEVICE in bench.received(1.52)


def test_a_reply_waits_for_a_start_of_the_scan_before_it() -> None:
    bench = Bench()
    bench.send(GATEWAY, 1.0)
    bench.send(GetDeviceId(), 1.001)
    assert bench.received(1.004) == []
    assert bench.received(1.006) == [DEVICE]


@pytest.mark.parametrize(("mode", "lost"), [(Ideal, 0), (DropIfBusy, 0), (Faithful, 1)])
def test_a_collision_while_a_reply_waits(mode: type[Transmitter], lost: int) -> None:
    bench = Bench(mode(115200))
    bench.configure()
    bench.session.advertised(TAG, 2.0)
    bench.send(GetDeviceId(), 2.001)
    bench.session.advertised(TAG, 2.002)
    bench.session.tick(2.0022)
    # The faithful driver says "sent" of the lost report, so the reply comes while its count is
    # wrong, and is lost as well. The others let it wait until the line is free.
    assert bench.counters.replies_lost == lost
    assert (DEVICE in bench.received(2.1)) is not bool(lost)


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


# -- the scan -------------------------------------------------------------------------------------


def channels_heard(bench: Bench, begin: float, seconds: int) -> list[int]:
    """The channel reported each second; 0 where nothing is heard."""
    channels = []
    for second in range(seconds):
        bench.session.advertised(TAG, begin + second)
        reports = [m for m in bench.received(begin + second) if isinstance(m, AdvRprt2)]
        channels.append(reports[0].channel if reports else 0)
    return channels


def test_seven_seconds_on_each_channel() -> None:
    bench = Bench()
    bench.configure(now=0.0)
    assert channels_heard(bench, 0.5, 28) == [37] * 7 + [38] * 7 + [39] * 7 + [37] * 7


def test_only_enabled_channels_are_scanned() -> None:
    bench = Bench()
    bench.configure(replace(GATEWAY, ch_37=False), 0.0)
    assert channels_heard(bench, 0.5, 21) == [38] * 7 + [39] * 7 + [38] * 7


def test_nothing_is_heard_for_a_moment_when_a_scan_starts() -> None:
    bench = Bench()
    bench.configure(now=1.0)
    assert not bench.hears(TAG, 1.0 + 21.007)
    assert bench.hears(TAG, 1.0 + 21.02)


BOTH = replace(GATEWAY, use_coded_phy=True)


def phys_heard(bench: Bench, times: list[float]) -> list[str]:
    heard = []
    for now in times:
        names = [name for name, event in (("1M", TAG), ("Coded", FAR)) if bench.hears(event, now)]
        heard.append(" ".join(names))
    return heard


def test_1m_and_coded_take_turns_beginning_with_1m() -> None:
    bench = Bench()
    bench.configure(BOTH, 0.0)
    assert phys_heard(bench, [1, 20, 22, 41, 43, 64]) == [
        "1M",
        "1M",
        "Coded",
        "Coded",
        "1M",
        "Coded",
    ]


def test_every_set_all_restarts_the_period_and_changes_the_phy() -> None:
    bench = Bench()
    bench.configure(BOTH, 0.0)
    bench.configure(BOTH, 10.0)
    assert phys_heard(bench, [11, 30, 32]) == ["Coded", "Coded", "1M"]
    bench.configure(BOTH, 33.0)
    assert phys_heard(bench, [34]) == ["Coded"]
    bench.configure(GATEWAY, 35.0)
    assert phys_heard(bench, [36, 57]) == ["1M", "1M"]
    assert channels_heard(bench, 58.0, 1) == [37]


def test_coded_alone() -> None:
    bench = Bench()
    bench.configure(replace(GATEWAY, use_coded_phy=True, use_1m_phy=False, use_2m_phy=False), 0.0)
    assert phys_heard(bench, [1, 22, 43]) == ["Coded"] * 3


@pytest.mark.parametrize(
    ("one_m", "two_m", "coded", "expected"),
    [
        (True, True, False, {"TAG", "AIR"}),
        (True, False, False, {"TAG"}),
        (False, True, False, {"AIR"}),
        (False, False, False, set()),
        (True, False, True, {"TAG", "AIR"}),  # on its 1M turn
        (False, True, True, {"AIR"}),
    ],
)
def test_what_is_heard_on_1m(one_m: bool, two_m: bool, coded: bool, expected: set[str]) -> None:
    bench = Bench()
    settings = replace(GATEWAY, use_1m_phy=one_m, use_2m_phy=two_m, use_coded_phy=coded)
    bench.configure(settings, 0.0)
    heard = {name for name, event in (("TAG", TAG), ("AIR", AIR)) if bench.hears(event, 1.0)}
    assert heard == expected
    assert bench.counters.not_received == 2 - len(expected)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (SetScan1mbPhy(False), True, False),
        (SetCh37(False), 37, 38),
        (SetCodedPhy(True), "1M", "Coded"),
    ],
    ids=str,
)
def test_changes_take_effect_with_the_next_period(
    change: HostMessage, before: object, after: object
) -> None:
    def seen(now: float) -> object:
        if isinstance(before, bool):
            return bench.hears(TAG, now)
        return channels_heard(bench, now, 1)[0] if before == 37 else phys_heard(bench, [now])[0]

    bench = Bench()
    bench.configure(now=0.0)
    bench.send(change, 1.0)
    assert seen(2.0) == before
    assert seen(22.0) == after


def test_a_scan_that_stopped_is_started_by_set_all_only() -> None:
    bench = Bench()
    bench.configure(replace(GATEWAY, use_2m_phy=False), 0.0)
    bench.send(SetScan1mbPhy(False), 1.0)
    assert not bench.hears(TAG, 22.0)
    bench.send(SetScan1mbPhy(True), 23.0)
    assert not bench.hears(TAG, 41.0)
    bench.configure(now=41.5)
    assert bench.hears(TAG, 41.6)


# -- reports --------------------------------------------------------------------------------------


def reported(
    event: AdvertisingEvent, settings: SetAll = GATEWAY, firmware: str = "2.0.0"
) -> list[Message]:
    """The reports of one event."""
    bench = Bench(firmware=firmware)
    bench.configure(settings, 0.0)
    bench.session.advertised(event, 1.0)
    return bench.received(1.0)


def test_report_of_a_legacy_advertisement() -> None:
    assert reported(TAG) == [AdvRprt2(ADDRESS, RUUVI, -67, 1, 15, 37, False, -64)]


def test_report_of_an_extended_advertisement() -> None:
    assert reported(AIR) == [AdvRprt2(ADDRESS, AIR.data, -70, 1, 2, 17, False, 8)]


def test_report_on_coded_phy() -> None:
    settings = replace(GATEWAY, use_coded_phy=True, use_1m_phy=False, use_2m_phy=False)
    assert reported(FAR, settings) == [AdvRprt2(ADDRESS, RUUVI, -95, 4, 4, 3, True, -64)]


def test_report_of_firmware_1() -> None:
    short = replace(GATEWAY, max_adv_len=0)
    assert reported(TAG, short, firmware="1.0.0") == [AdvRprt(ADDRESS, RUUVI, -67)]
    assert reported(TAG._replace(data=RUUVI + b"\0"), short, firmware="1.0.0") == []


@pytest.mark.parametrize(
    ("company", "on", "data", "passes"),
    [
        (0x0499, True, RUUVI, True),
        (0x0499, True, APPLE, False),
        (0x0499, True, NAMELESS, False),
        (0x0499, False, APPLE, True),
        (0x004C, True, APPLE, True),
        (0, True, NAMELESS, True),
        (0, True, RUUVI, False),
        (0, True, b"", True),
    ],
)
def test_filter(company: int, on: bool, data: bytes, passes: bool) -> None:
    event = TAG._replace(data=data)
    settings = replace(GATEWAY, fltr_id=company, fltr_tags=on)
    assert len(reported(event, settings)) == passes


def test_filter_commands_count_from_the_next_report_on() -> None:
    bench = Bench()
    bench.configure(now=0.0)
    apple = TAG._replace(data=APPLE)
    assert not bench.hears(apple, 1.0)
    bench.send(SetFltrId(0x004C), 1.1)
    assert bench.hears(apple, 1.2)
    assert not bench.hears(TAG, 1.3)
    bench.send(SetFltrTags(False), 1.4)
    assert bench.hears(TAG, 1.5)


@pytest.mark.parametrize(
    ("data", "company"),
    [
        (RUUVI, 0x0499),
        (bytes.fromhex("03ff4c00 05ff99040501"), 0x004C),  # the first one counts
        (bytes.fromhex("020106 0303aafe"), 0),
        (bytes.fromhex("00 05ff99040501"), 0),  # early termination
        (bytes.fromhex("05ff9904"), 0x0499),  # cut short
        (bytes.fromhex("02ff99"), 0x0099),
        (b"\x05", 0),
        (b"", 0),
    ],
)
def test_company_id(data: bytes, company: int) -> None:
    assert company_id(data) == company


@pytest.mark.parametrize(
    ("limit", "length", "passes"),
    [(48, 48, True), (48, 49, False), (0, 192, True), (0, 193, False), (1, 2, False)],
)
def test_too_long_advertisements_are_dropped_whole(limit: int, length: int, passes: bool) -> None:
    event = TAG._replace(data=bytes(length))
    settings = replace(GATEWAY, fltr_tags=False, max_adv_len=limit)
    assert len(reported(event, settings)) == passes


def test_a_limit_beyond_its_buffer_lets_a_long_advertisement_crash_it() -> None:
    bench = Bench()
    bench.configure(replace(GATEWAY, fltr_tags=False, max_adv_len=235), 0.0)
    assert bench.hears(TAG._replace(data=bytes(192)), 1.0)
    bench.session.advertised(TAG._replace(data=bytes(193)), 2.0)
    assert bench.counters.crashes == 1
    assert bench.received(2.0) == [GetAll()]
