"""From report to batch: the table's rules, timestamps and filters, and the interval."""

from random import Random
from typing import Any

import pytest
from conftest import load_vectors

from firmware_protocol.messages import AdvRprt, AdvRprt2, DeviceId, Report
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.intake.filter import AddressFilter
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices

HTTP = load_vectors("http.json")


def report(address: int = 1, data: bytes = b"\x02\x01\x06", secondary: int = 15) -> Report:
    return AdvRprt2(address.to_bytes(6, "big"), data, -60, 1, secondary, 37, False, -64)


def report_of(adv: dict[str, Any]) -> Report:
    """A report as the vectors describe it."""
    power = adv["tx_power"]
    return AdvRprt2(
        bytes.fromhex(adv["mac"].replace(":", "")),
        bytes.fromhex(adv["data"]),
        adv["rssi"],
        adv["primary_phy"],
        adv["secondary_phy"],
        adv["channel"],
        adv["is_coded_phy"],
        -64 if power is None else power,
    )


def advertisement_of(adv: dict[str, Any]) -> Advertisement:
    report = report_of(adv)
    timestamp = adv["timestamp"] if "timestamp" in adv else adv["counter"]
    return Advertisement(*report[:6], adv["tx_power"], 0.0, timestamp)


def body(
    advertisements: tuple[Advertisement, ...],
    gateway: dict[str, Any],
    utc: int,
    data_format: DataFormat = DataFormat.RAW,
) -> str:
    device = DeviceId(bytes(8), bytes.fromhex(gateway["mac"].replace(":", "")))
    facts = BodyFacts(gateway["coordinates"], gateway["use_timestamps"], data_format)
    batch = Batch(gateway["nonce"], device, advertisements)
    return b"".join(body_slices(batch, facts, utc)).decode()


# -- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", HTTP["batch"], ids=lambda c: str(c["name"]))
def test_body_is_the_gateways_byte_for_byte(case: dict[str, Any]) -> None:
    advertisements = tuple(map(advertisement_of, case["advs"]))
    gateway = case["gateway"]
    made = body(advertisements, gateway, gateway["time"], DataFormat(case["format"]))
    assert made == case["expected_body"]


def test_body_of_more_tags_than_a_slice_holds() -> None:
    import json

    advertisements = tuple(
        Advertisement(n.to_bytes(6, "big"), b"\xaa", -1, 1, 15, 37, None, 0.0, n)
        for n in range(1001)
    )
    gateway = HTTP["batch"][0]["gateway"]
    tags = json.loads(body(advertisements, gateway, 1))["data"]["tags"]
    assert [tag["timestamp"] for tag in tags.values()] == list(range(1001))


@pytest.mark.parametrize(
    ("secondary", "expected"), [(15, "1M"), (2, "2M"), (4, "Coded"), (1, None), (0, None)]
)
def test_ble_phy_is_left_out_where_the_gateway_does(secondary: int, expected: str | None) -> None:
    import json

    received = Advertisement(bytes(6), b"\xaa", -1, 1, secondary, 37, -4, 0.0, 5)
    tags = json.loads(body((received,), HTTP["batch"][0]["gateway"], 1))["data"]["tags"]
    tag = tags["00:00:00:00:00:00"]
    assert tag.get("ble_phy") == expected
    assert tag["ble_tx_power"] == 4294967292  # the firmware prints -4 so


def test_a_negative_tx_power_is_signed_when_that_is_wanted() -> None:
    received = [Advertisement(bytes(6), b"\xaa", -1, 1, 15, 37, p, 0.0, 5) for p in (-4, 7, None)]
    facts = BodyFacts(signed_tx_power=True)
    batch = Batch(1, DeviceId(bytes(8), bytes(6)), tuple(received))
    made = b"".join(body_slices(batch, facts, 1)).decode()
    assert [line.strip() for line in made.splitlines() if "ble_tx_power" in line] == [
        '"ble_tx_power": -4,',
        '"ble_tx_power": 7,',
    ]


def test_coordinates_are_escaped_as_the_gateway_does() -> None:
    gateway = HTTP["batch"][0]["gateway"] | {"coordinates": 'a"\\\b\f\n\r\t\x1f/\x7fä'}
    assert r'"a\"\\\b\f\n\r\t\u001f/' + '\x7fä"' in body((), gateway, 1)


# -- sequences of the firmware's own table --------------------------------------------------------


@pytest.mark.parametrize("case", HTTP["sequence"], ids=lambda c: str(c["name"]))
def test_sequence(case: dict[str, Any]) -> None:
    table = AdvertisementTable()
    intake = Intake(table)
    queues = {"ruuvi": table.queue(), "custom": table.queue()}
    for step in case["steps"]:
        match step["op"]:
            case "recv":
                changed = intake.counters.changed
                timestamp = step["adv"]["timestamp"]
                intake.receive([report_of(step["adv"])], float(timestamp), timestamp)
                assert intake.counters.changed - changed == step["stored"]
            case "post":
                taken = queues[step["target"]].take()
                expected = step["expected"]["data"]["tags"]
                assert [a.address.hex(":").upper() for a in taken] == list(expected)
                for received, tag in zip(taken, expected.values(), strict=True):
                    assert (received.rssi, received.timestamp) == (tag["rssi"], tag["timestamp"])
            case "history":
                window = int(step["query"].get("time", 60))
                shown = [a for a in table.newest_first() if a.timestamp >= step["time"] - window]
                expected = step["expected"]["data"]["tags"]
                assert [a.address.hex(":").upper() for a in shown] == list(expected)
            case "status":
                samples = table.take_samples()
                active = [(a.hex(":").upper(), str(n)) for a, n in samples if n]
                inactive = [a.hex(":").upper() for a, n in samples if not n]
                expected = step["expected"]
                assert active == [(s["MAC"], s["COUNTER"]) for s in expected["ACTIVE_SENSORS"]]
                assert inactive == expected["INACTIVE_SENSORS"]
            case unknown:
                pytest.fail(f"a step of an unknown kind: {unknown}")


# -- the table ------------------------------------------------------------------------------------


def test_legacy_data_replaces_a_longer_advertisement_only_after_a_minute() -> None:
    table = AdvertisementTable()
    intake = Intake(table)
    intake.receive([report(data=bytes([5]) * 48, secondary=2)], 0.0, 1)
    intake.receive([report(data=bytes(31))], 60.0, 2)
    assert [len(a.data) for a in table.newest_first()] == [48]
    assert intake.counters.shorter == 1
    intake.receive([report(data=bytes(31))], 60.1, 3)
    assert [len(a.data) for a in table.newest_first()] == [31]


def test_a_full_table_loses_the_least_recently_changed_and_keeps_its_place_in_the_queue() -> None:
    table = AdvertisementTable(max_sensors=2)
    intake = Intake(table)
    queue = table.queue()
    intake.receive([report(1), report(2), report(1, b"new")], 0.0, 1)
    intake.receive([report(3)], 0.0, 1)
    assert [a.address[-1] for a in queue.take()] == [1, 3]
    assert intake.counters.evicted == queue.counters.evicted == 1
    assert queue.counters.replaced == 1
    assert (queue.changed, queue.counters.taken) == (4, 2)
    assert len(table) == 2


def test_a_cleared_table_still_knows_its_sensors() -> None:
    table = AdvertisementTable()
    intake = Intake(table)
    queue = table.queue()
    intake.receive([report(1)], 0.0, 1)
    table.clear()
    assert not len(table)
    assert queue.take() == ()
    assert queue.counters.cleared == 1
    intake.receive([report(1), report(2)], 0.0, 1)
    assert table.take_samples() == [(report(2).address, 0), (report(1).address, 1)]


# -- from report to table -------------------------------------------------------------------------


def test_what_the_gateway_drops_is_counted() -> None:
    table = AdvertisementTable()
    listed = AddressFilter(frozenset({report(9).address}))
    intake = Intake(table, listed)
    intake.receive([report(1), report(2, b""), report(3, bytes(49)), report(9)], 0.0, None)
    intake.receive([report(4, bytes(48)), report(5, secondary=2), report(6, secondary=4)], 0.0, 7)
    c = intake.counters
    assert (c.reports, c.changed) == (7, 3)
    assert (c.clock_not_synchronised, c.empty, c.too_long, c.filtered) == (1, 1, 1, 1)
    assert (c.legacy, c.extended_2m, c.coded) == (1, 1, 1)


@pytest.mark.parametrize(("allow", "passes"), [(True, [1]), (False, [2])])
def test_address_filter(allow: bool, passes: list[int]) -> None:
    table = AdvertisementTable()
    intake = Intake(table, AddressFilter(frozenset({report(1).address}), allow))
    intake.receive([report(1), report(2)], 0.0, 1)
    assert [a.address[-1] for a in table.newest_first()] == passes


def test_an_empty_list_is_no_filter() -> None:
    assert AddressFilter(allow=True).passes(bytes(6))


def test_without_a_clock_the_timestamp_is_the_number_of_legacy_reports() -> None:
    table = AdvertisementTable()
    intake = Intake(table, use_timestamps=False)
    queue = table.queue()
    intake.receive(
        [report(1), report(2), report(3, secondary=2), report(4, secondary=2), report(5)], 0.0, None
    )
    assert [a.timestamp for a in queue.take()] == [0, 1, 2, 2, 2]


def test_reports_of_old_firmware() -> None:
    table = AdvertisementTable()
    Intake(table).receive([AdvRprt(bytes(6), b"\x01", -40)], 5.0, 9)
    (received,) = table.newest_first()
    assert received == Advertisement(bytes(6), b"\x01", -40, 15, 15, 255, None, 5.0, 9)


# -- the interval ---------------------------------------------------------------------------------


def test_the_interval_keeps_its_rhythm() -> None:
    batcher = Batcher(AdvertisementTable().queue(), 10.0, 1000.0)
    assert batcher.due == 1000.0, "the first batch goes out at once"
    batcher.take(1000.5)
    assert batcher.due == 1010.0
    batcher.take(1010.2)
    assert batcher.due == 1020.0
    batcher.take(1047.0)  # two batches were not made
    assert batcher.due == 1050.0
    batcher.period = 60
    assert batcher.due == 1100.0, "a new period counts from the last due time"


# -- several coprocessors -------------------------------------------------------------------------


class TwoCoprocessors:
    """An intake that two coprocessors report to."""

    def __init__(self) -> None:
        self.table = AdvertisementTable()
        self.queue = self.table.queue()
        self.intake = Intake(self.table, coprocessors=2)
        self.counters = self.intake.counters

    def receive(self, source: int, now: float, data: bytes = b"\x01", rssi: int = -60) -> None:
        report = AdvRprt2(bytes(6), data, rssi, 1, 15, 37, False, -64)
        self.intake.receive([report], now, int(now), source)

    def samples(self) -> int:
        [(_, samples)] = self.table.take_samples()
        return samples

    def rssi(self) -> int:
        return next(self.table.newest_first()).rssi


def test_an_advertisement_that_two_report_counts_once() -> None:
    both = TwoCoprocessors()
    for number in range(5):
        both.receive(0, 10.0 + number, bytes([number]))
        both.receive(1, 10.01 + number, bytes([number]))
    assert (both.counters.changed, both.counters.duplicates) == (5, 5)
    assert (both.counters.repeats, both.counters.legacy) == (0, 5)
    assert both.samples() == 4
    assert len(both.queue.take()) == 1


def test_repetitions_are_no_duplicates() -> None:
    both = TwoCoprocessors()
    for number in range(4):
        both.receive(number % 2, 10.0 + number * 1.285)
        both.receive(1 - number % 2, 10.02 + number * 1.285)
    assert (both.counters.changed, both.counters.repeats, both.counters.duplicates) == (1, 3, 4)
    assert both.samples() == 3


def test_one_coprocessor_alone_makes_no_duplicates() -> None:
    both = TwoCoprocessors()
    for number in range(10):
        both.receive(1, 10.0 + number * 0.1)
    assert (both.counters.repeats, both.counters.duplicates) == (9, 0)


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        (-80, -50, -50),
        (-50, -80, -50),
        (-80, 127, -80),  # 127: not available
        (127, -80, -80),
        (127, 20, 20),
        (127, 127, 127),
    ],
)
def test_the_stronger_rssi_wins(first: int, second: int, wins: int) -> None:
    both = TwoCoprocessors()
    both.receive(0, 10.0, rssi=first)
    both.receive(1, 10.4, rssi=second)
    assert both.rssi() == wins
    assert both.counters.stronger == (first != wins)
    [taken] = both.queue.take()
    assert (taken.rssi, taken.received, taken.timestamp) == (wins, 10.0, 10)


def test_a_repetition_brings_no_other_rssi() -> None:
    """As for one coprocessor: repeated data is no change."""
    both = TwoCoprocessors()
    both.receive(0, 10.0, rssi=-80)
    both.receive(0, 12.0, rssi=-70)
    both.receive(1, 12.1, rssi=-50)
    assert both.rssi() == -80
    assert (both.counters.duplicates, both.counters.stronger) == (1, 0)


def test_late_old_data_does_not_come_back() -> None:
    """The other line is slower, by more than the sensor takes for its next reading."""
    both = TwoCoprocessors()
    both.receive(0, 10.0, b"old")
    both.receive(0, 10.3, b"new")
    both.receive(1, 10.4, b"old")
    assert next(both.table.newest_first()).data == b"new"
    assert both.counters.duplicates == 1


@pytest.mark.parametrize("at", [10.0, 10.2, 10.45])
def test_a_duplicate_is_known_whenever_it_comes(at: float) -> None:
    both = TwoCoprocessors()
    both.receive(0, 10.0, b"something before")
    both.receive(0, at)
    both.receive(1, at + 0.4)
    assert both.counters.duplicates == 1


def test_after_a_while_nothing_is_remembered() -> None:
    both = TwoCoprocessors()
    both.receive(0, 10.0)
    both.receive(1, 10.6)
    both.receive(0, 1000.0)
    assert (both.counters.repeats, both.counters.duplicates) == (2, 0)


def test_every_report_ends_in_one_counter() -> None:
    both = TwoCoprocessors()
    random = Random(1)
    for number in range(5000):
        size = random.choice((0, 1, 5, 31, 40, 49))
        reports = [report(random.randrange(150), bytes([random.randrange(3)]) * size)]
        both.intake.receive(reports, number * 0.05, random.choice((None, 1)), random.randrange(2))
    c = both.counters
    dropped = c.empty + c.too_long + c.filtered + c.clock_not_synchronised + c.duplicates
    assert c.reports == 5000 == dropped + c.changed + c.repeats + c.shorter
    assert (
        min(c.empty, c.too_long, c.clock_not_synchronised, c.duplicates, c.changed, c.repeats) > 0
    )
    assert c.shorter > 0
    assert c.legacy == c.changed + c.repeats + c.shorter
