"""What a [[coprocessor]] table comes down to."""

from math import inf

import pytest

from ruuvi_host.config.coprocessor import (
    CoprocessorSettings,
    GpioLine,
    ModemLine,
    ResetCommand,
    read_reset,
)
from ruuvi_host.errors import ConfigError


def test_the_defaults_of_keys_and_settings_are_the_same() -> None:
    table = {key.name: key.default for key in CoprocessorSettings.KEYS}
    assert CoprocessorSettings.from_table(table | {"port": "/dev/x"}) == CoprocessorSettings(
        "/dev/x"
    )
    assert CoprocessorSettings.from_table({"port": "/dev/x"}) == CoprocessorSettings("/dev/x")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("dtr", ModemLine("dtr")),
        ("!rts", ModemLine("rts", inverted=True)),
        ("gpio:/dev/gpiochip0:17", GpioLine("/dev/gpiochip0", 17)),
        ("gpio:/dev/gpiochip1:NRF_RESET", GpioLine("/dev/gpiochip1", "NRF_RESET")),
    ],
)
def test_reset_lines(text: str, meant: object) -> None:
    assert read_reset("reset", text) == meant


@pytest.mark.parametrize("text", ["DTR", "gpio:", "gpio:17", "gpio:/dev/gpiochip0:", "cts", "!"])
def test_what_is_no_reset_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^reset: must be dtr, rts, "):
        CoprocessorSettings.from_table({"port": "/dev/x", "reset": text})


def test_a_command() -> None:
    settings = CoprocessorSettings.from_table(
        {"port": "/dev/x", "reset_command": ["a", "b"], "heartbeat": 0.0}
    )
    assert settings.reset == ResetCommand(("a", "b"))
    assert settings.heartbeat == inf
    with pytest.raises(ConfigError, match="not both"):
        CoprocessorSettings.from_table({"port": "/dev/x", "reset_command": ["a"], "reset": "dtr"})


def test_the_light_lasts_until_the_next_probe() -> None:
    assert CoprocessorSettings("x", heartbeat=1.0).led_time_ms == 1500, "as on the ESP32"
    assert CoprocessorSettings("x", heartbeat=3600.0).led_time_ms == 0xFFFF
