"""Lines in bulk, and as rows of a table: the same as line by line, whatever the lines are."""

import csv

from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.cli.adverts import Answers, Reader, csv_answers, json_answers
from ruuvi_host.formats import FORMATS, FormatError, Keys, decode, fields
from ruuvi_host.formats.columns import COLUMNS, kinds
from ruuvi_host.formats.df5 import HEADER

KEYS = Keys([(None, b"RuuviComRuuviTag")])
ADVERTS = [case["adv_hex"].encode() for case in load_vectors("formats.json")["cases"]]

numbers = st.one_of(
    st.binary(min_size=2, max_size=2),
    st.sampled_from([b"\x80\0", b"\xff\xff", b"\0\0", b"\x7f\xff", b"\xff\x7f"]),
)
tags = st.builds(
    lambda words, movements, sequence, mac: HEADER + b"".join(words) + movements + sequence + mac,
    st.lists(numbers, min_size=7, max_size=7),
    st.binary(min_size=1, max_size=1) | st.just(b"\xff"),
    numbers,
    st.binary(min_size=6, max_size=6) | st.just(b"\xff" * 6),
).map(lambda data: data.hex().upper().encode())
usual = tags | tags.map(bytes.lower) | tags.map(lambda line: line + b"\r")
strange = st.one_of(
    st.sampled_from(ADVERTS),
    tags.map(lambda line: line[:-2] + b"  "),
    tags.map(lambda line: line[:40] + b" \t" + line[42:]),
    tags.map(lambda line: line[:-1] + b"G"),
    tags.map(lambda line: line + b"\r\r"),
    tags.map(lambda line: line + b"00"),
    tags.map(lambda line: line[:-1] + "\u0661".encode()),
    st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")),
    st.binary(max_size=40).map(lambda data: data.hex().encode()),
    st.just(b"0" * 4097),
)
blocks = st.lists(usual | strange, min_size=1, max_size=12) | st.lists(usual, min_size=1)
firsts = st.integers(1, 10**9)


def compare(answers: Answers, lines: list[bytes], first: int) -> None:
    assert answers.usual
    bulk, plain = Reader(answers), Reader(answers._replace(usual=None))
    assert bulk.block(b"\n".join(lines), first) == plain.block(b"\n".join(lines), first)
    assert bulk.decoded == plain.decoded


@given(blocks, firsts)
def test_json_in_bulk(lines: list[bytes], first: int) -> None:
    compare(json_answers(False, KEYS, frozenset()), lines, first)


@given(blocks, firsts)
def test_csv_in_bulk(lines: list[bytes], first: int) -> None:
    compare(csv_answers(KEYS, frozenset()), lines, first)


def test_every_raw_number_has_the_text_of_its_value() -> None:
    """Of all 65,536, in every field."""
    answers = json_answers(False, KEYS, frozenset())
    for start in range(0, 1 << 16, 1 << 13):
        raw = [number.to_bytes(2) for number in range(start, start + (1 << 13))]
        lines = [(HEADER + n * 7 + n[1:] + n + n * 3).hex().upper().encode() for n in raw]
        compare(answers, lines, 1)


@given(blocks)
def test_a_row_has_what_the_reading_has(lines: list[bytes]) -> None:
    text = Reader(csv_answers(KEYS, frozenset())).block(b"\n".join(lines), 7)
    rows = list(csv.reader(text.splitlines(), strict=True))
    assert [row[0] for row in rows] == [str(number) for number in range(7, 7 + len(lines))]
    for row, line in zip(rows, lines, strict=True):
        named = dict(zip(COLUMNS, row, strict=True))
        try:
            values = dict(fields(decode(bytes.fromhex(line.decode("ascii")), KEYS)))
        except FormatError as error:
            values = {"error": error.code}
        except ValueError:
            values = {"error": "too_long" if len(line) > 4096 else "bad_hex"}
        assert {k: v for k, v in named.items() if v and k != "line"} == {
            k: str(v).lower() if isinstance(v, bool) else str(v)
            for k, v in values.items()
            if v is not None
        }


def test_without_the_format_of_the_tags_nothing_is_in_bulk() -> None:
    assert json_answers(False, KEYS, frozenset({5})).usual is None
    assert csv_answers(KEYS, frozenset({5})).usual is None


def test_every_field_has_a_column_of_its_kind() -> None:
    found = kinds()
    assert tuple(found) == COLUMNS
    for known in FORMATS.values():
        assert set(known.reading._fields) <= set(COLUMNS)  # type: ignore[attr-defined]
    assert found["co2"] is float, "E1 has whole numbers, F0 has hundredths"
    assert (found["mac"], found["motion_detected"], found["pressure"]) == (str, bool, int)
