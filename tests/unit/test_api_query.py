"""Queries as the gateway reads them, and the sensors that are chosen by them."""

import pytest

from ruuvi_host.api.history import counted_after, not_older
from ruuvi_host.api.query import parameter, unsigned
from ruuvi_host.intake.advertisement import Advertisement

MOST = 4294967295


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("20", 20), ("012", 10), ("08", 0), ("0", 0), ("00", 0), ("0x3d", 61), ("0X3D", 61)],
        *[("0x", 0), ("0xg", 0), (" \t\n\v\f\r7", 7), ("+7", 7), ("- 7", 0), ("--7", 0)],
        *[("-1", MOST), ("-0x10", MOST - 15), ("-012", MOST - 9), ("-0", 0), ("-4294967295", 1)],
        *[("4294967295", MOST), ("4294967296", MOST), ("-4294967296", MOST), ("9" * 5000, MOST)],
        *[("0x" + "f" * 5000, MOST), ("0" + "7" * 5000, MOST), ("0" * 5000 + "7", 7)],
        *[("60s", 60), ("6.5", 6), ("1e3", 1), ("", 0), ("abc", 0), ("%36", 0), ("\u0663", 0)],
    ],
)
def test_numbers_are_those_of_strtoul(text: str, number: int) -> None:
    assert unsigned(text) == number


@pytest.mark.parametrize(
    ("query", "value"),
    [
        *[(b"time=5", "5"), (b"a=1&time=5", "5"), (b"time=1&time=2", "1"), (b"time=", "")],
        *[
            (b"mytime=5", None),
            (b"time", None),
            (b"", None),
            (b"Time=5", None),
            (b"a;time=5", None),
        ],
        *[(b"time=a=b", "a=b"), (b"time=%36+1", "%36+1"), (b"time&time=2", "2"), (b"&time=3", "3")],
        *[(b"%74ime=3", None), (b"time=\xff", "\xff")],
    ],
)
def test_the_first_of_a_name_counts_and_nothing_is_decoded(query: bytes, value: str | None) -> None:
    assert parameter(query, "time") == value


def stamped(*timestamps: int) -> list[Advertisement]:
    return [
        Advertisement(n.to_bytes(6, "big"), b"\xaa", -1, 1, 15, 37, None, 0.0, timestamp)
        for n, timestamp in enumerate(timestamps)
    ]


def test_a_clock_that_was_set_back_hides_no_sensor() -> None:
    chosen = not_older(stamped(30, 99, 40, 200, 41), 41)
    assert [advertisement.timestamp for advertisement in chosen] == [99, 200, 41]


@pytest.mark.parametrize(
    ("counter", "chosen"),
    [
        (5, [6, 2**31 + 4]),
        (MOST, [6, 5, 0]),  # it has started over
        (0, [6, 5]),
        (2**31 + 4, [2**31 + 5, 0]),
    ],
)
def test_a_counter_that_starts_over_still_counts_as_later(counter: int, chosen: list[int]) -> None:
    held = stamped(6, 2**31 + 4, 2**31 + 5, 5, 0)
    assert [a.timestamp for a in counted_after(held, counter)] == chosen
