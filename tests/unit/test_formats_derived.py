"""Derived values: the known ones, their limits, and that nothing is made of nothing."""

from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.formats.derived import QUANTITIES, battery_low, derive, iaqs, iaqs_grade


@pytest.mark.parametrize(
    "case", load_vectors("formats.json")["derived_cases"], ids=lambda case: str(case["name"])
)
def test_known_values(case: dict[str, Any]) -> None:
    derived = derive(case["inputs"])
    assert derived.keys() == case["derived"].keys() == QUANTITIES.keys()
    for name, expected in case["derived"].items():
        if isinstance(expected, float):
            assert derived[name] == pytest.approx(expected, rel=1e-6, abs=1e-6), name
        else:
            assert derived[name] == expected, name


def test_nothing_from_nothing() -> None:
    assert set(derive({}).values()) == {None}
    assert list(derive({})) == list(QUANTITIES)


@pytest.mark.parametrize("missing", ["acceleration_x", "acceleration_y", "acceleration_z"])
def test_one_missing_axis_leaves_no_total(missing: str) -> None:
    axes = {"acceleration_x": 0.1, "acceleration_y": 0.2, "acceleration_z": 1.0, missing: None}
    assert derive(axes)["acceleration_total"] is None


def test_an_axis_alone_is_the_total() -> None:
    derived = derive({"acceleration_x": -32.767, "acceleration_y": 0.0, "acceleration_z": 0.0})
    assert derived["acceleration_total"] == 32.767
    assert derived["acceleration_angle_x"] == 180.0
    assert derived["acceleration_angle_y"] == 90.0


def test_saturated_air_dews_at_its_temperature() -> None:
    for temperature in (-40.0, -0.005, 0.0, 25.0, 85.0):
        derived = derive({"temperature": temperature, "humidity": 100.0})
        assert derived["dew_point"] == pytest.approx(temperature, abs=1e-9)
        assert derived["vapor_pressure_deficit"] == 0.0
        assert derived["vapor_pressure"] == derived["equilibrium_vapor_pressure"]


@pytest.mark.parametrize(
    ("temperature", "limit"),
    [(-20.01, 2.0), (-20.0, 2.3), (-0.01, 2.3), (0.0, 2.5), (30.0, 2.5), (None, 2.5)],
)
def test_a_cold_battery_may_show_less(temperature: float | None, limit: float) -> None:
    assert battery_low(limit - 0.001, temperature)
    assert not battery_low(limit, temperature)


def test_the_air_quality_score() -> None:
    assert iaqs(0, 420) == iaqs(-1, 0) == 100
    assert iaqs(60, 420) == iaqs(0, 2300) == iaqs(60, 2300) == iaqs(1e9, 1e9) == 0
    assert iaqs(30, 420) == iaqs(0, 1360) == 50


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (100, "excellent"),
        (89.5, "excellent"),
        (89.49, "good"),
        (79.5, "good"),
        (79.49, "fair"),
        (49.5, "fair"),
        (49.49, "poor"),
        (9.5, "poor"),
        (9.49, "very_poor"),
        (0, "very_poor"),
    ],
)
def test_grades(score: float, grade: str) -> None:
    assert iaqs_grade(score) == grade


def test_a_humidity_above_saturation_gives_nothing() -> None:
    inputs = {"temperature": 20.0, "pressure": 101_325, "humidity": 100.01}
    derived = derive(inputs)
    assert [name for name, value in derived.items() if value is not None] == [
        "equilibrium_vapor_pressure"
    ]
    assert derive(inputs | {"humidity": 100.0})["dew_point"] is not None
