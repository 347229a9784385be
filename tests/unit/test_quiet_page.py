"""docs/pages/when-it-goes-quiet.md quotes what the host really says, and names what there is."""

import ast
import re
from pathlib import Path

from firmware_protocol.damage_causes import DamageCause
from ruuvi_host.config.coprocessor import CoprocessorSettings, read_reset
from ruuvi_host.monitoring.counters import IntakeCounters, LinkCounters, flat

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/pages/when-it-goes-quiet.md").read_text("utf-8")


def said() -> str:
    """All that the serial side can say."""
    texts = []
    for path in (ROOT / "ruuvi_host/device").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value.replace("%.0f", "50"))
    return "\n".join(texts)


def test_quotes_are_what_is_said() -> None:
    quotes = re.findall(r"^> (.+)$", PAGE, re.MULTILINE)
    table = PAGE.partition("| it says |")[2].partition("\n\n")[0]
    quotes += re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    assert len(quotes) == 9
    everything = said()
    for quote in quotes:
        for part in re.split("[…()]", quote):
            assert part.strip() in everything, part


def test_each_cause_of_damage_is_listed() -> None:
    table = PAGE.partition("| `cause` |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)
    assert sorted(listed) == sorted([*(cause.value for cause in DamageCause), "speed", "overruns"])


def test_counters_and_keys_exist() -> None:
    names = flat(LinkCounters()).keys() | flat(IntakeCounters()).keys()
    gateway = {"company_id", "scan_filter_list"}
    known = names | {key.name for key in CoprocessorSettings.KEYS} | gateway
    written = set(re.findall(r"`([a-z]+_[a-z_]+)`", PAGE))
    assert written
    assert written <= known


def test_settings_are_read() -> None:
    for text in re.findall(r'`?reset = "(.+?)"', PAGE):
        assert read_reset("reset", text)
    [command] = re.findall(r"`reset_command = (\[.+?\])`", PAGE)
    settings = CoprocessorSettings.from_table(
        {"port": "/dev/x", "reset_command": ast.literal_eval(command)}
    )
    assert settings != CoprocessorSettings("/dev/x")
