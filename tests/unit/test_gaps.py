"""Measurements that were never received, told by the measurement sequence."""

import pytest

from ruuvi_host.formats import FORMATS, decode, fields
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import FASTEST, MeasurementSequence
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.gaps import missed
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.simulator.kinds import advert as simulated

MAC = bytes.fromhex("CBB8334C884F")


def format_5(number: int) -> bytes:
    return bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC3642") + (
        number.to_bytes(2) + MAC
    )


def format_6(number: int) -> bytes:
    head = bytes.fromhex("020106030398FC17FF990406170C5668C79E007000C90501D9")
    return head + bytes([0xFF, number, 0x00]) + MAC[3:]


def format_e1(number: int) -> bytes:
    head = bytes.fromhex("2BFF9904E1170C5668C79E0065007004BD11CA00C90A0213E0AC")
    return head + bytes(3) + number.to_bytes(3) + bytes.fromhex("3DFFFFFFFFFF") + MAC


OTHER = bytes.fromhex("0201061AFF4C000215") + bytes(22)
COMPARED = [k for k in FORMATS.values() if k.sequence and not k.cipher]


@pytest.mark.parametrize("known", COMPARED, ids=lambda known: str(known.title))
def test_every_format_with_numbers_is_compared(known: Format) -> None:
    def advert(number: int) -> bytes:
        return simulated(known.number, {"measurement_sequence": number}).data

    assert known.sequence
    length = known.sequence.length
    for old, new in ((1, 4), (length - 3, length - 1), (length - 2, 0)):
        numbers = [fields(decode(advert(n)))["measurement_sequence"] for n in (old, new)]
        assert numbers == [old, new]
        assert missed(advert(old), advert(new), 1.0) == (new - old) % length - 1


def test_steps() -> None:
    sequence = MeasurementSequence(0, 1, length=0xFF)
    for old, new, expected in ((1, 1, 0), (1, 2, 1), (254, 0, 1), (0, 254, -1), (0, 127, 127)):
        assert sequence.step(old, new) == expected
    assert sequence.step(0, 128) == -127
    assert sequence.step(None, 1) is None
    assert sequence.step(1, None) is None


@pytest.mark.parametrize(
    ("old", "new", "seconds", "expected"),
    [
        (format_5(7), format_5(8), 1.0, 0),
        (format_5(7), format_5(7), 1.0, 0),  # something else has changed
        (format_5(7), format_5(12), 5.0, 4),
        (format_5(0xFFFE), format_5(0), 1.0, 0),  # 65535 is not used
        (format_5(9000), format_5(3), 10.0, None),  # a new battery
        (format_5(12), format_5(11), 1.0, None),
        (format_5(0xFFFF), format_5(1), 1.0, None),  # not available
        (format_5(7)[3:], format_5(8)[3:], 1.0, 0),  # wherever it stands
        (format_5(7), format_5(8)[3:], 1.0, None),
        (format_5(0), format_5(12), 1.0, None),  # more than it can have made
        (format_5(0), format_5(11), 1.0, 10),
        (format_5(0), format_5(9), 0xFFFF / FASTEST, None),  # all through, perhaps
        (format_6(250), format_6(2), 5.0, 7),
        (format_6(1), format_6(2), 25.6, None),
        (format_e1(0xFFFFFE), format_e1(1), 5.0, 1),
        (format_e1(1), format_6(2), 61.0, None),
        (format_5(1), OTHER, 1.0, None),
        (OTHER, OTHER[:-1] + b"\x01", 1.0, None),
        (format_5(1)[:24], format_5(2)[:24], 1.0, None),
        (b"\x01", b"\x02", 1.0, None),
        (b"", b"", 1.0, None),
    ],
)
def test_what_is_missing(old: bytes, new: bytes, seconds: float, expected: int | None) -> None:
    assert missed(old, new, seconds) == expected


def received(address: int, data: bytes, at: float) -> Advertisement:
    return Advertisement(bytes([address] * 6), data, -60, 1, 15, 37, None, at, 0)


EDGES = [0, 1, 2, 254, 255, 256, 257, 0xFEFF, 0xFF00, 0xFF01, 0xFFFD, 0xFFFE, 0xFFFF]


@pytest.mark.parametrize("old", EDGES)
@pytest.mark.parametrize("new", EDGES)
def test_the_table_counts_what_is_missing_the_quick_way_too(old: int, new: int) -> None:
    """It does not ask about a format 5 with the next number, or the same one."""
    table = AdvertisementTable(max_sensors=1)
    table.put([received(1, format_5(old), 0.0)])
    changed = format_5(new)[:8] + b"\x13" + format_5(new)[9:]
    table.put([received(1, changed, 1.0)])
    between = missed(format_5(old), changed, 1.0)
    counted = (table.counters.missed, table.counters.missed_unknown)
    assert counted == ((0, 1) if between is None else (between, 0))


def test_the_table_counts_per_sensor() -> None:
    table = AdvertisementTable(max_sensors=2)
    table.put([received(1, format_5(250), 0.0), received(2, format_e1(1), 0.0)])
    table.put([received(1, format_5(251), 1.0), received(1, format_5(256), 2.0)])
    table.put([received(1, format_5(256), 3.0), received(2, format_e1(4), 3.0)])
    counters = table.counters
    assert (counters.missed, counters.missed_unknown) == (6, 0)
    assert table.missed_most(10) == [(bytes([1] * 6), 4), (bytes([2] * 6), 2)]
    assert table.missed_most(1) == [(bytes([1] * 6), 4)]
    table.put([received(1, OTHER, 4.0), received(3, format_5(9), 4.0)])
    assert (counters.missed, counters.missed_unknown) == (6, 1)
    assert table.missed_most(10) == [(bytes([1] * 6), 4)]  # the other has left
