"""The page about Home Assistant: its settings are taken, and what it says of entities is so."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from ruuvi_host.config.load import load
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.config.sources import Inputs
from ruuvi_host.relay.mqtt.entities import MODELS

PAGE = (Path(__file__).parents[2] / "docs/pages/home-assistant.md").read_text("utf-8")
BLOCKS = [
    dedent(t) for t in re.findall(r"^ *```toml\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
]
BASE = BLOCKS[0].partition("[mqtt.homeassistant]")[0]


@pytest.mark.parametrize("block", [BLOCKS[0], *(BASE + block for block in BLOCKS[1:])])
def test_its_settings_are_taken(tmp_path: Path, block: str) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(block, "utf-8")
    path.chmod(0o600)
    loaded = load(Inputs(config=path))
    assert loaded.problems == []
    [target] = loaded.config.targets
    assert isinstance(target, MqttTarget)
    extras = target.extras
    assert extras.homeassistant or (extras.decode_all and extras.derived)


def test_there_is_one_block_for_each_way() -> None:
    assert len(BLOCKS) == 3


def test_what_is_off_at_first() -> None:
    [row] = re.findall(r"^\| RuuviTags \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    shown, off = row
    for entity in MODELS[5].entities[:-2]:
        name = re.sub(r" [xyz]$", "", entity.name.lower())
        name = name.replace("measurement sequence number", "number of the measurement")
        assert (name in off) == entity.off, name
        assert (name in shown) != entity.off, name
