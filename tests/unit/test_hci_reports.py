"""From HCI reports to ADV_RPRT2: every row of the mapping, and every reason to drop one."""

import pytest
from hci_events import (
    ADDRESS,
    FORMAT_5,
    MORE,
    OTHER_COMPANY,
    TRUNCATED,
    extended_event,
    extended_report,
    legacy_event,
    legacy_report,
)

from firmware_protocol.messages import AdvRprt2, SetAll
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.reports import ReportReader

ANY = SetAll(fltr_tags=False)


def read(
    *events: bytes, settings: SetAll | None = ANY, now: float = 0.0
) -> tuple[list[AdvRprt2], ControllerCounters]:
    counters = ControllerCounters()
    reader = ReportReader(counters)
    reader.configure(settings)
    reports = reader.read(list(events), now)
    assert counters.unaccounted == 0
    return reports, counters


def one(event: bytes, settings: SetAll = ANY) -> AdvRprt2:
    [report], counters = read(event, settings=settings)
    assert (counters.reports, counters.sent) == (1, 1)
    return report


def test_a_legacy_report_byte_by_byte() -> None:
    event = bytes.fromhex(
        "3E 0F 02 01"  # LE Meta, 15 bytes, Advertising Report, one
        "03 01 4F 88 4C 33 B8 CB"  # not connectable, random address, low byte first
        "03 02 01 06 BD"  # three bytes of data, RSSI -67
    )
    frame = one(event).to_frame()
    assert frame[2] == 0x12
    assert frame[3:-3] == bytes.fromhex(
        "CB B8 33 4C 88 4F 2C 02 01 06 2C BD 2C"
        "1F FF 40 2C"  # 1M and no secondary PHY; channel unknown; TX power not available
    )


def test_an_extended_report_byte_by_byte() -> None:
    event = bytes.fromhex(
        "3E 1D 0D 01"  # LE Meta, 29 bytes, Extended Advertising Report, one
        "01 00 01 4F 88 4C 33 B8 CB"  # connectable, complete; random address
        "03 03 00 FC BD"  # coded, coded, set 0, TX -4 dBm, RSSI -67
        "00 00 00 00 00 00 00 00 00"  # no periodic advertising, no direct address
        "03 02 01 06"
    )
    frame = one(event).to_frame()
    assert frame[3:-3] == bytes.fromhex(
        "CB B8 33 4C 88 4F 2C 02 01 06 2C BD 2C"
        "44 FF FC 2C"  # coded twice; channel unknown; coded flag and -4 dBm in seven bits
    )


def test_the_address_is_turned_round_and_data_stays() -> None:
    for event in (legacy_event(legacy_report()), extended_event(extended_report())):
        report = one(event)
        assert (report.address, report.data, report.rssi) == (ADDRESS, FORMAT_5, -67)


@pytest.mark.parametrize("rssi", [-128, -127, -1, 0, 20, 126])
def test_rssi_is_signed(rssi: int) -> None:
    assert one(legacy_event(legacy_report(rssi=rssi))).rssi == rssi
    assert one(extended_event(extended_report(rssi=rssi))).rssi == rssi


@pytest.mark.parametrize(
    ("hci", "ours", "is_coded"), [(1, 1, False), (3, 4, True), (4, 4, True), (9, 9, False)]
)
def test_primary_phy(hci: int, ours: int, is_coded: bool) -> None:
    report = one(extended_event(extended_report(primary=hci)))
    assert (report.primary_phy, report.is_coded_phy) == (ours, is_coded)


@pytest.mark.parametrize(
    ("bits", "hci", "ours"),
    [
        *((0, 0, 15), (0, 1, 1), (0, 2, 2), (0, 3, 4), (0, 4, 4), (0, 200, 15)),
        (0x10, 0, 15),
        (0x13, 2, 15),  # legacy: it has none, whatever is said
    ],
)
def test_secondary_phy(bits: int, hci: int, ours: int) -> None:
    assert one(extended_event(extended_report(bits=bits, secondary=hci))).secondary_phy == ours


def test_a_legacy_report_is_1m_alone() -> None:
    assert one(legacy_event(legacy_report()))[3:] == (1, 15, 255, False, -64)


def test_a_legacy_advertisement_in_an_extended_report_is_the_same() -> None:
    extended = extended_event(extended_report(bits=0x13, secondary=0, sid=0xFF))
    assert one(extended) == one(legacy_event(legacy_report()))


@pytest.mark.parametrize(
    ("hci", "ours"),
    [(127, -64), (-128, -64), (-64, -64), (-63, -63), (-4, -4), (0, 0), (63, 63), (64, -64)],
)
def test_tx_power(hci: int, ours: int) -> None:
    assert one(extended_event(extended_report(tx_power=hci))).tx_power == ours


def test_the_channel_is_never_guessed() -> None:
    assert one(extended_event(extended_report())).channel == 255


def test_several_reports_of_one_event_stand_one_behind_the_other() -> None:
    reports, _ = read(
        legacy_event(legacy_report(b"\x02\x01\x06", rssi=-1), legacy_report(rssi=-2)),
        extended_event(extended_report(b"", rssi=-3), extended_report(rssi=-4)),
    )
    assert [(r.rssi, len(r.data)) for r in reports] == [(-1, 3), (-2, 31), (-3, 0), (-4, 31)]


@pytest.mark.parametrize(
    ("event", "settings", "reason"),
    [
        (legacy_event(legacy_report(kind=4)), ANY, "scan_responses"),
        (legacy_event(legacy_report(address_type=0xFF)), ANY, "anonymous"),
        (legacy_event(legacy_report(rssi=127)), ANY, "no_rssi"),
        (legacy_event(legacy_report()), SetAll(use_1m_phy=False), "phy_off"),
        (legacy_event(legacy_report(bytes(31))), SetAll(max_adv_len=30), "too_long"),
        (legacy_event(legacy_report(OTHER_COMPANY)), SetAll(), "other_company"),
        (extended_event(extended_report(bits=0x08)), ANY, "scan_responses"),
        (extended_event(extended_report(bits=0x1B)), ANY, "scan_responses"),
        (extended_event(extended_report(address_type=0xFF)), ANY, "anonymous"),
        (extended_event(extended_report(rssi=127)), ANY, "no_rssi"),
        (extended_event(extended_report(bits=0x10)), SetAll(use_1m_phy=False), "phy_off"),
        (extended_event(extended_report()), SetAll(use_2m_phy=False), "phy_off"),
        (extended_event(extended_report(bytes(49))), ANY, "too_long"),
        (extended_event(extended_report(bytes(193))), SetAll(max_adv_len=0), "too_long"),
        (extended_event(extended_report(OTHER_COMPANY)), SetAll(), "other_company"),
        (extended_event(extended_report(status=TRUNCATED)), ANY, "truncated"),
        (extended_event(extended_report(status=3)), ANY, "truncated"),
    ],
)
def test_what_is_dropped_is_counted_by_its_reason(
    event: bytes, settings: SetAll, reason: str
) -> None:
    reports, counters = read(event, settings=settings)
    assert reports == []
    assert (counters.reports, counters.dropped, getattr(counters, reason)) == (1, 1, 1)


def test_the_checks_have_the_order_of_the_firmware() -> None:
    """PHY, length, company: a report that fails all three counts as the first."""
    nothing = SetAll(use_1m_phy=False, max_adv_len=1)
    reports, counters = read(legacy_event(legacy_report(OTHER_COMPANY)), settings=nothing)
    assert (reports, counters.phy_off) == ([], 1)
    short = SetAll(max_adv_len=1)
    reports, counters = read(legacy_event(legacy_report(OTHER_COMPANY)), settings=short)
    assert (reports, counters.too_long) == ([], 1)


@pytest.mark.parametrize(("length", "limit"), [(30, 30), (48, 48), (192, 0), (192, 192)])
def test_what_is_just_not_too_long_passes(length: int, limit: int) -> None:
    settings = SetAll(fltr_tags=False, max_adv_len=limit)
    assert one(extended_event(extended_report(bytes(length))), settings).data == bytes(length)


def test_extended_advertisements_pass_if_only_coded_is_on() -> None:
    settings = SetAll(use_1m_phy=False, use_2m_phy=False, use_coded_phy=True)
    one(extended_event(extended_report(primary=3, secondary=3)), settings)


@pytest.mark.parametrize(
    ("data", "company"),
    [
        (FORMAT_5, 0x0499),
        (bytes.fromhex("03FF9904"), 0x0499),
        (bytes.fromhex("020106030A0B0C05FF990401"), 0x0499),
        (bytes.fromhex("0201060016FF9904"), 0),
        (bytes.fromhex("0201060300FF99040499"), 0),  # not where it looks like one
        (bytes.fromhex("02FF990403FF4C00"), 0x0499),  # of the first, though it is too short
        (b"", 0),
    ],
)
def test_the_company_filter(data: bytes, company: int) -> None:
    event = legacy_event(legacy_report(data))
    assert len(read(event, settings=SetAll(fltr_id=company))[0]) == 1
    assert read(event, settings=SetAll(fltr_id=company ^ 1))[1].other_company == 1


def test_before_the_host_has_configured_it_nothing_passes() -> None:
    reports, counters = read(legacy_event(legacy_report()), settings=None)
    assert (reports, counters.not_configured) == ([], 1)


def test_without_a_host_nothing_passes() -> None:
    counters = ControllerCounters()
    reader = ReportReader(counters)
    reader.configure(ANY)
    reader.host_present = False
    assert reader.read([legacy_event(legacy_report())], 0.0) == []
    assert (counters.no_host, counters.unaccounted) == (1, 0)
    assert reader.heard_data


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        (legacy_event(legacy_report(b"")), False),
        (legacy_event(legacy_report(kind=4)), True),
        (extended_event(extended_report(b"")), False),
        (extended_event(extended_report(address_type=0xFF)), True),
    ],
)
def test_data_is_a_sign_of_life_passed_or_not(event: bytes, heard: bool) -> None:
    reader = ReportReader(ControllerCounters())
    reader.read([event], 0.0)
    assert reader.heard_data is heard


@pytest.mark.parametrize(
    "whole",
    [
        legacy_event(legacy_report(), legacy_report()),
        extended_event(extended_report(), extended_report()),
    ],
)
def test_nothing_of_an_event_is_used_whose_lengths_do_not_add_up(whole: bytes) -> None:
    for broken in (
        *(whole[:end] for end in range(3, len(whole))),
        whole + b"\0",
        whole[:3] + b"\x03" + whole[4:],
        whole[:3] + b"\x01" + whole[4:],
        whole[:3] + b"\x00" + whole[4:],
    ):
        reports, counters = read(broken)
        assert (reports, counters.reports, counters.malformed_events) == ([], 0, 1)


def test_fragments_become_one_report() -> None:
    parts = [FORMAT_5[:10], FORMAT_5[10:20], FORMAT_5[20:]]
    reports, counters = read(
        extended_event(extended_report(parts[0], status=MORE, tx_power=4)),
        extended_event(
            extended_report(parts[1], status=MORE, tx_power=127, rssi=127),
            extended_report(b"\x02\x01\x06", address=bytes(6), rssi=-9),
        ),
        extended_event(extended_report(parts[2], rssi=-70)),
    )
    assert [(r.data, r.rssi, r.tx_power) for r in reports] == [
        (b"\x02\x01\x06", -9, -64),
        (FORMAT_5, -70, 4),
    ]
    assert (counters.reports, counters.joined, counters.sent) == (4, 2, 2)


def test_joined_reports_are_checked_as_a_whole() -> None:
    event = extended_event(
        extended_report(FORMAT_5[:7], status=MORE), extended_report(FORMAT_5[7:])
    )
    assert len(read(event, settings=SetAll())[0]) == 1
    _, counters = read(event, settings=SetAll(max_adv_len=30))
    assert (counters.joined, counters.too_long) == (1, 1)


def test_a_truncated_advertisement_is_dropped_whole() -> None:
    reports, counters = read(
        extended_event(
            extended_report(status=MORE),
            extended_report(status=MORE, sid=2),
            extended_report(status=TRUNCATED),
        )
    )
    assert reports == []
    assert (counters.truncated, counters.waiting) == (2, 1)


def test_a_fragment_waits_for_two_seconds() -> None:
    counters = ControllerCounters()
    reader = ReportReader(counters)
    reader.configure(ANY)
    reader.read([extended_event(extended_report(FORMAT_5[:9], status=MORE))], 0.0)
    [report] = reader.read([extended_event(extended_report())], 2.1)
    assert report.data == FORMAT_5
    assert (counters.orphaned, counters.waiting) == (1, 0)


def test_fragments_of_before_a_reset_are_forgotten() -> None:
    counters = ControllerCounters()
    reader = ReportReader(counters)
    reader.configure(ANY)
    reader.read([extended_event(extended_report(FORMAT_5[:9], status=MORE))], 0.0)
    reader.clear()
    [report] = reader.read([extended_event(extended_report(FORMAT_5[9:]))], 0.0)
    assert report.data == FORMAT_5[9:]
    assert (counters.orphaned, counters.unaccounted) == (1, 0)
