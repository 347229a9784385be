"""docs/pages/files.md: what it shows is what is written, and its settings are taken."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.load import load
from ruuvi_host.config.model import Config
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import Content, FileTarget
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.file.lines import Recent, encoder

PAGE = (Path(__file__).parents[2] / "docs/pages/files.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_line_is_what_is_written() -> None:
    data = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
    tag = Advertisement(data[-6:], data, -61, 1, 15, 37, None, 0.0, 1_777_629_600)
    batch = Batch(1, DeviceId(bytes(8), bytes.fromhex("C8252D8E9C2C")), (tag,))
    [line] = encoder(Content.READINGS, Config())(batch, 0.0)
    assert blocks("json") == [line.decode()]
    assert f"the last {Recent.MOST} of the current file" in PAGE


def test_the_settings_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(blocks("toml")[0])
    loaded = load(Inputs(path))
    assert loaded.problems == []
    assert loaded.config.targets == (FileTarget("log", Path("/var/lib/ruuvi-host/log")),)
    for name in re.findall(r"`(content|max_\w+|compress|interval|folder) ?=?", PAGE):
        assert name in {key.name for key in FileTarget.KEYS}


def test_the_settings_of_others_name_our_members() -> None:
    telegraf = tomllib.loads(blocks("toml")[1])["inputs"]["tail"][0]
    members = {*json.loads(blocks("json")[0]), "error"}
    assert {*telegraf["tag_keys"], *telegraf["json_string_fields"]} <= members
    assert telegraf["json_time_key"] in members


def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/log.jsonl").write_text(blocks("json")[0])
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[0], "files.md", "exec"), {})
