"""Events that are no reports, byte by byte."""

import pytest

from ruuvi_host.hci.events import (
    Answer,
    Assertion,
    Event,
    HardwareError,
    Malformed,
    Other,
    is_report,
    parse,
)


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        ("0E 04 01 03 0C 00", Answer(0x0C03, 0, b"", True)),
        ("0E 0A 01 09 10 00 01 02 03 04 05 06", Answer(0x1009, 0, b"\1\2\3\4\5\6", True)),
        ("0E 04 01 6D 0C 01", Answer(0x0C6D, 1, b"", True)),
        ("0E 03 01 00 00", Answer(0, 0, b"", True)),
        ("0F 04 0C 01 42 20", Answer(0x2042, 0x0C, b"", False)),
        ("0F 04 00 01 00 00", Answer(0, 0, b"", False)),
        ("10 01 2A", HardwareError(0x2A)),
        ("FF 0B AA 6C 6C 2E 63 00 39 30 00 00 01", Assertion("ll.c", 12345)),
        ("FF 04 AA 6C 6C 2E", Assertion("ll.", 0)),
        ("FF 01 AA", Assertion("", 0)),
        ("FF 06 AA 1B 5B 00 01 00", Assertion("?[", 1)),
        ("FF 02 01 AA", Other(0xFF)),
        ("13 05 01 00 00 01 00", Other(0x13)),
        ("3E 01 02", Other(0x3E)),
        ("0E 02 01 03", None),
        ("0E 03 01 03 0C", None),
        ("0F 03 0C 01 42", None),
        ("10 00", None),
    ],
)
def test_meaning(event: str, meaning: Event | None) -> None:
    raw = bytes.fromhex(event)
    assert not is_report(raw) or meaning == Other(0x3E)
    assert parse(raw) == (Malformed(raw) if meaning is None else meaning)


def test_reports_are_told_apart() -> None:
    assert is_report(bytes.fromhex("3E 02 02 00"))
    assert is_report(bytes.fromhex("3E 02 0D 00"))
    assert not is_report(bytes.fromhex("3E 02 01 00"))
    assert not is_report(bytes.fromhex("3E 00"))
    assert not is_report(bytes.fromhex("0E 02 02 00"))
