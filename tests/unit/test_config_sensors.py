"""[sensors."AA:BB:CC:DD:EE:FF"]: from a file, and key by key from --set and `config set`."""

import json
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
from editing import set_keys

from ruuvi_host.cli.configuration import key_and_value
from ruuvi_host.config.bounds import too_much_toml
from ruuvi_host.config.edit import LINEAR_TOMLKIT
from ruuvi_host.config.example import example_toml, reference
from ruuvi_host.config.files import parse_toml
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.schema import host_schema
from ruuvi_host.config.sensors import MAX_NAME, MAX_SENSORS, SensorSettings
from ruuvi_host.config.show import lines
from ruuvi_host.config.sources import Inputs
from ruuvi_host.errors import ConfigError

TABLE = '[sensors."CB:B8:33:4C:88:4F"]\n'
ADDRESS = bytes.fromhex("CBB8334C884F")
KEY = "00112233445566778899AABBCCDDEEFF"
ALL = TABLE + (
    f'name = "Sauna"\ntemperature_offset = -0.5\nhumidity_offset = 3\npressure_offset = 120.0\n'
    f'silent_minutes = 5\nbattery_volts = 2.7\nkey = "{KEY}"\n'
)


def loaded(text: str | None, folder: Path, *pairs: str) -> Loaded:
    path = folder / "ruuvi-host.toml"
    if text is not None:
        path.write_text(text)
        path.chmod(0o600)
    overrides = tuple((*key_and_value(pair), "--set") for pair in pairs)
    return load(Inputs(path if text is not None else None, overrides=overrides))


def told(loaded: Loaded) -> list[str]:
    assert all(p.severity is Severity.ERROR for p in loaded.problems)
    return [str(problem) for problem in loaded.problems]


def test_the_defaults_of_keys_and_settings_are_the_same() -> None:
    defaults = {key.name: key.default for key in SensorSettings.KEYS}
    address = "CB:B8:33:4C:88:4F"
    assert SensorSettings.from_table(address, defaults) == SensorSettings(ADDRESS)
    assert SensorSettings.from_table(address, {}) == SensorSettings(ADDRESS)


def test_all_keys_of_a_file(tmp_path: Path) -> None:
    found = loaded(ALL, tmp_path)
    assert told(found) == []
    assert found.config.sensors == (
        SensorSettings(
            *(ADDRESS, "Sauna", -0.5, 3.0, 120.0, 300.0, 2.7),
            key=bytes.fromhex(KEY),
        ),
    )
    assert KEY not in repr(found.config).upper()


def test_a_table_without_keys_is_one_that_is_watched(tmp_path: Path) -> None:
    found = loaded(TABLE.lower().replace("[sensors", "[sensors"), tmp_path)
    assert told(found) == []
    assert found.config.sensors == (SensorSettings(ADDRESS),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sensors = 5", 'sensors: must be tables: [sensors."AA:BB:CC:DD:EE:FF"]'),
        ("[[sensors]]\nname = 'x'", 'sensors: must be tables: [sensors."AA:BB:CC:DD:EE:FF"]'),
        ("[sensors]\nname = 'x'", 'sensors.name: must be tables: [sensors."AA:BB:CC:DD:EE:FF"]'),
        ("[sensors.Sauna]", "sensors.Sauna: is no address as AA:BB:CC:DD:EE:FF"),
        ('[sensors."CB:B8:33:4C:88"]', "sensors.CB:B8:33:4C:88: is no address"),
        ('[sensors."CB:B8:33:4C:88:4F\\n"]', "is no address"),
        (
            TABLE.replace("sensors", "sensor") + "name = 'x'",
            "sensor.CB:B8:33:4C:88:4F.name: unknown key; is sensors meant?",
        ),
        (TABLE + "nam = 'x'", "sensors.CB:B8:33:4C:88:4F.nam: unknown key; is name meant?"),
        (TABLE + "name = 7", "sensors.CB:B8:33:4C:88:4F.name = 7: must be a text"),
        (TABLE + f"name = '{'x' * (MAX_NAME + 1)}'", ".name: must have at most 60 characters"),
        (TABLE + 'name = "a\\nb"', ".name: must not have line ends or control characters"),
        (TABLE + 'name = "\\u202e"', ".name: must not have line ends or control characters"),
        (TABLE + "temperature_offset = 101", "must be at most 100"),
        (TABLE + "temperature_offset = nan", "must be at least -100"),
        (TABLE + "humidity_offset = -100.5", "must be at least -100"),
        (TABLE + "pressure_offset = '1'", "must be a number"),
        (TABLE + "silent_minutes = -1", "must be at least 0"),
        (TABLE + "silent_minutes = '5'", "must be a number"),
        (TABLE + "battery_volts = 21", "must be at most 20"),
        (TABLE + TABLE.lower() + "name = 'x'", "sensors.cb:b8:33:4c:88:4f: there is another table"),
        (
            "\n".join(f'[sensors."00:00:00:00:{n >> 8:02X}:{n & 255:02X}"]' for n in range(301)),
            f"sensors: there may be {MAX_SENSORS} of them",
        ),
    ],
)
def test_what_cannot_be_used_is_told_once(tmp_path: Path, text: str, sentence: str) -> None:
    [problem] = told(loaded(text, tmp_path))
    assert sentence in problem


@pytest.mark.parametrize("key", ["xyz", KEY[:-1], KEY + "00", KEY[:-1] + "g", f" {KEY}"])
def test_a_key_that_cannot_be_one_is_not_repeated(tmp_path: Path, key: str) -> None:
    [problem] = told(loaded(f'{TABLE}key = "{key}"', tmp_path))
    assert problem == "sensors.CB:B8:33:4C:88:4F.key: must be 32 hexadecimal digits"
    [problem] = told(loaded(f"{TABLE}key = {len(key)}", tmp_path))
    assert problem == "sensors.CB:B8:33:4C:88:4F.key: must be a text"


@pytest.mark.parametrize(
    ("keys", "passes"),
    [
        ("", True),
        ("scan_filter_list = ['CB:B8:33:4C:88:4F']\nscan_filter_allow_listed = true", True),
        ("scan_filter_list = ['CB:B8:33:4C:88:4F']", False),
        ("scan_filter_list = ['00:00:00:00:00:01']\nscan_filter_allow_listed = true", False),
        ("scan_filter_list = ['00:00:00:00:00:01']", True),
    ],
)
def test_one_that_cannot_be_heard_is_told_of(tmp_path: Path, keys: str, passes: bool) -> None:
    found = loaded(f"{TABLE}[gateway]\n{keys}\n", tmp_path)
    if passes:
        assert found.problems == []
    else:
        [problem] = found.problems
        assert problem.severity is Severity.WARNING
        assert str(problem).startswith(
            "sensors.CB:B8:33:4C:88:4F: does not pass scan_filter_list, so it will be told as silen"
        )
        assert problem.source == str(tmp_path / "ruuvi-host.toml")
    unwatched = loaded(f"{TABLE}silent_minutes = 0\n[gateway]\n{keys}\n", tmp_path)
    assert unwatched.problems == []


def test_others_who_can_read_a_key_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    for key, count in ((f'key = "{KEY}"', 1), ('name = "Sauna"', 0)):
        path.write_text(TABLE + key)
        path.chmod(0o644)
        assert len(load(Inputs(path)).problems) == count


# -- key by key -----------------------------------------------------------------------------------


def test_set_on_top_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{KEY}\n")
    pairs = (
        "sensors.cb:b8:33:4c:88:4f.name=Kitchen",
        f"sensors.CB:B8:33:4C:88:4F.key=@{tmp_path}/secret",
        'sensors."00:00:00:00:00:01".silent_minutes=0',
    )
    found = loaded(ALL, tmp_path, *pairs)
    assert told(found) == []
    kitchen, other = found.config.sensors
    assert (kitchen.name, kitchen.temperature_offset) == ("Kitchen", -0.5)
    assert kitchen.key == bytes.fromhex(KEY)
    assert other == SensorSettings(bytes.fromhex("000000000001"), silent_after=0.0)


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("sensors.Sauna.name=x", "sensors.Sauna: is no address as AA:BB:CC:DD:EE:FF"),
        ("sensors.name=x", "sensors.name: must be sensors.AA:BB:CC:DD:EE:FF.KEY"),
        ("sensor.00:00:00:00:00:01.name=x", "unknown key; is sensors meant?"),
        ("sensors=x", "sensors: must be sensors.AA:BB:CC:DD:EE:FF.KEY"),
        ("sensors.00:00:00:00:00:01=x", "must be sensors.AA:BB:CC:DD:EE:FF.KEY"),
        ("sensors.00:00:00:00:00:01.nam=x", "sensors.00:00:00:00:00:01.nam: unknown key; is name"),
        ("sensors.00:00:00:00:00:01.silent_minutes=x", "silent_minutes = x: must be a number"),
        ("sensors.00:00:00:00:00:01.key=secret", "sensors.00:00:00:00:00:01.key: must be 32 hexa"),
        ("sensors.00:00:00:00:00:01.key=@/secret", ".key: the file behind @"),
    ],
)
def test_what_cannot_be_set(tmp_path: Path, pair: str, sentence: str) -> None:
    [problem] = told(loaded(None, tmp_path, pair))
    assert sentence in problem
    path = tmp_path / "ruuvi-host.toml"
    path.write_text("# mine\n")
    if "=@" not in pair:
        with pytest.raises(ConfigError) as raised:
            set_keys(path, [key_and_value(pair)])
        assert sentence in str(raised.value)
    assert path.read_text() == "# mine\n"


def test_set_keeps_comments_and_the_way_an_address_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(
        "# mine\n"
        '[sensors."cb:b8:33:4c:88:4f"] # upstairs\n'
        'name = "Sauna" # hot\n'
        "\n[api]\nlisten = '' # none\n"
        '[sensors."00:00:00:00:00:01"]\nname = "b"\n'
    )
    pairs = [
        ("sensors.CB:B8:33:4C:88:4F.name", 'Käse "x"'),
        ("sensors.CB:B8:33:4C:88:4F.temperature_offset", "-0.5"),
        ("sensors.00:00:00:00:00:01.silent_minutes", "0"),
        ("sensors.00:00:00:00:00:02.battery_volts", "2"),
    ]
    assert set_keys(path, pairs) == [path]
    text = path.read_text()
    assert all(c in text for c in ("# mine\n", "# upstairs\n", "# none\n", '"] # upstairs'))
    assert text.count("sensors.") == 3
    path.chmod(0o600)
    found = load(Inputs(path))
    assert told(found) == []
    by_address = {sensor.address[-1]: sensor for sensor in found.config.sensors}
    assert by_address[0x4F].name == 'Käse "x"'
    assert by_address[0x4F].temperature_offset == -0.5
    assert (by_address[1].name, by_address[1].silent_after) == ("b", 0.0)
    assert by_address[2].battery_volts == 2.0


def test_set_into_a_file_without_any(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    set_keys(path, [("sensors.CB:B8:33:4C:88:4F.name", "Sauna")])
    assert path.read_text().strip() == TABLE + 'name = "Sauna"'


# -- shown ----------------------------------------------------------------------------------------


def test_show_tells_no_key(tmp_path: Path) -> None:
    found = {line.key: line for line in lines(loaded(ALL, tmp_path).sources)}
    assert found["sensors.CB:B8:33:4C:88:4F.name"].value == "Sauna"
    key = found["sensors.CB:B8:33:4C:88:4F.key"]
    assert (key.value, key.is_secret, key.source) == (True, True, str(tmp_path / "ruuvi-host.toml"))


def test_schema_example_and_page_know_them(tmp_path: Path) -> None:
    schema = host_schema()
    jsonschema.validate(parse_toml(ALL), schema)
    for wrong in (
        ALL.replace("name", "nam"),
        ALL.replace("CB:", "XB:"),
        ALL.replace("-0.5", "'a'"),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(parse_toml(wrong), schema)
    example = example_toml()
    for key in SensorSettings.KEYS:
        assert f"\n# {key.name} = {json.dumps(key.default)}\n" in example
        assert f"| `{key.name}` |" in reference()
    assert '\n# [sensors."AA:BB:CC:DD:EE:FF"]\n' in example


def test_as_many_as_may_be_are_read(tmp_path: Path) -> None:
    names = [f"00:00:00:00:{n >> 8:02X}:{n & 255:02X}" for n in range(MAX_SENSORS)]
    text = "".join(ALL.replace("CB:B8:33:4C:88:4F", name) for name in names)
    assert not too_much_toml(text + example_toml())
    found = loaded(text, tmp_path)
    assert told(found) == []
    assert len(found.config.sensors) == MAX_SENSORS
    pairs = [(f"sensors.{names[-1]}.name", "last")]
    if tuple(map(int, version("tomlkit").split(".")[:3])) < LINEAR_TOMLKIT:
        with pytest.raises(ConfigError, match="takes too long"):
            set_keys(tmp_path / "ruuvi-host.toml", pairs)
        return
    set_keys(tmp_path / "ruuvi-host.toml", pairs)
    assert load(Inputs(tmp_path / "ruuvi-host.toml")).config.sensors[-1].name == "last"
