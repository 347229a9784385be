"""docs/pages/formats*.md: tables as in the code; commands and programs do what the pages say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from programs import COMMAND

from ruuvi_host.formats import FORMATS
from ruuvi_host.formats.columns import kinds
from ruuvi_host.formats.derived import QUANTITIES as DERIVED
from ruuvi_host.formats.measurement import QUANTITIES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
TEXT = (PAGES / "formats.md").read_text("utf-8")
NUMBERS = {f"{number:X}" for number in FORMATS}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_tables_of_bytes_are_those_of_the_code() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tools'); import format_pages\n"
        "for path, text in format_pages.pages().items():\n"
        "    assert path.read_text('utf-8') == text, f'{path}: run tools/format_pages.py'"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_every_format_has_its_table_and_its_row() -> None:
    tables = "".join(page.read_text("utf-8") for page in PAGES.glob("formats-*.md"))
    found = set(re.findall(r"^## (\w+) \(", tables, re.MULTILINE))
    assert found - NUMBERS == NUMBERS - found == set(), "FAMILIES of tools/format_pages.py"
    rows = re.findall(r"^\| ([0-9A-F, ]+) \| ", TEXT, re.MULTILINE)
    found = {number for row in rows for number in row.split(", ")}
    assert found - NUMBERS == NUMBERS - found == set(), "the table in docs/pages/formats.md"


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: str(block)[2:40])
def test_a_command_answers_as_the_page_says(block: str) -> None:
    command, _, expected = block.removeprefix("$ ").partition("\n")
    ran = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}"},
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", expected)


def test_programs_print_what_the_page_says() -> None:
    programs, outputs = blocks("python"), blocks("text")
    assert len(programs) == len(outputs) > 0
    for program, expected in zip(programs, outputs, strict=True):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert (ran.stdout, ran.stderr) == (expected, "")
    assert len(programs[0].splitlines()) <= 10


@pytest.mark.parametrize("line", "".join(blocks("sh")).splitlines())
def test_commands_that_run_for_ever_have_these_options(line: str) -> None:
    command, *words = line.split()
    if command != "ruuvi-host":
        return
    named = words[:2] if words[0] == "decode" else words[:1]
    ran = subprocess.run([COMMAND, *named, "--help"], capture_output=True, text=True)
    for option in filter(lambda word: word.startswith("--"), words):
        assert option in ran.stdout


def test_names_that_the_page_uses() -> None:
    used = set(re.findall(r"`(battery_\w+|iaqs\w*)`", TEXT))
    assert used <= DERIVED.keys() | QUANTITIES.keys()


def test_the_columns_of_a_table_are_all_on_the_page() -> None:
    names = {int: "int64", float: "double", bool: "bool", str: "string"}
    rows = re.findall(r"^\| `(\w+)` \| (int64|double|bool|string) \| ?(.*?) ?\| ", TEXT, re.M)
    assert rows == [
        (name, names[kind], QUANTITIES[name].unit if name in QUANTITIES else "")
        for name, kind in kinds().items()
    ]
