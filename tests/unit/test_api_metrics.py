"""GET /metrics: the gateway's lines, all counters, links and targets, readings."""

import re
from dataclasses import replace
from typing import Any

import pytest
from conftest import load_vectors
from prometheus_client.parser import text_string_to_metric_families
from test_status_page import LINK, OVERVIEW, SESSION

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.door import Identity
from ruuvi_host.api.exposition import Family, labelled
from ruuvi_host.api.host_metrics import PARTS, all_meanings, host_families
from ruuvi_host.api.metrics import CheckSums, gateway_lines
from ruuvi_host.api.reading_metrics import add_readings
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.formats.measurement import QUANTITIES
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.monitoring.counters import LEVELS, IntakeCounters, LinkCounters, flat
from ruuvi_host.monitoring.link_status import LineDamage, LinkState
from ruuvi_host.monitoring.overview import Overview
from ruuvi_host.monitoring.sensor_status import SensorStatus

DEVICE = DeviceId(bytes(8), bytes.fromhex("AABBCCDDEEFF"))
IDENTITY = Identity(DEVICE, "v1.17.3", "v1.0.0")
METRICS = {
    case["name"]: case
    for case in load_vectors("local_api.json")["cases"]
    if case["name"].startswith("metrics_")
}
FIRST = re.compile(r'\{capability="MALLOC_CAP_(?!INTERNAL|DEFAULT)')
"""Of the lines that mean nothing on Linux."""


def parsed(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, values of its labels) → value, as Prometheus' parser has it."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def own(overview: Overview = OVERVIEW, now: float = 1000.0) -> str:
    return "".join(map(str, host_families(overview, all_meanings(), now)))


# -- the gateway's lines --------------------------------------------------------------------------


@pytest.mark.parametrize("case", METRICS.values(), ids=METRICS)
def test_the_gateways_lines(case: dict[str, Any]) -> None:
    state = case["state"]
    given = {"adv": 0, "ext": 0, "coded": 0, "self": 0, "hw": 0, "ack": 0}
    given |= state.get("counters", {})
    session = replace(SESSION, reboots=given["self"], lost_acks=given["ack"])
    link = replace(LINK, counters=LinkCounters(resets=given["hw"], session=session))
    overview = replace(
        OVERVIEW,
        uptime=state["uptime_us"] / 1e6,
        links=[link],
        intake=IntakeCounters(legacy=given["adv"], extended_2m=given["ext"], coded=given["coded"]),
    )
    expected = [
        re.sub(r"(_bytes\{.*\}) \d+", r"\1 123456789012", line)
        for line in case["response"]["body"].splitlines(keepends=True)
        if not FIRST.search(line)
    ]
    sums = CheckSums(*(int(line.split()[1]) for line in expected[-2:]))
    made = list(gateway_lines(overview, IDENTITY, 123456789012, sums))
    assert made == expected
    assert len(made) == 14


def test_labels_are_escaped() -> None:
    hostile = Identity(DEVICE, 'v1"} 1\n\\', "v1.0.0")
    text = "".join(gateway_lines(OVERVIEW, hostile, 1, CheckSums(1, 2)))
    assert parsed(text)["ruuvigw_info", ("AA:BB:CC:DD:EE:FF", 'v1"} 1\n\\', "v1.0.0")] == 1
    assert len(text.splitlines()) == 14


# -- our own --------------------------------------------------------------------------------------


def test_every_counter_is_in_it() -> None:
    found = parsed(own())
    known = {
        (LinkCounters, ("/dev/ttyACM0",)): LINK.counters,
        (IntakeCounters, ()): OVERVIEW.intake,
        (type(OVERVIEW.targets[0][1]), ("custom",)): OVERVIEW.targets[0][1],
        (type(OVERVIEW.statistics), ()): OVERVIEW.statistics,
    }
    assert {kind for kind, _ in known} == set(PARTS)
    for (kind, labels), counters in known.items():
        for name, count in flat(counters).items():
            ending = "" if name in LEVELS else "_total"
            metric = f"ruuvi_host_{PARTS[kind]}_{name}{ending}"
            assert found.get((metric, labels)) == count, "what is not known is left out"
    assert found["ruuvi_host_target_waiting_batches", ("custom",)] == 72


def test_levels_are_what_the_counters_say() -> None:
    told = {
        name
        for meant in all_meanings().values()
        for name, meaning in meant.items()
        if "A level, not a counter" in meaning
    }
    assert told == LEVELS


def test_each_has_its_help_and_type_once() -> None:
    families = list(host_families(OVERVIEW, all_meanings(), 1000.0))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert family.name.startswith("ruuvi_host_")
        assert family.name.endswith("_total") is (family.kind == "counter")
        lines = str(family).splitlines()
        assert lines[0].startswith(f"# HELP {family.name} ")
        assert lines[0][-1] not in " \\"
        assert lines[1] == f"# TYPE {family.name} {family.kind}"
        assert all(line.startswith(family.name) for line in lines[2:])


def test_links_targets_and_health() -> None:
    damage = LineDamage(1000, 10, 3, 9.0, 999.0, True, "telnet", False, "so it is", "do this")
    second = replace(
        LINK, name='socket://h:1/"', state=LinkState.CLOSED, reported=None, damage=damage
    )
    found = parsed(own(replace(OVERVIEW, links=[LINK, second])))
    first, other = "/dev/ttyACM0", 'socket://h:1/"'
    assert found["ruuvi_host_coprocessor_state", (first, "ready")] == 1
    assert found["ruuvi_host_coprocessor_state", (other, "ready")] == 0
    assert found["ruuvi_host_coprocessor_state", (other, "closed")] == 1
    assert found["ruuvi_host_coprocessor_line_damaged", (first,)] == 0
    assert found["ruuvi_host_coprocessor_line_damaged", (other,)] == 1
    assert found["ruuvi_host_coprocessor_report_age_seconds", (first,)] == 0.3
    assert ("ruuvi_host_coprocessor_report_age_seconds", (other,)) not in found
    assert found["ruuvi_host_health", ()] == 1
    assert found["ruuvi_host_target_accepting", ("custom",)] == 0
    assert (
        parsed(own(replace(OVERVIEW, problems={"custom": ""})))[
            "ruuvi_host_target_accepting", ("custom",)
        ]
        == 1
    )
    assert found["ruuvi_host_uptime_seconds", ()] == OVERVIEW.uptime
    assert found["ruuvi_host_unaccounted", ("reports",)] == 0


def test_sensors_that_are_silent_or_have_a_low_battery() -> None:
    sensors = [
        SensorStatus("A", "Sauna", 990.0, False, 2.4, True),
        SensorStatus("B", "", None, silent=True),
    ]
    found = parsed(own(replace(OVERVIEW, known_sensors=sensors)))
    told = {key: value for key, value in found.items() if "known_sensor" in key[0]}
    assert told == {
        ("ruuvi_host_known_sensor_silent", ("A", "Sauna")): 0,
        ("ruuvi_host_known_sensor_silent", ("B", "")): 1,
        ("ruuvi_host_known_sensor_low_battery", ("A", "Sauna")): 1,
        ("ruuvi_host_known_sensor_low_battery", ("B", "")): 0,
        ("ruuvi_host_known_sensor_report_age_seconds", ("A", "Sauna")): 10,
    }


def test_without_the_source_the_names_have_to_do() -> None:
    families = list(host_families(OVERVIEW, {kind: {} for kind in PARTS}, 1000.0))
    meant = {family.name: family.meaning for family in families}
    assert meant["ruuvi_host_intake_too_long_total"] == "too long"


# -- numbers and texts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2**53 - 1, "9007199254740991"), (24.3, "24.3"), (-0.004, "-0.004"), (True, "1")],
)
def test_numbers(value: float, text: str) -> None:
    family = Family("n", "gauge", "A \\ and\na line")
    family.add(value, labelled({"a": 'x"\\\n'}))
    assert str(family) == (
        '# HELP n A \\\\ and\\na line\n# TYPE n gauge\nn{a="x\\"\\\\\\n"} ' + f"{text}\n"
    )
    assert parsed(str(family)) == {("n", ('x"\\\n',)): value}


# -- readings -------------------------------------------------------------------------------------


def heard(
    data: str, *, address: int = 1, rssi: int = -70, received: float = 990.0
) -> Advertisement:
    content = bytes.fromhex(data)
    return Advertisement(address.to_bytes(6, "big"), content, rssi, 1, 15, 37, None, received, 5)


def test_readings() -> None:
    cases = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
    families: dict[str, Family] = {}
    advertisements = [
        heard(cases["df5-official-valid"]["adv_hex"]),
        heard(cases["dfe1-with-sound"]["adv_hex"], address=2, rssi=127),
        heard("0201", address=3),
    ]
    sauna = SensorSettings(bytes(5) + b"\1", 'Sau"na\n', temperature_offset=-0.3)
    add_readings(families, advertisements, Readings([sauna]), 1000.0)
    found = parsed("".join(map(str, families.values())))
    two, three = (("00:00:00:00:00:0" + n, "") for n in "23")
    one = "00:00:00:00:00:01", 'Sau"na\n'
    assert found["ruuvi_host_sensor_temperature_celsius", one] == 24.0
    assert found["ruuvi_host_sensor_humidity", one] == 53.49
    assert found["ruuvi_host_sensor_battery_voltage_volts", one] == 2.977
    assert found["ruuvi_host_sensor_rssi_dbm", one] == -70
    assert found["ruuvi_host_sensor_movements", one] == 66
    assert found["ruuvi_host_sensor_age_seconds", one] == 10
    assert found["ruuvi_host_sensor_co2_ppm", two] == 2180
    assert found["ruuvi_host_sensor_pm2_5", two] == 4.6
    assert found["ruuvi_host_sensor_button_pressed", two] == 0
    assert ("ruuvi_host_sensor_rssi_dbm", two) not in found
    assert [name for name, labels in found if labels == three] == [
        "ruuvi_host_sensor_rssi_dbm",
        "ruuvi_host_sensor_age_seconds",
    ]
    help_line = str(families["pm2_5"]).splitlines()[0]
    assert help_line.endswith(" Particles up to 2.5 µm, in µg/m³")


def test_what_is_not_available_is_no_sample() -> None:
    cases = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
    families: dict[str, Family] = {}
    invalid = heard(cases["df5-official-invalid"]["adv_hex"])
    add_readings(families, [invalid], Readings(), 1000.0)
    assert families.keys() == {"rssi", "age_seconds", "data_format"}
    assert set(families) - {"rssi", "age_seconds"} <= set(QUANTITIES)
