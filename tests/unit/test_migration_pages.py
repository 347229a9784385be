"""The pages for those who come from other programs: their tables are those of the code."""

import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from ruuvi_host.config import from_go_gateway, from_ruuvibridge
from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.problems import Problems
from ruuvi_host.formats.df5 import Format5

PAGES = Path(__file__).parents[2] / "docs/pages"


def rows(name: str) -> dict[str, str]:
    text = (PAGES / name).read_text("utf-8")
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "program"),
    [
        ("coming-from-ruuvibridge.md", from_ruuvibridge),
        ("coming-from-ruuvi-go-gateway.md", from_go_gateway),
    ],
)
def test_the_tables_are_those_of_the_code(page: str, program: ModuleType) -> None:
    taken = {k: ", ".join(f"`{name}`" for name in ours) for k, ours in program.TAKEN.items()}
    left = {key: f"not taken: {why}" for key, why in program.LEFT.items()}
    assert rows(page) == taken | left
    assert not taken.keys() & left.keys()


def test_the_settings_of_the_page_are_taken() -> None:
    text = (PAGES / "coming-from-ruuvibridge.md").read_text("utf-8")
    [block] = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    problems = Problems()
    GatewayConfig().update(tomllib.loads(block)["gateway"], problems, own=True)
    assert problems.found == []


def test_the_members_are_those_of_both() -> None:
    decoder = pytest.importorskip("ruuvitag_sensor.decoder", reason="no Debian package has it")
    theirs = decoder.Df5Decoder().decode_data("0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
    assert theirs is not None
    named = rows("coming-from-ruuvitag-sensor.md")
    assert named.keys() <= theirs.keys()
    assert theirs.keys() - named.keys() <= {"mac", "rssi"}
    assert {name.strip("`") for name in named.values()} <= {*Format5._fields, *DERIVED}
