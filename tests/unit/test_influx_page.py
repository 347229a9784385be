"""docs/pages/influxdb.md: what it shows is what is written, and its settings are taken."""

import re
from pathlib import Path

from influx_world import GATEWAY, heard, named, target

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.influxdb import OWN_TAGS, SCHEMAS, Schema
from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import InfluxTarget
from ruuvi_host.relay.influxdb.points import PointWriter
from ruuvi_host.relay.influxdb.sink import MOST_BYTES

PAGE = (Path(__file__).parents[2] / "docs/pages/influxdb.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_point_is_what_is_written() -> None:
    line = PointWriter(target()).line(named("Sauna"), heard(), GATEWAY.addr)
    assert line
    assert blocks("text") == [line.decode()]
    assert f"at most {MOST_BYTES >> 10} KiB" in PAGE


def test_the_settings_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(blocks("toml")[0])
    path.chmod(0o600)
    loaded = load(Inputs(path))
    assert loaded.problems == []
    [found] = loaded.config.targets
    assert isinstance(found, InfluxTarget)
    [derived] = re.findall(r"`derived = \[(.*?)\]`", PAGE)
    assert set(re.findall(r'"(\w+)"', derived)) <= set(DERIVED)
    names = {key.name for key in InfluxTarget.KEYS}
    assert set(re.findall(r"`(\w+) = ", PAGE)) <= names


def test_each_schema_has_its_row() -> None:
    for schema in SCHEMAS:
        [row] = re.findall(rf"^\| `{schema}` \| (.*?) \|", PAGE, re.MULTILINE)
        assert tuple(re.findall(r"`(\w+)`", row)) == OWN_TAGS[Schema(schema)]
