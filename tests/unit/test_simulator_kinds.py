"""Simulated tags of every kind: what they send is what such a tag sends, and decodes."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import AdvRprt2, SetAll, messages
from firmware_protocol.scan import AdvertisingEvent
from ruuvi_host.errors import ConfigError
from ruuvi_host.formats import FORMATS, Keys, Measurement, decode, fields
from ruuvi_host.formats.ad import parse
from ruuvi_host.formats.gateway import gateway_members
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.kinds import KEY, KINDS, kind_of
from ruuvi_host.simulator.tags import Tag

KEYS = Keys([(None, KEY)])
FORMAT_KINDS = [name for name, kind in KINDS.items() if len(kind.formats) == 1]
SIZES = {"2": 30, "3": 21, "4": 31, "5": 31, "6": 31, "7": 31, "8": 31, "fa": 30}
SIZES |= {"c5": 29, "e0": 48, "e1": 48, "f0": 31, "2in1": 31, "3in1": 31}


def events(name: str, count: int, seed: int = 1) -> list[AdvertisingEvent]:
    tag = Tag(Random(seed), kind=kind_of(name))
    return [tag.advertise() for _ in range(count)]


def readings(name: str, count: int) -> list[Measurement]:
    return [decode(event.data, KEYS) for event in events(name, count)]


def available(reading: Measurement) -> set[str]:
    return {name for name, value in fields(reading).items() if value is not None}


def test_every_format_is_a_kind() -> None:
    numbers = {kind.formats[0] for name, kind in KINDS.items() if name in FORMAT_KINDS}
    assert numbers == set(FORMATS)


@pytest.mark.parametrize("name", FORMAT_KINDS)
def test_what_a_kind_sends_decodes(name: str) -> None:
    [number] = kind_of(name).formats
    for event, reading in zip(events(name, 200), readings(name, 200), strict=True):
        assert reading.data_format == number
        if "temperature" in fields(reading):
            assert fields(reading)["temperature"] == pytest.approx(21.5, abs=3)
        assert len(event.data) == SIZES.get(name, len(event.data))
        assert not parse(event.data).malformed
        assert event.is_legacy is (len(event.data) <= 31)
    if kind_of(name).fields & {"temperature", "measurement_sequence"}:
        assert len({event.data for event in events(name, 200)}) > 10


@pytest.mark.parametrize("name", FORMAT_KINDS)
def test_nothing_is_missing_but_what_the_kind_lacks(name: str) -> None:
    kind = kind_of(name)
    unavailable = {"tag_id"} if name == "2" else set()
    for reading in readings(name, 50):
        lacking = kind.fields - available(reading) - unavailable
        assert lacking == set(), "the simulated tag has no value for these"


@pytest.mark.parametrize(
    ("name", "there", "missing"),
    [
        ("2in1", {"temperature", "acceleration_x"}, {"humidity", "pressure"}),
        ("3in1", {"temperature", "humidity", "acceleration_x"}, {"pressure"}),
        ("air", {"co2", "pm2_5", "voc_index", "nox_index", "luminosity"}, {"sound_average"}),
    ],
)
def test_missing_sensors(name: str, there: set[str], missing: set[str]) -> None:
    for reading in readings(name, 20):
        assert there <= available(reading)
        assert not missing & available(reading)


def test_an_air_sends_6_and_e1_of_the_same_sample() -> None:
    sent = events("air", 400)
    pairs = list(zip(sent[::2], sent[1::2], strict=True))
    assert len({event.address for event in sent}) == 1
    same = 0
    for legacy, extended in pairs:
        assert (legacy.is_legacy, legacy.primary_phy, legacy.secondary_phy) == (True, 1, 15)
        assert (extended.primary_phy, extended.secondary_phy) == (1, 2)
        assert 0 <= extended.secondary_channel <= 36
        six, e1 = fields(decode(legacy.data)), fields(decode(extended.data))
        assert six["mac_suffix"] == str(e1["mac"])[-8:] == legacy.address.hex(":").upper()[-8:]
        sequence = e1["measurement_sequence"]
        assert isinstance(sequence, int)
        if six["measurement_sequence"] == sequence & 0xFF:
            same += 1
            for name in ("temperature", "humidity", "pressure", "co2", "pm2_5", "voc_index"):
                assert six[name] == e1[name]
    assert same > len(pairs) // 3, "about every other pair is of one sample"


@pytest.mark.parametrize("name", ["5", "6", "e0", "e1", "f0"])
def test_a_gateway_recognises_what_it_knows(name: str) -> None:
    """It looks at fixed places, so the layout is that of the real senders."""
    assert gateway_members(events(name, 1)[0].data)


def test_numbers_start_over_where_the_format_ends() -> None:
    for name in ("7", "f0", "fa", "6"):
        numbers = [fields(r)["measurement_sequence"] for r in readings(name, 2000)]
        assert None not in numbers
        steps = {(after, before) for before, after in pairwise(numbers)}
        assert any(after == 0 for after, _ in steps)


def test_numbers_of_kinds_are_those_of_help() -> None:
    for name in ("zz", "", "5 ", "05"):
        with pytest.raises(ConfigError, match="is none of 2, 3, 4"):
            kind_of(name)
    assert kind_of("AIR") is kind_of("air")


def reports(board: Board, settings: SetAll, until: float = 20.0) -> Iterator[AdvRprt2]:
    board.receive(settings.to_frame(), 0.0)
    for message in FrameScanner(messages).feed(board.advance(until)):
        if isinstance(message, AdvRprt2):
            yield message


def test_kinds_are_dealt_out_in_turn() -> None:
    board = Board(tags=5, kinds=("c5", "air"))
    heard: dict[bytes, set[int]] = {}
    for report in reports(board, SetAll()):
        heard.setdefault(report.address, set()).add(decode(report.data).data_format)
    expected = [{0xC5}, {6, 0xE1}, {0xC5}, {6, 0xE1}, {0xC5}]
    assert [heard[tag.address] for tag in board.tags] == expected


def test_an_air_is_heard_as_the_scan_is_set() -> None:
    def formats(settings: SetAll) -> set[int]:
        board = Board(tags=3, kinds=("air",))
        return {decode(report.data).data_format for report in reports(board, settings)}

    assert formats(SetAll()) == {6, 0xE1}
    assert formats(SetAll(use_2m_phy=False)) == {6}
    assert formats(SetAll(use_1m_phy=False)) == {0xE1}
    assert formats(SetAll(max_adv_len=47)) == {6}


def test_urls_pass_only_without_the_filter_for_the_company() -> None:
    assert list(reports(Board(tags=3, kinds=("2", "4")), SetAll())) == []
    heard = reports(Board(tags=3, kinds=("2", "4")), SetAll(fltr_tags=False))
    assert {decode(report.data).data_format for report in heard} == {2, 4}


def test_the_seed_decides_every_kind() -> None:
    def raw(seed: int) -> bytes:
        board = Board(tags=30, kinds=tuple(KINDS), seed=seed)
        board.receive(SetAll().to_frame(), 0.0)
        return board.advance(60.0)

    assert raw(1) == raw(1) != raw(2)
