"""The keys of what a broker is told beyond a gateway's messages, and what stands in their way."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ruuvi_host.config.edit import with_keys
from ruuvi_host.config.homeassistant import Extras, HomeAssistant
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.config.schema import host_schema
from ruuvi_host.config.sources import Inputs
from ruuvi_host.errors import ConfigError

GATEWAY = {
    "use_http": False,
    "use_http_ruuvi": False,
    "use_http_stat": False,
    "use_mqtt": True,
    "mqtt_server": "broker.lan",
    "mqtt_data_format": "ruuvi_decoded",
}
ON = "[mqtt.homeassistant]\nenabled = true\n"
TABLE = '[[target]]\nname = "site"\nkind = "mqtt"\nserver = "broker.lan"\n'
DECODED = 'data_format = "ruuvi_decoded"\n'


def of_gateway(folder: Path, own: str, **keys: Any) -> Loaded:
    path = folder / "gw_cfg.json"
    path.write_text(json.dumps({**GATEWAY, **keys}), "utf-8")
    (folder / "ruuvi-host.toml").write_text(own, "utf-8")
    return load(Inputs(config=path))


def of_table(folder: Path, lines: str) -> Loaded:
    path = folder / "ruuvi-host.toml"
    path.write_text(TABLE + lines, "utf-8")
    return load(Inputs(config=path))


def extras(loaded: Loaded) -> Extras:
    [target] = loaded.config.targets
    assert isinstance(target, MqttTarget)
    return target.extras


def said(loaded: Loaded) -> list[tuple[str, str]]:
    return [(p.key, p.severity.value) for p in loaded.problems]


def said_of_discovery(loaded: Loaded) -> list[tuple[str, str]]:
    """Without what two at one broker are told in any case."""
    return [(key, severity) for key, severity in said(loaded) if ".homeassistant." in key]


def test_by_default_there_is_nothing(tmp_path: Path) -> None:
    assert extras(of_table(tmp_path, "")) == Extras()
    assert extras(of_gateway(tmp_path, "")) == Extras()


def test_all_of_a_gateways_broker(tmp_path: Path) -> None:
    own = '[mqtt]\ndecode_all = true\nderived = ["iaqs", "dew_point"]\n'
    own += f'{ON}prefix = "my/ha"\nshared = true\n'
    loaded = of_gateway(tmp_path, own)
    assert extras(loaded) == Extras(True, ("dew_point", "iaqs"), HomeAssistant("my/ha", True))
    assert said(loaded) == []


@pytest.mark.parametrize(
    "lines",
    [
        "homeassistant.enabled = true\nhomeassistant.shared = true\ndecode_all = true\n",
        "decode_all = true\n[target.homeassistant]\nenabled = true\nshared = true\n",
    ],
)
def test_all_of_a_table(tmp_path: Path, lines: str) -> None:
    loaded = of_table(tmp_path, DECODED + lines)
    assert extras(loaded) == Extras(True, (), HomeAssistant(shared=True))
    assert said(loaded) == []


# -- what stands in the way -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "key"),
    [
        (ON, "homeassistant.enabled"),
        ("[mqtt]\ndecode_all = true\n", "decode_all"),
        ('[mqtt]\nderived = ["dew_point"]\n', "derived"),
    ],
)
def test_nothing_is_decoded_with_ruuvi_raw(tmp_path: Path, own: str, key: str) -> None:
    """It is off then, and the broker gets its messages all the same."""
    loaded = of_gateway(tmp_path, own, mqtt_data_format="ruuvi_raw")
    assert extras(loaded) == Extras()
    assert said(loaded) == [(f"mqtt.{key}", "fault")]
    [fault] = loaded.config.faults
    assert "mqtt_data_format ruuvi_raw_and_decoded or ruuvi_decoded" in fault
    for data_format in ("ruuvi_decoded", "ruuvi_raw_and_decoded"):
        assert said(of_gateway(tmp_path, own, mqtt_data_format=data_format)) == []


def test_what_can_be_had_stays(tmp_path: Path) -> None:
    own = f'[mqtt]\ndecode_all = true\n{ON}prefix = "a/#"\n'
    loaded = of_gateway(tmp_path, own)
    assert extras(loaded) == Extras(decode_all=True)
    assert said(loaded) == [("mqtt.homeassistant.prefix", "fault")]


def test_without_a_broker_there_is_nobody_to_tell(tmp_path: Path) -> None:
    loaded = of_gateway(tmp_path, ON, use_mqtt=False)
    assert ("mqtt.homeassistant.enabled", "warning") in said(loaded)


def test_it_is_a_table(tmp_path: Path) -> None:
    [problem] = of_gateway(tmp_path, "[mqtt]\nhomeassistant = true\n").problems
    assert str(problem) == "mqtt.homeassistant: must be a table: [mqtt.homeassistant]"


def test_two_that_tell_the_same_home_assistant(tmp_path: Path) -> None:
    one = f"{TABLE}{DECODED}homeassistant.enabled = true\n"
    for lines, count in (("", 1), ("port = 1884\n", 0), ('homeassistant.prefix = "b"\n', 0)):
        loaded = of_table(tmp_path, f"{one}{lines}".removeprefix(TABLE) + one.replace("site", "b"))
        told = said_of_discovery(loaded)
        assert told == [("target.b.homeassistant.enabled", "warning")] * count


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("homeassistant.enabled = true\n", "homeassistant.enabled"),
        ("decode_all = true\n", "decode_all"),
        ('derived = ["dew_point"]\n', "derived"),
        (f'{DECODED}derived = ["dew"]\n', "derived"),
        (f'{DECODED}homeassistant.enabled = true\nhomeassistant.prefix = "/a"\n', "homeassistant."),
        (f"{DECODED}homeassistant.enable = true\n", "homeassistant.enable"),
        (f"{DECODED}homeassistant = true\n", "homeassistant"),
        (
            f'{DECODED}prefix = "home/"\nhomeassistant.enabled = true\n'
            "homeassistant.shared = true\n",
            "homeassistant.shared",
        ),
    ],
)
def test_a_table_is_refused(tmp_path: Path, lines: str, key: str) -> None:
    loaded = of_table(tmp_path, lines)
    [problem] = loaded.problems
    assert problem.key.partition(".")[2].startswith(key)
    assert problem.severity.value == "error"


@pytest.mark.parametrize("prefix", ["", "/ha", "homeassistant/", "a//b", "ha/#", "+", "é" * 129])
def test_a_discovery_prefix_that_is_no_topic(tmp_path: Path, prefix: str) -> None:
    own = f"{ON}prefix = {json.dumps(prefix, ensure_ascii=False)}\n"
    assert said(of_gateway(tmp_path, own)) == [("mqtt.homeassistant.prefix", "fault")]


@pytest.mark.parametrize("prefix", ["home/", "AA:CC:EE:00:11:22", "my-AA:CC:EE:00:11:22/"])
def test_shared_needs_an_address_as_a_level(tmp_path: Path, prefix: str) -> None:
    loaded = of_gateway(tmp_path, f"{ON}shared = true\n", mqtt_prefix=prefix)
    assert ("mqtt.homeassistant.shared", "fault") in said(loaded)
    assert extras(loaded).homeassistant is None


@pytest.mark.parametrize("prefix", ["", "AA:CC:EE:00:11:22/", "a/AA:CC:EE:00:11:22/b"])
def test_shared_with_an_address_as_a_level(tmp_path: Path, prefix: str) -> None:
    loaded = of_gateway(tmp_path, f"{ON}shared = true\n", mqtt_prefix=prefix)
    assert extras(loaded).homeassistant == HomeAssistant(shared=True)


# -- changing them --------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "[mqtt]\nqos = 0\n", "mqtt.qos = 0\n", ON])
def test_keys_in_a_table_of_a_table_are_set(tmp_path: Path, before: str) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(before, "utf-8")
    pairs = [("mqtt.homeassistant.enabled", "true"), ("mqtt.homeassistant.prefix", "ha")]
    texts = with_keys(path, pairs)
    path.write_text(texts[path], "utf-8")
    host = load(Inputs(config=path)).sources.host
    assert (host["mqtt.homeassistant.enabled"], host["mqtt.homeassistant.prefix"]) == (True, "ha")
    assert host["mqtt.qos"] == (0 if "qos" in before else 1)


def test_keys_in_a_table_of_a_target_are_set(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    other = TABLE.replace("site", "other")
    path.write_text(f"{TABLE}{DECODED}\n[target.homeassistant]\nenabled = true\n{other}", "utf-8")
    pairs = [
        ("target.site.homeassistant.prefix", "ha"),
        ("target.other.data_format", "ruuvi_decoded"),
        ("target.other.homeassistant.enabled", "true"),
        *(("target.new.kind", "mqtt"), ("target.new.server", "broker.lan")),
        ("target.new.data_format", "ruuvi_decoded"),
        ("target.new.homeassistant.enabled", "true"),
    ]
    path.write_text(with_keys(path, pairs)[path], "utf-8")
    loaded = load(Inputs(config=path))
    # They are at one broker; that of "site" tells at another place.
    assert said_of_discovery(loaded) == [("target.new.homeassistant.enabled", "warning")]
    told = {t.name: t.extras.homeassistant for t in loaded.config.targets if hasattr(t, "extras")}
    assert told == {"site": HomeAssistant("ha"), "other": HomeAssistant(), "new": HomeAssistant()}


def test_a_wrong_key_of_a_table_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(TABLE, "utf-8")
    for key in ("target.site.homeassistant.enabledd", "target.site.homeassistant"):
        with pytest.raises(ConfigError, match="unknown key"):
            with_keys(path, [(key, "true")])


def test_the_schema_knows_them() -> None:
    on = {"enabled": True, "prefix": "ha", "shared": False}
    table = {"name": "site", "kind": "mqtt", "server": "broker.lan", "homeassistant": on}
    jsonschema.validate({"mqtt": {"homeassistant": on}, "target": [table]}, host_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"mqtt": {"homeassistant": {"on": True}}}, host_schema())
