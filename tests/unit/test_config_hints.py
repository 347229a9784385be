"""What a configuration that was written by hand is told, so that it need not be looked up."""

import re
from pathlib import Path

import pytest

from ruuvi_host.config.advice import forgotten_switch
from ruuvi_host.config.example import example_toml
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.port_form import why_no_port
from ruuvi_host.config.show import lines
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.syntax_hints import hint_json


def loaded(folder: Path, text: str) -> Loaded:
    path = folder / "ruuvi-host.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(Inputs(path))


def told(folder: Path, text: str) -> list[str]:
    return [str(problem) for problem in loaded(folder, text).problems]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('port = "/dev/x"', "port: unknown key; port belongs to [[coprocessor]], or to [[target]]"),
        ("[log]\nbaud = 9600", "log.baud: unknown key; baud belongs to [[coprocessor]]"),
        ('listen = "x"', "listen: unknown key; listen belongs to [api]"),
        ("[spool]\nmax_sensors = 5", "max_sensors belongs at the top of ruuvi-host.toml"),
        ('[log]\nhttp_url = "x"', "log.http_url: unknown key; http_url belongs to gw_cfg.json or"),
        ("[[coprocessor]]\nport = '/dev/x'\nsync = 'always'", "sync belongs to [spool]"),
        ("[gateway]\nbaud = 5", "baud: unknown key; baud belongs to [[coprocessor]]"),
        ("[gateway]\nhttp_ulr = 'x'", "http_ulr: unknown key; is http_url meant?"),
        ("[log]\nlvel = 'x'", "log.lvel: unknown key; is log.level meant?"),
        ("[[target]]\nkind = 'file'\nname = 'a'\nfolder = 'x'\ntrust_clock = true", "at the top"),
    ],
)
def test_a_key_outside_its_table(tmp_path: Path, text: str, sentence: str) -> None:
    [problem] = told(tmp_path, text)
    assert sentence in problem


@pytest.mark.parametrize("key", ["http_url", "http_stat_url", "mqtt_server"])
def test_a_server_without_its_switch(tmp_path: Path, key: str) -> None:
    switch = {"mqtt_server": "use_mqtt", "http_stat_url": "use_http_stat"}.get(key, "use_http")
    given = f'[gateway]\n{key} = "http://my.server/"\n'
    found = loaded(tmp_path, given)
    assert [str(problem) for problem in found.problems] == [
        f"{key}: nothing is sent there, because {switch} is not set; set {switch} to true"
    ]
    assert forgotten_switch(found.problems)
    found = loaded(tmp_path, f"{given}{switch} = false\n")
    assert not forgotten_switch(found.problems), "it is off on purpose"


def test_the_example_has_the_values_that_count_without_it(tmp_path: Path) -> None:
    shown = {line.key: line.value for line in lines(loaded(tmp_path, "").sources)}
    text = re.sub(r"^# (\[|[a-z_]+ = )", r"\1", example_toml(), flags=re.MULTILINE)
    again = loaded(tmp_path, text)
    assert again.problems == []
    different = {
        line.key: line.value
        for line in lines(again.sources)
        if line.key in shown and line.value != shown[line.key]
    }
    assert different == {}


@pytest.mark.parametrize(
    "port",
    [
        *("/dev/ttyACM0", "/dev/serial/by-id/usb-SEGGER_J-Link_000-if00", "./port", "run/port"),
        *("usb:1915:520f", "usb:1915:520f:A B", "socket://10.0.0.1:3000", "rfc2217://[::1]:1"),
    ],
)
def test_a_port(port: str) -> None:
    assert why_no_port(port) == ""


@pytest.mark.parametrize(
    ("port", "sentence"),
    [
        ("", "is empty"),
        (" /dev/ttyACM0", "has spaces at its ends"),
        ("ttyACM0", "must be a path, as /dev/ttyACM0"),
        ("COM3", "is a port of Windows"),
        ("/dev/ttyUSB0:115200", "port /dev/ttyUSB0, and baud 115200"),
        ("10.0.0.1:3000", "must be socket://10.0.0.1:3000"),
        ("tcp://10.0.0.1:3000", "is written socket://10.0.0.1:3000"),
        ("http://x:1", "begins with socket:// or rfc2217://"),
        ("socket://10.0.0.1", "must be socket://HOST:PORT"),
        ("rfc2217://:99999", "must be rfc2217://HOST:PORT"),
        ("usb:1915", "must be usb:VID:PID or usb:VID:PID:SERIAL"),
    ],
)
def test_what_is_no_port(tmp_path: Path, port: str, sentence: str) -> None:
    assert sentence in why_no_port(port)
    if port:
        [problem] = told(tmp_path, f"[[coprocessor]]\nport = '{port}'\n")
        assert problem.startswith("coprocessor[0].port: ")


@pytest.mark.parametrize("text", ['{"a": true,}', '{"a": [1, 2 , ]}', '{"a": 1,\n}'])
def test_a_comma_too_many_wherever_python_points(text: str) -> None:
    """Python 3.13 and newer points at the comma, older ones at what follows it."""
    comma = text.rindex(",")
    after = comma + 1 + len(text[comma + 1 :]) - len(text[comma + 1 :].lstrip())
    assert hint_json(text, comma) == "the comma is one too many"
    assert hint_json(text, after) == "the comma before it is one too many"


def test_a_comma_that_is_needed() -> None:
    assert hint_json('{"a": 1, 2}', 7) == ""
