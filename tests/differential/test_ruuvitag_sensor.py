"""Our decoder against ruuvitag-sensor's, for the formats that it knows: 2, 3, 4, 5, 6 and E1.

Where the two are known to disagree, the disagreement stands in DISAGREEMENTS, with its reason and
an example. Anything else is a failure.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from conftest import load_vectors
from hypothesis import example, given
from hypothesis import strategies as st
from ruuvitag_sensor.data_formats import DataFormats
from ruuvitag_sensor.decoder import get_decoder

from ruuvi_host.formats import FORMATS, FormatError, decode, encode, fields
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, SERVICE_DATA_16
from ruuvi_host.formats.df2_4 import FormatUrl
from ruuvi_host.simulator.kinds import advert

logging.getLogger("ruuvitag_sensor").setLevel(logging.CRITICAL)  # it logs what it cannot decode

THEY_KNOW = (2, 3, 4, 5, 6, 0xE1)
CASES = [
    bytes.fromhex(case["adv_hex"])
    for case in load_vectors("formats.json")["cases"]
    if case["format"] in ("2", "3", "4", "5", "6", "E1", None)
]

# Our name → theirs, and how many of their units make one of ours.
THEIR_NAMES: dict[str, tuple[str, float]] = {
    "temperature": ("temperature", 1),
    "humidity": ("humidity", 1),
    "pressure": ("pressure", 0.01),  # hPa
    "acceleration_x": ("acceleration_x", 1000),  # mg
    "acceleration_y": ("acceleration_y", 1000),
    "acceleration_z": ("acceleration_z", 1000),
    "battery_voltage": ("battery", 1000),  # mV
    "tx_power": ("tx_power", 1),
    "movement_counter": ("movement_counter", 1),
    "measurement_sequence": ("measurement_sequence_number", 1),
    "pm1_0": ("pm_1", 1),
    "pm2_5": ("pm_2_5", 1),
    "pm4_0": ("pm_4", 1),
    "pm10_0": ("pm_10", 1),
    "co2": ("co2", 1),
    "voc_index": ("voc", 1),
    "nox_index": ("nox", 1),
    "luminosity": ("luminosity", 1),
    "calibration_in_progress": ("calibration_in_progress", 1),
    "mac": ("mac", 1),
    "mac_suffix": ("mac", 1),
    "tag_id": ("identifier", 1),
    "data_format": ("data_format", 1),
}
# They round these, half of the last digit at most.
ROUNDED = {(5, "temperature"): 0.005, (5, "humidity"): 0.005, (6, "humidity"): 0.0005}
ROUNDED |= {(0xE1, "humidity"): 0.0005}

READING = "reading"
"""In place of a field: one side has a reading, and the other has none."""


class Difference(NamedTuple):
    """Where the two do not say the same about `adv`. None: not available, or no reading."""

    adv: bytes
    data_format: int
    """Ours, or theirs if we have none."""
    field: str
    ours: Any
    """For a reading that we do not have: the code of the error."""
    theirs: Any


@dataclass(frozen=True)
class Disagreement:
    """One known reason why the two differ."""

    topic: str
    reason: str
    explains: Callable[[Difference], bool]
    adv: str
    """An example."""


def theirs(adv: bytes) -> dict[str, Any] | None:
    """Their reading, under our names, in our units."""
    # They want text: the length of all structures, then the structures.
    number, data = DataFormats.convert_data(f"{len(adv):02X}{adv.hex().upper()}")
    if number is None:
        return None
    reading = get_decoder(number).decode_data(data)
    if reading is None:
        return None
    found = {"data_format": 0xE1 if number == "E1" else reading["data_format"]}
    for name, (their_name, units) in THEIR_NAMES.items():
        if name == "data_format" or their_name not in reading:
            continue
        value = reading[their_name]
        if "mac" in name and value:
            value = bytes.fromhex(value.replace(":", "")).hex(":").upper()
        found[name] = value / units if is_number(value) else value
    return found


def same(data_format: int, name: str, ours: Any, theirs: Any) -> bool:
    if is_number(ours) and is_number(theirs):
        return bool(abs(ours - theirs) <= ROUNDED.get((data_format, name), 0) + 1e-6)
    return bool(ours == theirs)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def differences(adv: bytes) -> list[Difference]:
    """Everything that the two do not say alike."""
    they_say = theirs(adv)
    try:
        reading = decode(adv)
    except FormatError as error:
        if they_say is None:
            return []
        return [Difference(adv, they_say["data_format"], READING, error.code, they_say)]
    we_say, number = fields(reading), reading.data_format
    if they_say is None:
        return [Difference(adv, number, READING, we_say, None)]
    return [
        Difference(adv, number, name, value, they_say.get(name, "no such field"))
        for name, value in we_say.items()
        if not same(number, name, value, they_say.get(name, "no such field"))
    ]


# -- what is known --------------------------------------------------------------------------------


def their_structure(adv: bytes) -> bytes:
    """The structure that they look at: the first of three types. They walk on behind a length of
    0, and give up where a structure is cut."""
    position = 0
    while position < len(adv):
        end = position + 1 + adv[position]
        if end > len(adv):
            return b""
        if adv[position] and adv[position + 1] in (0xFF, 0x16, 0x09):
            return adv[position + 1 : end]
        position = end
    return b""


def our_structure(adv: bytes) -> bytes:
    """The structure that decides for us: section 1 of the specification, once more."""
    structures, position = [], 0
    while position < len(adv) and adv[position]:
        end = position + 1 + adv[position]
        if end > len(adv):
            break
        structures.append(adv[position + 1 : end])
        position = end
    urls = [s for s in structures if s[:4] == b"\x16\xaa\xfe\x10" and s[5:6] in b"\0\1\2\3"]
    ours = [s for s in structures if s[:3] == b"\xff\x99\x04"]
    ours += [s for s in urls if s[6:].startswith(b"ruu.vi/#") and s[6:].isascii()]
    return ours[0] if ours else b""


def is_url(difference: Difference) -> bool:
    return their_structure(difference.adv)[:3] == b"\x16\xaa\xfe"


def lacks_an_axis(adv: bytes) -> bool:
    reading = fields(decode(adv))
    return None in [reading[f"acceleration_{axis}"] for axis in "xyz"]


def is_missing(value: object, code: object) -> Callable[[Difference], bool]:
    return lambda d: (d.ours, d.theirs) == (value, code)


TAG = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
AIR = "020106030398FC17FF990406170C5668C79E007000C90501D9FFCD004C884F"

DISAGREEMENTS = [
    Disagreement(
        "formats that it does not have",
        "It knows nothing of C5, E0, F0, 7, 8 and FA.",
        lambda d: d.theirs is None and d.data_format not in THEY_KNOW,
        "0201060302 98FC 15FF9904C5 12FC5394C37CAC364200CDCBB8334C884F".replace(" ", ""),
    ),
    Disagreement(
        "movement counter that is not available",
        "It passes 255 through; the documentation calls it not available.",
        lambda d: d.field == "movement_counter" and is_missing(None, 255)(d),
        TAG[:44] + "FF" + TAG[46:],
    ),
    Disagreement(
        "sequence number that is not available",
        "It passes 65535 of format 5 through; the documentation calls it not available.",
        lambda d: d.field == "measurement_sequence" and is_missing(None, 65535)(d),
        TAG[:46] + "FFFF" + TAG[50:],
    ),
    Disagreement(
        "one axis that is missing",
        "It drops all three; only the one with the code is missing.",
        lambda d: d.field.startswith("acceleration_") and d.theirs is None and lacks_an_axis(d.adv),
        TAG[:28] + "8000" + TAG[32:],
    ),
    Disagreement(
        "address that is not available",
        "It prints all FF as an address; the documentation calls it not available.",
        lambda d: (
            d.field in ("mac", "mac_suffix") and d.ours is None and set(d.theirs) <= set("F:")
        ),
        TAG[:50] + "FF" * 6,
    ),
    Disagreement(
        "fields of an Air that it does not have",
        "The documentation calls sound, button and clock reserved; the C library decodes them.",
        lambda d: (
            d.theirs == "no such field"
            and d.field.startswith(("sound_", "button_", "rtc_"))
            and d.data_format in (6, 0xE1)
        ),
        AIR,
    ),
    Disagreement(
        "format 2 or 4",
        "It goes by the number of characters, we by the first byte; so it has an identifier "
        "for format 2, too.",
        lambda d: is_url(d) and d.field in ("data_format", "tag_id"),
        "0201060303AAFE1616AAFE10F6037275752E76692F234244774141414141".replace(
            "4244774141414141", b"BDwVAMjl".hex().upper()
        ),
    ),
    Disagreement(
        "URLs that it does not check",
        "It takes whatever follows ruu.vi/# in all bytes below 128 of the data, skips what is "
        "not base64, and looks at neither frame, scheme, length nor format byte.",
        lambda d: is_url(d) and d.field == READING and isinstance(d.ours, str),
        "0201060303AAFE1716AAFE10F6057275752E76692F2342467761414D6A6C51",  # another scheme
    ),
    Disagreement(
        "which structure decides",
        "It takes the first of type 0xFF, 0x16 or 0x09, whatever it holds and also behind a "
        "length of 0; we take the first of Ruuvi before any length of 0.",
        lambda d: their_structure(d.adv) != our_structure(d.adv),
        "05FF4C000215" + TAG,
    ),
    Disagreement(
        "bytes behind the payload",
        "It ignores them, as other peers do; the gateway rejects the data, and so do we, but in "
        "format 3.",
        lambda d: d.ours == "bad_length" and d.theirs is not None and not is_url(d),
        "0201061CFF" + TAG[10:] + "00",
    ),
]


def known(difference: Difference) -> list[Disagreement]:
    return [d for d in DISAGREEMENTS if d.explains(difference)]


@pytest.mark.parametrize("disagreement", DISAGREEMENTS, ids=lambda d: str(d.topic))
def test_a_known_disagreement_is_still_there(disagreement: Disagreement) -> None:
    """And nothing but it is in its example, so none of them covers up for another."""
    found = differences(bytes.fromhex(disagreement.adv))
    assert found
    for difference in found:
        assert disagreement in known(difference), difference
    assert disagreement.reason.endswith(".")


def assert_explained(adv: bytes) -> None:
    for difference in differences(adv):
        assert known(difference), difference


# -- what is compared -----------------------------------------------------------------------------


def test_every_known_advertisement() -> None:
    for adv in CASES:
        assert_explained(adv)


LENGTHS = {3: 14, 5: 24, 6: 20, 0xE1: 40}
payloads = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda number: st.binary(min_size=LENGTHS[number] - 1, max_size=LENGTHS[number] - 1).map(
        lambda rest: bytes([number]) + rest
    )
)


def structure(type_: int, data: bytes) -> bytes:
    return bytes((len(data) + 1, type_)) + data


@given(payloads)
@example(b"\x05" + b"\xff" * 23)
@example(b"\x06" + b"\xff" * 19)
@example(b"\xe1" + b"\xff" * 39)
@example(b"\x03" + b"\x80" * 13)
def test_every_payload(payload: bytes) -> None:
    """No structure of the advertising data plays a part here, so only fields may differ."""
    adv = b"\x02\x01\x06" + structure(MANUFACTURER_SPECIFIC, b"\x99\x04" + payload)
    assert READING not in [difference.field for difference in differences(adv)]
    assert_explained(adv)


@given(st.sampled_from(sorted(set(THEY_KNOW) - {2, 4})), st.data())
def test_what_our_encoders_make(number: int, data: st.DataObject) -> None:
    """Readings with any values, in the layouts of the real senders."""
    reading: Any = FORMATS[number].reading
    numbers = st.none() | st.floats(-200, 130_000, allow_nan=False)
    values: dict[str, Any] = {"measurement_sequence": data.draw(st.integers(0, 0xFFFFFF))}
    for name in reading._fields:
        values.setdefault(name, data.draw(numbers))
    for name in ("calibration_in_progress", "button_pressed", "rtc_running_on_boot"):
        values[name] = data.draw(st.booleans())
    values["mac"] = data.draw(st.none() | st.just("CB:B8:33:4C:88:4F"))
    values["mac_suffix"] = values["mac"] and values["mac"][-8:]
    adv = advert(number, values).data
    assert READING not in [difference.field for difference in differences(adv)]
    assert_explained(adv)


@given(st.binary(min_size=6, max_size=6), st.sampled_from([None, *"AZaz09-_"]))
def test_every_url(raw: bytes, tag_id: str | None) -> None:
    for number in (2, 4):
        text = urlsafe_b64encode(bytes([number]) + raw[1:]) + (tag_id or "").encode()
        adv = structure(SERVICE_DATA_16, b"\xaa\xfe\x10\xf6\x03ruu.vi/#" + text)
        assert READING not in [difference.field for difference in differences(adv)]
        assert_explained(adv)


def test_urls_of_our_encoder_are_read_alike() -> None:
    for number, tag_id in ((2, None), (4, "x")):
        reading = FormatUrl(number, -7.0, 45.5, 98_765, tag_id)  # type: ignore[arg-type]
        adv = structure(SERVICE_DATA_16, b"\xaa\xfe\x10\xf6\x03ruu.vi/#" + encode(reading))
        assert differences(adv) == []


structures = st.builds(
    structure,
    st.sampled_from([0x01, 0x03, 0x09, 0x16, 0xFF, 0xFF, 0xFF]),
    st.one_of(
        st.binary(max_size=30),
        payloads.map(lambda payload: b"\x99\x04" + payload),
        st.builds(lambda payload, more: b"\x99\x04" + payload + more, payloads, st.binary()),
        st.binary(max_size=12).map(lambda text: b"\xaa\xfe\x10\0\3ruu.vi/#" + text),
    ).map(lambda data: data[:100]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Known advertising data and made-up structures, with some bytes exchanged, put in or cut."""
    adv = bytearray(draw(st.sampled_from(CASES) | st.lists(structures, max_size=3).map(b"".join)))
    for _ in range(draw(st.integers(0, 3))):
        if adv:
            position = draw(st.integers(0, len(adv) - 1))
            adv[position] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        position = draw(st.integers(0, len(adv)))
        adv[position:position] = draw(st.binary(max_size=3))
    if draw(st.booleans()):
        del adv[draw(st.integers(0, len(adv))) :]
    return bytes(adv[:255])  # their length has one byte


@given(damaged())
def test_damaged_advertising_data(adv: bytes) -> None:
    assert_explained(adv)
