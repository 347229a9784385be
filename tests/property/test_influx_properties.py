"""Whatever a sensor sends, and whatever people call it: lines that a strict reader reads back."""

from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st
from influx_world import ADDRESS, GATEWAY, heard, target
from line_protocol import points

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.influxdb import SCHEMAS
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.influxdb.points import PointWriter
from ruuvi_host.relay.influxdb.schemas import NAMES

CASES = [bytes.fromhex(case["adv_hex"]) for case in load_vectors("formats.json")["cases"]]
LENGTHS = {3: 14, 5: 24, 6: 20, 0xE1: 40}

damaged = st.builds(
    lambda data, at, value: data[: at % len(data)] + bytes([value]) + data[at % len(data) + 1 :],
    st.sampled_from([case for case in CASES if case]),
    st.integers(0, 60),
    st.integers(0, 255),
)
any_payload = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda number: st.binary(min_size=LENGTHS[number] - 1, max_size=LENGTHS[number] - 1).map(
        lambda rest: bytes([LENGTHS[number] + 3, 0xFF, 0x99, 0x04, number]) + rest
    )
)
text = st.text(min_size=1, max_size=20)
printable = st.text(min_size=1, max_size=10).filter(
    lambda t: t.isprintable() and t[0] not in "_#" and not {"=", "\\"} & {*t}
)


@given(
    st.sampled_from(CASES) | damaged | any_payload | st.binary(max_size=60),
    st.sampled_from(SCHEMAS),
    text,
    printable,
    printable,
    st.integers(-1, 2**35),
    st.integers(-128, 127),
)
def test_lines_are_read_back(
    data: bytes, schema: str, name: str, tag: str, measurement: str, time: int, rssi: int
) -> None:
    more = {"derived": list(DERIVED)} if schema == "ruuvi" else {}
    to = target(schema=schema, tags=[f"x{tag}={tag}"], measurement=measurement, **more)
    known = Readings([SensorSettings(ADDRESS, name, temperature_offset=0.5)])
    line = PointWriter(to).line(known, heard(data, time, rssi=rssi), GATEWAY.addr)
    if line is None:
        return
    [point] = points(line)
    assert point.time == time
    names = NAMES[to.points.schema]
    whole = {names.fields[each] for each in names.whole}
    for field, value in point.fields.items():
        if isinstance(value, str):
            assert field == "iaqs_grade"
        elif not isinstance(value, bool):
            assert type(value) is (int if field in whole else float), field


def test_a_field_has_one_type_in_all_that_sensors_send() -> None:
    """A field that changes its type is refused by databases, for ever."""
    for schema in SCHEMAS:
        more = {"derived": list(DERIVED)} if schema == "ruuvi" else {}
        writer = PointWriter(target(schema=schema, **more))
        types: dict[str, type] = {}
        for data in CASES:
            if line := writer.line(Readings(), heard(data), GATEWAY.addr):
                for field, value in points(line)[0].fields.items():
                    assert types.setdefault(field, type(value)) is type(value), field
        assert len(types) > 10
