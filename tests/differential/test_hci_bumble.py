"""Our reading and writing of HCI against bumble's, which knows the specification independently.

Left out: the TX power of an extended report, which bumble reads as unsigned (findings), and the
data status, which it leaves in the event type.
"""

from typing import Any

import pytest
from hci_events import extended_event, extended_report, h4, legacy_event, legacy_report
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.messages import SetAll
from ruuvi_host.hci import commands, facts
from ruuvi_host.hci.commands import HciCommand, Opcode, scan_enable, scan_parameters
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.plan import ScanKind, ScanPlan
from ruuvi_host.hci.reports import ReportReader

bumble: Any = pytest.importorskip("bumble.hci", reason="bumble is an extra: test")

data = st.binary(max_size=40)
addresses = st.binary(min_size=6, max_size=6)
i8 = st.integers(-127, 126)


def ours(event: bytes) -> list[Any]:
    reader = ReportReader(ControllerCounters())
    reader.configure(SetAll(fltr_tags=False))
    return list(reader.read([event], 0.0))


def theirs(event: bytes) -> list[Any]:
    return list(bumble.HCI_Packet.from_bytes(h4(event)).reports)


def address(report: Any) -> bytes:
    """Most significant byte first."""
    return bytes(report.address)[::-1]


@given(st.lists(st.tuples(data, addresses, st.sampled_from([0, 1, 2, 3]), i8), max_size=4))
def test_legacy_reports(reports: list[tuple[bytes, bytes, int, int]]) -> None:
    event = legacy_event(
        *(
            legacy_report(data, address=address, kind=kind, rssi=rssi)
            for data, address, kind, rssi in reports
        )
    )
    assert [(r.address, r.data, r.rssi) for r in ours(event)] == [
        (address(r), r.data, r.rssi) for r in theirs(event)
    ]


@given(
    st.lists(
        st.tuples(
            *(data, addresses, st.sampled_from([0, 1, 0x10, 0x13]), i8),
            *(st.sampled_from([1, 3]), st.sampled_from([0, 1, 2, 3]), st.integers(0, 15)),
        ),
        max_size=4,
    )
)
def test_extended_reports(reports: list[tuple[bytes, bytes, int, int, int, int, int]]) -> None:
    event = extended_event(
        *(
            extended_report(
                data,
                address=address,
                bits=bits,
                rssi=rssi,
                primary=primary,
                secondary=secondary,
                sid=sid,
            )
            for data, address, bits, rssi, primary, secondary, sid in reports
        )
    )
    wire = {1: 1, 2: 2, 3: 4}
    assert [(r.address, r.data, r.rssi, r.primary_phy, r.secondary_phy) for r in ours(event)] == [
        (
            address(r),
            r.data,
            r.rssi,
            wire[r.primary_phy],
            15 if r.event_type & 0x10 else wire.get(r.secondary_phy, 15),
        )
        for r in theirs(event)
    ]


def read(command: HciCommand) -> Any:
    """As bumble understands it; what it writes itself must be the same bytes."""
    packet = command.packet()
    understood = bumble.HCI_Packet.from_bytes(packet)
    assert bytes(understood) == packet
    assert understood.op_code == command.opcode
    return understood


def test_numbers_of_commands() -> None:
    names = {
        Opcode.RESET: "HCI_RESET_COMMAND",
        Opcode.READ_LOCAL_VERSION: "HCI_READ_LOCAL_VERSION_INFORMATION_COMMAND",
        Opcode.READ_LOCAL_COMMANDS: "HCI_READ_LOCAL_SUPPORTED_COMMANDS_COMMAND",
        Opcode.READ_BD_ADDR: "HCI_READ_BD_ADDR_COMMAND",
        Opcode.SET_EVENT_MASK: "HCI_SET_EVENT_MASK_COMMAND",
        Opcode.WRITE_LE_HOST_SUPPORT: "HCI_WRITE_LE_HOST_SUPPORT_COMMAND",
        Opcode.LE_SET_EVENT_MASK: "HCI_LE_SET_EVENT_MASK_COMMAND",
        Opcode.LE_READ_LOCAL_FEATURES: "HCI_LE_READ_LOCAL_SUPPORTED_FEATURES_COMMAND",
        Opcode.LE_SET_RANDOM_ADDRESS: "HCI_LE_SET_RANDOM_ADDRESS_COMMAND",
        Opcode.LE_SET_SCAN_PARAMETERS: "HCI_LE_SET_SCAN_PARAMETERS_COMMAND",
        Opcode.LE_SET_SCAN_ENABLE: "HCI_LE_SET_SCAN_ENABLE_COMMAND",
        Opcode.LE_SET_EXTENDED_SCAN_PARAMETERS: "HCI_LE_SET_EXTENDED_SCAN_PARAMETERS_COMMAND",
        Opcode.LE_SET_EXTENDED_SCAN_ENABLE: "HCI_LE_SET_EXTENDED_SCAN_ENABLE_COMMAND",
    }
    assert {*names, Opcode.ZEPHYR_READ_STATIC_ADDRESSES} == set(Opcode)
    for opcode, name in names.items():
        assert getattr(bumble, name) == opcode


def test_event_masks() -> None:
    mask = read(commands.SET_EVENT_MASK).event_mask
    wanted = bumble.HCI_LE_META_EVENT, bumble.HCI_HARDWARE_ERROR_EVENT
    assert int.from_bytes(mask, "little") == sum(1 << (code - 1) for code in wanted)
    mask = read(commands.set_le_event_mask(extended=True)).le_event_mask
    reports = (
        bumble.HCI_LE_ADVERTISING_REPORT_EVENT,
        bumble.HCI_LE_EXTENDED_ADVERTISING_REPORT_EVENT,
    )
    assert int.from_bytes(mask, "little") == sum(1 << (code - 1) for code in reports)


@pytest.mark.parametrize(("uncoded", "coded"), [(True, False), (False, True), (True, True)])
def test_scan_commands(uncoded: bool, coded: bool) -> None:
    legacy = ScanPlan(ScanKind.LEGACY, uncoded, coded)
    told = read(scan_parameters(legacy))
    assert (told.le_scan_type, told.own_address_type, told.scanning_filter_policy) == (0, 1, 0)
    assert (told.le_scan_interval, told.le_scan_window) in [(160, 160), (320, 160)]
    told = read(scan_parameters(ScanPlan(ScanKind.EXTENDED, uncoded, coded)))
    assert told.scanning_phys == uncoded | coded << 2
    assert told.scan_types == [0] * (uncoded + coded)
    assert told.scan_windows == [160] * (uncoded + coded)
    assert told.scan_intervals == [160 * (uncoded + coded)] * (uncoded + coded)
    for on in (True, False):
        told = read(scan_enable(ScanKind.LEGACY, on=on))
        assert (told.le_scan_enable, told.filter_duplicates) == (on, 0)
        told = read(scan_enable(ScanKind.EXTENDED, on=on))
        assert (told.enable, told.filter_duplicates, told.duration, told.period) == (on, 0, 0, 0)


def test_the_random_address_is_random_static() -> None:
    told = read(commands.set_random_address(bytes.fromhex("010203040506"))).random_address
    assert str(told).startswith("C6:05:04:03:02:01")


def test_versions() -> None:
    for number in range(len(facts._HCI_VERSIONS)):
        try:
            name = bumble.SpecificationVersion(number).name
        except ValueError:
            continue
        if name.startswith("BLUETOOTH_CORE_"):
            version = name.removeprefix("BLUETOOTH_CORE_").replace("_", ".").lower()
            assert facts.ControllerFacts(hci_version=number).version in version
