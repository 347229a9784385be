"""Every known advertisement decodes to its known reading, and encodes back to its bytes."""

from random import Random
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.formats import (
    FORMATS,
    FormatError,
    Keys,
    Measurement,
    decode,
    decode_payload,
    df2_4,
    encode,
    fields,
)
from ruuvi_host.formats.ad import parse
from ruuvi_host.formats.coding import crc8
from ruuvi_host.formats.df2_4 import find_fragment
from ruuvi_host.formats.df5 import Format5
from ruuvi_host.formats.df8 import Format8
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.measurement import QUANTITIES
from ruuvi_host.formats.summary import summary

VECTORS = load_vectors("formats.json")
CASES = {case["name"]: case for case in VECTORS["cases"]}
READINGS = [name for name, case in CASES.items() if "fields" in case]
ERRORS = [name for name, case in CASES.items() if "error" in case]
FLAGS = "020106"
TAG = CASES["df5-official-valid"]


def keys_of(case: dict[str, Any]) -> Keys:
    return Keys([(None, bytes.fromhex(key)) for key in case.get("keys_hex", [])])


def assert_reading(measurement: Measurement, case: dict[str, Any]) -> None:
    """The names, types and values are those of the case; floats within its tolerance."""
    decoded = fields(measurement)
    assert decoded.keys() == case["fields"].keys()
    for name, expected in case["fields"].items():
        value = decoded[name]
        assert type(value) is type(expected), name
        if isinstance(expected, float):
            tolerance = case.get("tolerance", {}).get(name, VECTORS["default_tolerance"])
            assert value == pytest.approx(expected, rel=0, abs=tolerance), name
            assert str(value) != "-0.0", name
        else:
            assert value == expected, name


@pytest.mark.parametrize("name", READINGS)
def test_a_reading(name: str) -> None:
    case = CASES[name]
    measurement = decode(bytes.fromhex(case["adv_hex"]), keys_of(case))
    assert_reading(measurement, case)
    assert f"{measurement.data_format:X}" == case["format"]
    assert next(iter(fields(measurement))) == "data_format"


@pytest.mark.parametrize("name", ERRORS)
def test_no_reading(name: str) -> None:
    case = CASES[name]
    with pytest.raises(FormatError) as caught:
        decode(bytes.fromhex(case["adv_hex"]), keys_of(case))
    assert caught.value.code == case["error"]
    assert str(caught.value) != case["error"], "people want a sentence"


@pytest.mark.parametrize("name", [n for n in READINGS if CASES[n]["format"] not in ("2", "4")])
def test_the_payload_alone_is_enough(name: str) -> None:
    case = CASES[name]
    assert_reading(decode_payload(bytes.fromhex(case["payload_hex"]), keys_of(case)), case)


@pytest.mark.parametrize("name", [n for n in READINGS if "encode" in CASES[n]])
def test_encoding(name: str) -> None:
    case = CASES[name]
    read = type(decode(bytes.fromhex(case["adv_hex"])))
    measurement: Measurement = read(**case["fields"])
    assert (encode(measurement).hex().upper() == case["payload_hex"]) is case["encode"]


@pytest.mark.parametrize("case", VECTORS["ad_cases"], ids=lambda case: str(case["name"]))
def test_structures(case: dict[str, Any]) -> None:
    found = parse(bytes.fromhex(case["adv_hex"]))
    structures = [{"type": t, "data_hex": data.hex().upper()} for t, data in found.structures]
    assert structures == case["structures"]
    assert found.malformed is case["malformed"]
    assert found.local_name == case["local_name"]


@pytest.mark.parametrize(
    ("adv_hex", "name"),
    [
        ("0208410209420208430209440416FFFFFF", "B"),  # the first complete one
        ("02084103085A5A", "A"),
        ("040941FF42", "A\ufffdB"),
    ],
)
def test_the_name_in_the_air(adv_hex: str, name: str) -> None:
    assert parse(bytes.fromhex(adv_hex)).local_name == name


@pytest.mark.parametrize(
    "adv_hex",
    [
        TAG["adv_hex"] + "0609527575766907",  # a scan response behind it, itself cut
        TAG["adv_hex"].removeprefix(FLAGS),  # no flags
        TAG["adv_hex"].replace(FLAGS, "020104"),
        "02FF99" + "05FF4C000215" + TAG["adv_hex"],  # too short for a company; another company
        "0409525576" + TAG["adv_hex"].removeprefix(FLAGS) + FLAGS,
        TAG["adv_hex"] + "1BFF990406" + "00" * 23,  # the first structure of ours decides
        CASES["df4-official"]["adv_hex"] + TAG["adv_hex"],  # before any URL, wherever it stands
    ],
)
def test_the_order_of_structures_is_free(adv_hex: str) -> None:
    assert_reading(decode(bytes.fromhex(adv_hex)), TAG)


@pytest.mark.parametrize(
    ("adv_hex", "code"),
    [
        ("04FF990405" + TAG["adv_hex"], "bad_length"),  # decides, although a good one follows
        ("04FF99040A" + TAG["adv_hex"], "unknown_format"),
        ("03FF9904" + CASES["df4-official"]["adv_hex"], "bad_length"),
        ("0716AAFE10F60267" + "FF", "malformed_ad"),  # another site, and cut behind it
        ("00" + TAG["adv_hex"], "not_ruuvi"),
        ("FF", "malformed_ad"),
        ("1BFF980405" + TAG["payload_hex"][2:], "not_ruuvi"),  # the next company
    ],
)
def test_what_is_rejected(adv_hex: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(bytes.fromhex(adv_hex))
    assert caught.value.code == code


def url(fragment: bytes, *, head: bytes = b"\xaa\xfe\x10\xf6\x03") -> bytes:
    data = head + b"ruu.vi/#" + fragment
    return bytes([len(data) + 1, 0x16]) + data


@pytest.mark.parametrize(
    ("fragment", "code"),
    [
        (b"BFwaAMjlQQ", "bad_length"),
        (b"", "bad_length"),
        (b"BFwa!", "bad_length"),  # the length comes before the alphabet
        (b"A1wa!MjlQ", "bad_encoding"),  # and the alphabet before the format
        (b"BFwaAMjl=", "bad_encoding"),
        (b"BFwaAMjl\n", "bad_encoding"),
        (b"BFwaAMj\xe5Q", "not_ruuvi"),  # no ASCII, so no URL
    ],
)
def test_urls_that_hold_no_reading(fragment: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(url(fragment))
    assert caught.value.code == code


@pytest.mark.parametrize("head", ["AAFE20F603", "AAFE10F604", "AAFD10F603", "AAFE10F6", ""])
def test_service_data_of_others(head: str) -> None:
    assert find_fragment(bytes.fromhex(head) + b"ruu.vi/#BFwaAMjlQ") is None


def test_another_url_may_stand_before_ours() -> None:
    other = bytes.fromhex("0C16AAFE10F603") + b"x.org/"
    reading = decode(other + url(b"BFwaAMjlQ", head=b"\xaa\xfe\x10\xf6\x00"))
    assert_reading(reading, CASES["df4-official"])


def test_every_field_is_explained() -> None:
    names = {name for known in FORMATS.values() for name in fields(known.reading())}
    assert names - QUANTITIES.keys() == set(), "these have no line in QUANTITIES"
    assert QUANTITIES.keys() - names == set(), "no format has these"


# -- what every format must have: a test that fails says what was forgotten ----------------------


def test_every_format_has_a_vector() -> None:
    decoded = {CASES[name]["fields"]["data_format"] for name in READINGS}
    assert FORMATS.keys() - decoded == set(), "these have no reading in tests/vectors/formats.json"
    assert decoded - FORMATS.keys() == set(), "these have no line in FORMATS"


@pytest.mark.parametrize("known", FORMATS.values(), ids=lambda known: str(known.title))
def test_every_format_knows_itself(known: Format) -> None:
    assert FORMATS[known.number] is known
    assert known.superseded_by is None or known.superseded_by in FORMATS
    make: Any = known.reading
    reading: Measurement = make(data_format=known.number)  # each other field has a default
    assert next(iter(fields(reading))) == "data_format"
    cases = [CASES[n] for n in READINGS if CASES[n]["fields"]["data_format"] == known.number]
    for case in cases:
        found = decode(bytes.fromhex(case["adv_hex"]), keys_of(case))
        assert type(found) is known.reading
        if not known.in_url:
            assert known.has_length_of(bytes.fromhex(case["payload_hex"]))
    payload = known.encode(reading)
    if not known.in_url:
        assert (len(payload), payload[0]) == (known.length, known.number)


def depends_on(known: Format, name: str) -> set[int]:
    """The bits of the payload that a field depends on. Bit 0 is the highest one of byte 0."""
    random, found = Random(known.number), set()
    for _ in range(8):
        payload = bytes([known.number]) + random.randbytes(known.length - 1)
        value = read(known, payload)[name]
        for bit in range(8, 8 * known.length):
            flipped = int.from_bytes(payload) ^ 1 << (8 * known.length - 1 - bit)
            if read(known, flipped.to_bytes(known.length))[name] != value:
                found.add(bit)
    return found


def read(known: Format, payload: bytes) -> dict[str, Any]:
    if known.number == 7:
        payload = payload[:16] + bytes([crc8(payload[:16])]) + payload[17:]
    return dict(fields(known.decode(payload)))


def bits_of(place: slice | None, shift: int = 0) -> set[int]:
    return set(range(8 * place.start, 8 * place.stop - shift)) if place else set()


@pytest.mark.parametrize(
    "known", [k for k in FORMATS.values() if not k.in_url], ids=lambda known: str(known.title)
)
def test_places_are_those_that_the_decoder_reads(known: Format) -> None:
    names = fields(known.reading())
    sequence = known.sequence
    declared = {
        "measurement_sequence": (
            bits_of(slice(sequence.start, sequence.end), sequence.shift) if sequence else set()
        ),
        "mac" if "mac" in names else "mac_suffix": bits_of(known.address),
        "movement_counter": bits_of(known.movements),
    }
    for name, bits in declared.items():
        expected = depends_on(known, name) if name in names else set()
        assert bits == expected, f"{known.title}: where is {name}?"


@pytest.mark.parametrize(
    "known", [k for k in FORMATS.values() if k.sequence], ids=lambda k: str(k.title)
)
def test_numbers_of_the_sequence_are_those_that_the_decoder_reads(known: Format) -> None:
    sequence = known.sequence
    assert sequence
    bits = 8 * (sequence.end - sequence.start) - sequence.shift
    for raw in (0, 1, sequence.length - 1, *range(sequence.length, 1 << bits)):
        payload = bytearray(known.encode(known.reading()))
        placed = (raw << sequence.shift).to_bytes(sequence.end - sequence.start)
        payload[sequence.start : sequence.end] = placed
        expected = raw if raw < sequence.length else None
        assert read(known, bytes(payload))["measurement_sequence"] == expected
        data = bytes(payload)
        payload[sequence.start : sequence.end] = bytes(len(placed))
        zero = bytes(payload)
        both = expected is not None
        assert sequence.numbers(data, zero) == ((expected, 0) if both else None)
        assert sequence.numbers(b"xyz" + zero, b"xyz" + data, 3) == (
            (0, expected) if both else None
        )
        cut = data[: sequence.end - 1]
        assert sequence.numbers(cut, data) is sequence.numbers(data, cut) is None


def test_every_format_has_a_summary() -> None:
    """In the live table, and in the lines of `listen`."""
    for known in FORMATS.values():
        cases = [CASES[n] for n in READINGS if CASES[n]["fields"]["data_format"] == known.number]
        readings = [decode(bytes.fromhex(case["adv_hex"]), keys_of(case)) for case in cases]
        assert any(map(summary, readings)), f"summary.py shows no field of {known.title}"


def test_titles() -> None:
    assert FORMATS[0xC5].title == "C5 (cut RAWv2)"
    assert FORMATS[4].title == "4 (URL)"


LOSSY = {
    "df2-fraction-above-99",  # 112 hundredths come back as one degree and 12
    "df4-standard-base64-alphabet",  # we write the one for URLs
}


@pytest.mark.parametrize("name", [n for n in READINGS if "encode" not in CASES[n]])
def test_encoding_the_formats_that_have_no_vectors_for_it(name: str) -> None:
    """Formats 2, 4, 7, 8 and FA: what was decoded is encoded to the same bytes."""
    case = CASES[name]
    adv = bytes.fromhex(case["adv_hex"])
    reading = decode(adv, keys_of(case))
    if case["format"] in ("2", "4"):
        expected = adv[adv.index(b"#") + 1 :]
    else:
        expected = bytes.fromhex(case["payload_hex"])
    keys = [bytes.fromhex(key) for key in case.get("keys_hex", [])]
    raw = {encode(reading, key) for key in keys} if keys else {encode(reading)}
    assert (expected in raw) is (name not in LOSSY)


def test_format_4_has_whole_degrees_and_format_2_no_identifier() -> None:
    for temperature, sent in ((21.6, 22.0), (-0.4, 0.0), (-200.0, -127.0), (None, 0.0)):
        reading = df2_4.decode(encode(df2_4.FormatUrl(4, temperature, 40.0, 101_325, "x")))
        assert reading == df2_4.FormatUrl(4, sent, 40.0, 101_325, "x")
    reading = df2_4.decode(encode(df2_4.FormatUrl(2, -21.61, 40.0, 101_325, "x")))
    assert reading == df2_4.FormatUrl(2, -21.61, 40.0, 101_325, None)


def test_what_cannot_be_encoded() -> None:
    with pytest.raises(FormatError) as caught:
        encode(Format8())
    assert caught.value.code == "key_required"
    with pytest.raises(FormatError) as caught:
        encode(Format5(data_format=0xFF))  # type: ignore[arg-type]
    assert caught.value.code == "unknown_format"


@pytest.mark.parametrize("name", READINGS)
def test_a_format_that_is_switched_off(name: str) -> None:
    case = CASES[name]
    adv, keys = bytes.fromhex(case["adv_hex"]), keys_of(case)
    number = case["fields"]["data_format"]
    with pytest.raises(FormatError) as caught:
        decode(adv, keys, {number})
    assert caught.value.code == "unknown_format"
    assert decode(adv, keys, FORMATS.keys() - {number})


def test_what_is_switched_off_needs_no_length_and_no_key() -> None:
    for payload in (b"\xfa", b"\xfa" + bytes(22), b"\xf0"):
        with pytest.raises(FormatError) as caught:
            decode_payload(payload, without=(0xF0, 0xFA))
        assert caught.value.code == "unknown_format"


def test_readings_are_immutable_and_forget_nothing() -> None:
    reading = Format5(temperature=21.0)
    with pytest.raises(AttributeError):
        reading.temperature = 22.0  # type: ignore[misc]
    assert reading.humidity is None
    assert decode_payload(encode(reading)) == reading
