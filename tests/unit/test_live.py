"""The live table: what it shows, what it leaves out, and that names in it are only names."""

from collections import deque
from io import StringIO
from random import Random

import pytest
from rich.console import Console

from firmware_protocol.messages import AdvRprt2
from ruuvi_host.cli.live import picture
from ruuvi_host.cli.scroll import Scroll
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.sensors import Sensors
from ruuvi_host.simulator.kinds import KINDS, advert
from ruuvi_host.simulator.tags import Tag


def report(data: bytes, address: int = 1) -> AdvRprt2:
    return AdvRprt2(address.to_bytes(6, "big"), data, -60, 1, 15, 37, False, -64)


def received(*adverts: bytes) -> Sensors:
    """One report of each, each from another sensor."""
    sensors = Sensors()
    for address, data in enumerate(adverts):
        sensors.receive(report(data, address), 0.0)
    return sensors


def sent(kind: str) -> bytes:
    return Tag(Random(1), kind=KINDS[kind]).advertise().data


def shown(
    sensors: Sensors,
    width: int = 160,
    height: int = 30,
    log: tuple[str, ...] = (),
    scroll: Scroll | None = None,
) -> list[str]:
    output = StringIO()
    console = Console(file=output, width=width, height=height)
    console.print(picture(console, sensors, 5.0, deque(log), scroll or Scroll()), end="")
    return [line.rstrip() for line in output.getvalue().split("\n")]


def test_a_name_that_a_person_gave_stands_beside_the_address() -> None:
    known = Readings([SensorSettings(bytes(6), "Sauna [red]", temperature_offset=200.0)])
    sensors = Sensors(known)
    sensors.receive(report(sent("5"), 0), 0.0)
    _, row, _ = shown(sensors)
    assert row.startswith("00:00:00:00:00:00 Sauna [red]  221.")


@pytest.mark.parametrize(
    ("kind", "there", "missing"),
    [
        ("5", ["°C", "%RH", "Pa", "V", "moved"], ["CO2"]),
        ("2in1", ["°C", "moved"], ["%RH", "Pa"]),
        ("e1", ["°C", "%RH", "Pa", "CO2", "PM2.5", "VOC", "NOx", "lx"], ["moved"]),
        ("6", ["CO2", "PM2.5", "VOC", "NOx"], ["moved"]),
        ("4", ["°C", "%RH", "Pa"], ["moved", " V"]),
    ],
)
def test_a_row(kind: str, there: list[str], missing: list[str]) -> None:
    _, row, last = shown(received(sent(kind)))
    assert row.startswith("00:00:00:00:00:00  ")
    assert row.endswith("  -60  5 s  0 %")
    for word in there:
        assert word in row
    for word in missing:
        assert word not in row
    assert last == "1 sensors: 1 reports, 1 measurements"


def test_what_format_7_is_about() -> None:
    data, _ = advert(7, {"measurement_sequence": 1, "motion_detected": True})
    assert "  motion  " in shown(received(data))[1]
    data, _ = advert(7, {"measurement_sequence": 1})
    assert "motion" not in shown(received(data))[1]


def test_without_a_reading_the_reason() -> None:
    _, row, _ = shown(received(sent("8")))
    assert row.split() == ["00:00:00:00:00:00", "key_required", "-", "-60", "5", "s", "-"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ruuvi 884F", "Ruuvi 884F"),
        ("Köök", "Köök"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[2J\r\n\a", "\\x1b[2J\\r\\n\\x07"),
        ("\u202eevil\u200b\u2066", "\\u202eevil\\u200b\\u2066"),
        ("\u2028\ufeff\x9b", "\\u2028\\ufeff\\x9b"),
        ("a" * 100, "a" * 23 + "…"),
    ],
)
def test_names_come_from_the_air(name: str, expected: str) -> None:
    raw = name.encode()
    data = bytes((len(raw) + 1, 9)) + raw + sent("5")
    _, row, _ = shown(received(data))
    assert row.startswith(f"00:00:00:00:00:00 {expected}  ")
    assert "\x1b" not in row


def test_more_sensors_than_lines() -> None:
    sensors = received(*[sent("5")] * 200)
    lines = shown(sensors, height=10)
    assert len(lines) == 10
    assert lines[-1].startswith("200 sensors: ")
    assert lines[-1].endswith("; from 1 of 200 on (space, b, arrows: others)")
    assert sum(line.startswith("00:") for line in lines) == 8


def addresses(lines: list[str]) -> list[int]:
    return [int(line[:17].replace(":", ""), 16) for line in lines if line.startswith("00:")]


def test_keys_go_through_all_of_them() -> None:
    sensors, scroll = received(*[sent("5")] * 20), Scroll()

    def after(typed: bytes) -> list[int]:
        assert not scroll.press(typed)
        return addresses(shown(sensors, height=10, scroll=scroll))

    assert after(b"") == list(range(8))
    assert after(b" ") == list(range(8, 16))
    assert after(b"\x1b[6~") == list(range(12, 20)), "a full last page"
    assert after(b" ") == list(range(12, 20))
    assert after(b"b") == list(range(4, 12))
    assert after(b"k\x1b[A") == list(range(2, 10))
    assert after(b"\x1b[5~") == list(range(8))
    assert after(b"G") == list(range(12, 20))
    assert after(b"j") == list(range(13, 20)), "line by line to the very last"
    assert after(b"j" * 100) == [19]
    assert after(b"g") == list(range(8))
    assert after(b"\x1b[H\x1bxyz\x00\xff\x1b[99;99X") == list(range(8)), "what means nothing"
    assert scroll.press(b"xq")


def test_rows_of_several_lines_can_all_be_reached() -> None:
    sensors, scroll = received(*[sent("e1")] * 10), Scroll()
    seen = set()
    for _ in range(10):
        seen |= set(addresses(shown(sensors, width=40, height=10, scroll=scroll)))
        scroll.press(b" ")
    scroll.press(b"j" * 10)
    seen |= set(addresses(shown(sensors, width=40, height=10, scroll=scroll)))
    assert seen == set(range(10))


def test_what_fits_does_not_move() -> None:
    sensors, scroll = received(sent("5"), sent("e1")), Scroll()
    shown(sensors, scroll=scroll)
    scroll.press(b"jjj ")
    assert addresses(shown(sensors, scroll=scroll)) == [0, 1]


@pytest.mark.parametrize("width", [12, 40, 64, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 24])
def test_it_never_takes_more_than_the_terminal_has(width: int, height: int) -> None:
    sensors = received(*[sent("e1"), sent("5"), sent("8")] * 20)
    lines = shown(sensors, width, height, log=("one", "two" * 50, "three"))
    assert len(lines) <= max(height, 5)
    assert all(len(line) <= width for line in lines)


def test_a_narrow_terminal_shows_what_matters() -> None:
    title, *rows = shown(received(sent("e1")), width=40)
    assert title.split() == ["Sensor", "Reading"]
    assert "CO2" in " ".join(rows)


def test_the_log_is_below() -> None:
    lines = shown(received(sent("5")), log=("12:00 opened", "12:01 lost"))
    assert lines[2:4] == ["12:00 opened", "12:01 lost"]
