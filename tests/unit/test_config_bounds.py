"""What is not given to a parser, and that the work for the rest grows with the text only."""

import json
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import tomlkit

from ruuvi_host.config.bounds import (
    MAX_DEPTH,
    MAX_DOTS,
    MAX_PARTS,
    MAX_TEXT,
    MAX_WORD,
    too_much_json,
    too_much_toml,
)
from ruuvi_host.config.edit import MOST_DOTS_OF_OLD, host_text
from ruuvi_host.config.example import example_gateway, example_toml
from ruuvi_host.config.files import Unreadable, gateway_text, parse_json, parse_toml
from ruuvi_host.config.keys import array_from_text
from ruuvi_host.config.problems import Problems
from ruuvi_host.errors import ConfigError

DEEP = "[" * (MAX_DEPTH + 1)
PARTS = ".".join("a" * (MAX_PARTS + 1))


@pytest.mark.parametrize(
    "text",
    [
        f"{PARTS} = 1",  # 250,000 parts took tomllib minutes
        f"[{PARTS}]",
        f"[[{PARTS}]]",
        f"x = 1\n[a]\n{'.'.join('a' * MAX_PARTS)} = 1",  # tomlkit: 12 s for 5 KB of these
        f"[[a]] # here\n\nx = [\n1]\n{'.'.join('a' * MAX_PARTS)} = 1",
        f"[{'.'.join('a' * MAX_PARTS)}]\na = 1",
        "\n".join(f"a.k{number} = 1" for number in range(MAX_DOTS + 1)),
        f"x = {{ {PARTS} = 1 }}",
        f"x = {{ {', '.join(f'a.k{number} = 1' for number in range(MAX_DOTS + 1))} }}",
        "[a]\nx = [\n" + "{ a.b = 1 },\n" * (MAX_DOTS + 1) + "]",
        "x = 1\n" + " . ".join(["''"] * (MAX_PARTS + 1)) + " = 1",
        f"x = {DEEP}",
        f"x = {'{a=' * (MAX_DEPTH + 1)}",
        f"x = {'[{a=' * MAX_DEPTH}",
        f"x = '''it''s''''\ny = {DEEP}",
        f'x = """one " two \\""""\ny = {DEEP}',
        f'x = [""""a"""", {DEEP}]',
        f"x = ['''a''''', {DEEP}]",
        f"x = 'unclosed\ny = {DEEP}",
        f'x = "\\\\", y = {DEEP}',
        f"x = 1 # a comment\ny = {DEEP}",
        f"x = {'9' * (MAX_WORD + 1)}",
        f"x = 0x{'f' * MAX_WORD}",
        f"{'x' * (MAX_WORD + 1)} = 1",
        "#" * (MAX_TEXT + 1),
    ],
)
def test_what_no_toml_parser_is_to_see(text: str) -> None:
    assert too_much_toml(text)
    with pytest.raises(Unreadable, match="not TOML that can be read"):
        parse_toml(text)


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        '{"a":' * (MAX_DEPTH + 1),
        f'{{"\\"": "\\\\", "a": {DEEP}',
        f'{{"a": {"9" * (MAX_WORD + 1)}}}',
        f'{{"a": 1.{"9" * MAX_WORD}}}',
        " " * (MAX_TEXT + 1),
    ],
)
def test_what_no_json_parser_is_to_see(text: str) -> None:
    assert too_much_json(text)
    with pytest.raises(Unreadable, match="not JSON that can be read"):
        parse_json(text, Problems())


@pytest.mark.parametrize(
    "text",
    [
        f"x = '{DEEP}'",
        f'x = "{PARTS} {DEEP} \\" {DEEP}"',
        f"x = '''\n{DEEP}\n''{DEEP}'''''",
        f'x = """\n{DEEP}""\n\\"""{DEEP}"""',
        f"# {PARTS} {DEEP} {'9' * MAX_WORD * 2}",
        f"x = '{'9' * MAX_WORD * 2}'",
        "x = [" + "[1.5, 2.5], " * 200 + "]",
        "x = [" + "1979-05-27T07:32:00.999-07:00, " * 400 + "]",
        "\n".join(f"{'a.' * (MAX_PARTS - 1)}k{number} = 1.5" for number in range(20)),
        "\n".join(f"k{number} = 1.5" for number in range(MAX_DOTS + 1)),
        "[gateway]\nwifi_sta_config.ssid = 'x'\n[gateway.wifi_ap_config]\nchannel = 1",
        "[[target]]\nx = [\n1.5,\n2.5]\ny = 1.5\n[http]\nproxy = ''",
        example_toml(),
    ],
)
def test_what_only_looks_so_is_read(text: str) -> None:
    assert not too_much_toml(text)
    parse_toml(text)


def test_what_only_looks_so_is_read_as_json() -> None:
    documents: tuple[object, ...] = (
        {"a": DEEP, DEEP: f'"{DEEP}\\', "b": "9" * 2 * MAX_WORD, "c": PARTS},
        [[]] * 5000,
        example_gateway(),
    )
    for document in documents:
        text = json.dumps(document)
        assert not too_much_json(text)
    assert not too_much_json(gateway_text(example_gateway()))


@pytest.mark.parametrize("text", [DEEP, f"[1]\n{PARTS} = 1", f"[{'9' * (MAX_WORD + 1)}]"])
def test_an_array_of_an_option_has_the_same_limits(text: str) -> None:
    with pytest.raises(ValueError, match=r"too deeply|more than"):
        array_from_text(text)


def calls(parse: Callable[[str], object], text: str) -> int:
    """Function calls that `parse` takes."""
    count = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        parse(text)
    finally:
        sys.setprofile(None)
    return count


SHAPES: dict[str, Callable[[int], str]] = {
    "keys": lambda n: "\n".join(f"k{i} = 1" for i in range(n)),
    "dotted": lambda n: "\n".join(f"{'a.' * (MAX_PARTS - 1)}k{i} = 1" for i in range(n)),
    "names": lambda n: "\n".join(f"[{'a.' * (MAX_PARTS - 2)}k{i}]" for i in range(n)),
    "lists": lambda n: f"x = [{'[],' * n}]",
    "tables": lambda n: f"x = [{'{},' * n}]",
    "inline": lambda n: f"x = {{{','.join(f'k{i} = 1' for i in range(n))}}}",
    "targets": lambda n: "[[target]]\nname = 'x'\n" * n,
}


@pytest.mark.parametrize("tomlkit_version", ["0.13.2", "0.14", "0.15.0", "0.15.0rc1"])
def test_an_old_tomlkit_gets_to_see_fewer_dotted_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tomlkit_version: str
) -> None:
    path = tmp_path / "ruuvi-host.toml"
    sensors = [f'[sensors."AA:BB:CC:DD:EE:{n:02X}"]\nname = "x"' for n in range(200)]

    def edit(count: int) -> str:
        path.write_text("\n".join(sensors[:count]) + "\n")
        return host_text(path, {"max_sensors": 150})

    monkeypatch.setattr(tomlkit, "__version__", tomlkit_version)
    assert 'name = "x"' in edit(MOST_DOTS_OF_OLD)
    with pytest.raises(ConfigError, match=r"install tomlkit 0\.15\.1 or newer, or edit the file"):
        edit(MOST_DOTS_OF_OLD + 1)
    monkeypatch.setattr(tomlkit, "__version__", "0.15.1")
    assert 'name = "x"' in edit(200)


TOMLKIT = tuple(map(int, version("tomlkit").split(".")[:3]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parse", [tomllib.loads, tomlkit.parse, too_much_toml])
def test_twice_the_text_is_twice_the_work(parse: Callable[[str], object], shape: str) -> None:
    if parse is tomlkit.parse and shape in ("dotted", "names") and TOMLKIT < (0, 15, 1):
        pytest.skip("tomlkit before 0.15.1 takes far more for dotted keys: MOST_DOTS_OF_OLD")
    one, two = SHAPES[shape](100), SHAPES[shape](200)
    assert not too_much_toml(two)
    assert calls(parse, two) < 2.5 * calls(parse, one)
