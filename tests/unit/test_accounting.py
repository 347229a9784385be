"""Accounts and their words. That real ones add up is tested by the property tests."""

from firmware_protocol.commands import Command
from firmware_protocol.events import SessionCounters
from firmware_protocol.framing import ScannerCounters
from ruuvi_host.monitoring.accounting import (
    Account,
    accounts,
    accounts_of,
    unaccounted,
    unknown,
)
from ruuvi_host.monitoring.counters import (
    IntakeCounters,
    LinkCounters,
    QueueCounters,
    RelayCounters,
    StatisticsCounters,
    TargetCounters,
)
from ruuvi_host.monitoring.health import Finding, Health, Level
from ruuvi_host.monitoring.link_status import LinkState, LinkStatus
from ruuvi_host.monitoring.overview import Overview, lines


def frames(reports: int) -> list[int]:
    return [reports if number == Command.ADV_RPRT2 else 0 for number in range(256)]


PORT = "/dev/ttyACM0"
SCANNER = ScannerCounters(
    bytes_received=100, bytes_in_frames=90, bytes_skipped=7, frames=frames(reports=5)
)
LINK = LinkCounters(
    session=SessionCounters(SCANNER, reports=4, reports_unconfigured=1), bytes_pending=3
)
INTAKE = IntakeCounters(reports=4, filtered=1, changed=3, missed=2, missed_unknown=1)
TARGET = TargetCounters(
    changed=3,
    queue=QueueCounters(replaced=1, taken=1),
    queued=1,
    relay=RelayCounters(batches=3, batch_reports=1, accepted=1, empty_failed=1),
    waiting_batches=1,
    waiting_reports=1,
)


def test_what_adds_up() -> None:
    found = accounts([(PORT, LINK)], INTAKE, [("custom", TARGET)])
    assert unaccounted(found) == []
    assert [str(account) for account in found] == [
        "/dev/ttyACM0, bytes 100 = bytes in frames 90 + bytes skipped 7 + bytes pending 3",
        "/dev/ttyACM0, report frames 5 = reports 4 + reports unconfigured 1",
        "reports of all ports 4 = received 4",
        "reports 4 = filtered 1 + changed 3",
        "custom, changed 3 = replaced 1 + taken 1 + queued 1",
        "custom, reports for batches 1 = batch reports 1",
        "custom, batches 3 = accepted 1 + empty failed 1 + waiting batches 1",
        "custom, reports in batches 1 = waiting reports 1",
    ]


def test_what_does_not() -> None:
    (account,) = unaccounted([*accounts_of(IntakeCounters(reports=4, changed=3))])
    assert (account.name, account.total, account.parts["changed"]) == ("reports", 4, 3)
    assert account.unaccounted == 1
    assert str(account) == "reports 4 = changed 3, UNACCOUNTED 1"
    assert str(Account("nothing", 0, {})) == "nothing 0 = 0"


def test_what_cannot_be_known() -> None:
    known = LinkCounters(uart_overruns=0)
    assert list(unknown([(PORT, LINK), ("/dev/ttyS0", known)], INTAKE)) == [
        "/dev/ttyACM0, bytes that the UART lost: not known, the driver does not count them",
        "/dev/ttyS0, bytes that the UART lost: 0",
        "measurements that never reached us: 2 by the gaps in their numbers; "
        "not known after 1 reports",
    ]


def test_the_lines_for_people() -> None:
    health = Health((Finding(Level.DEGRADED, "nothing is relayed: the clock is not right"),))
    link = LinkStatus(
        *(PORT, "/dev/ttyACM1", LinkState.READY, "C8:25:2D:8E:9C:2C", "2.0.0 or newer"),
        *(997.5, None, "", LINK),
    )
    closed = LinkStatus(
        "/dev/ttyUSB0", "/dev/ttyUSB0", LinkState.CLOSED, "", "", None, None, "gone", LINK
    )
    overview = Overview(
        growth={},
        version="0.1.0",
        pid=4711,
        uptime=100_000,
        health=health,
        links=[link, closed],
        intake=INTAKE,
        sensors=2,
        missed_most=[("AA:BB:CC:01:02:03", 2)],
        targets=[("custom", TARGET)],
        problems={"custom": "Connection refused"},
        statistics=StatisticsCounters(posts=2, accepted=1),
    )
    told = list(lines(overview.document(1000.0)))
    zeros = "opened 0, disconnects 0, reboots 0, lost acks 0, crc errors 0, uart overruns unknown"
    assert told[: told.index("accounting:")] == [
        "ruuvi-host 0.1.0, process 4711, up 27 h 46 min",
        "health: degraded: nothing is relayed: the clock is not right",
        "coprocessor /dev/ttyACM0 (now /dev/ttyACM1): ready; C8:25:2D:8E:9C:2C, firmware 2.0.0 or "
        "newer; last report 2.5 s ago",
        f"  {zeros}",
        "coprocessor /dev/ttyUSB0: closed; gone",
        f"  {zeros}",
        "sensors in the table: 2",
        "  missed 2, missed unknown 1",
        "custom: failing (Connection refused); waiting: batches 1, reports 1",
        "statistics:",
        "  posts 2, accepted 1",
    ]
    assert told[-1] == "    AA:BB:CC:01:02:03: 2"
