"""The coprocessor's radio: which channel and PHY it hears when, and what it reports of that."""

from dataclasses import replace

import pytest
from coprocessor_bench import ADDRESS, APPLE, GATEWAY, RUUVI, TAG, Bench

from firmware_protocol.messages import (
    AdvRprt,
    AdvRprt2,
    GetAll,
    HostMessage,
    Message,
    SetAll,
    SetCh37,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
)
from firmware_protocol.scan import AdvertisingEvent, company_id

NAMELESS = bytes.fromhex("020106")
AIR = AdvertisingEvent(  # extended advertising, 1M then 2M
    ADDRESS, bytes.fromhex("2bff9904e1") + bytes(39), -70, 1, 2, secondary_channel=17, tx_power=8
)
FAR = AdvertisingEvent(ADDRESS, RUUVI, -95, 4, 4, secondary_channel=3)  # Coded


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
