"""Measurements that never reached us, told by the sensors' own numbers."""

import pytest

from ruuvi_host.formats import FORMATS, decode, fields
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.gaps import FASTEST, UNKNOWN, missed
from ruuvi_host.intake.table import AdvertisementTable

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
BUILD = {5: format_5, 6: format_6, 0xE1: format_e1}


@pytest.mark.parametrize("data_format", BUILD)
def test_the_places_of_the_numbers_are_those_of_the_decoders(data_format: int) -> None:
    build = BUILD[data_format]
    length = FORMATS[data_format].sequence_length
    assert length
    for old, new in ((1, 4), (250, 260 % length), (length - 2, 0)):
        numbers = [dict(fields(decode(build(n))))["measurement_sequence"] for n in (old, new)]
        assert numbers == [old, new]
        assert missed(build(old), build(new), 20.0) == (new - old) % length - 1


@pytest.mark.parametrize(
    ("old", "new", "seconds", "expected"),
    [
        (format_5(7), format_5(8), 1.0, 0),
        (format_5(7), format_5(7), 1.0, 0),  # something else has changed
        (format_5(7), format_5(12), 5.0, 4),
        (format_5(0xFFFE), format_5(0), 1.0, 0),  # 65535 is not used
        (format_5(9000), format_5(3), 10.0, UNKNOWN),  # a new battery
        (format_5(12), format_5(11), 1.0, UNKNOWN),
        (format_5(0), format_5(12), 1.0, UNKNOWN),  # more than it can have made
        (format_5(0), format_5(11), 1.0, 10),
        (format_5(0), format_5(9), 0xFFFF / FASTEST, UNKNOWN),  # all through, perhaps
        (format_6(250), format_6(2), 5.0, 7),
        (format_6(1), format_6(2), 25.6, UNKNOWN),
        (format_e1(0xFFFFFE), format_e1(1), 5.0, 1),
        (format_e1(1), format_6(2), 61.0, UNKNOWN),
        (format_5(1), OTHER, 1.0, UNKNOWN),
        (OTHER, OTHER[:-1] + b"\x01", 1.0, UNKNOWN),
        (format_5(1)[:24], format_5(2)[:24], 1.0, UNKNOWN),
        (b"\x01", b"\x02", 1.0, UNKNOWN),
        (b"", b"", 1.0, UNKNOWN),
    ],
)
def test_what_is_missing(old: bytes, new: bytes, seconds: float, expected: int) -> None:
    assert missed(old, new, seconds) == expected


def heard(address: int, data: bytes, at: float) -> Advertisement:
    return Advertisement(bytes([address] * 6), data, -60, 1, 15, 37, None, at, 0)


def test_the_table_counts_per_sensor() -> None:
    table = AdvertisementTable(max_sensors=2)
    table.put([heard(1, format_5(250), 0.0), heard(2, format_e1(1), 0.0)])
    table.put([heard(1, format_5(251), 1.0), heard(1, format_5(256), 2.0)])
    table.put([heard(1, format_5(256), 3.0), heard(2, format_e1(4), 3.0)])
    counters = table.counters
    assert (counters.missed, counters.missed_unknown) == (6, 0)
    assert table.missed_most(10) == [(bytes([1] * 6), 4), (bytes([2] * 6), 2)]
    assert table.missed_most(1) == [(bytes([1] * 6), 4)]
    table.put([heard(1, OTHER, 4.0), heard(3, format_5(9), 4.0)])
    assert (counters.missed, counters.missed_unknown) == (6, 1)
    assert table.missed_most(10) == [(bytes([1] * 6), 4)]  # the other has left
