"""docs/pages/command-line.md is as tools/commands_page.py makes it of the program."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import commands_page
import pytest

from ruuvi_host.cli.main import make_group

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_page_is_that_of_the_program() -> None:
    written = commands_page.PAGE.read_text("utf-8")
    assert written == commands_page.page(), "run: python tools/commands_page.py"


def test_what_markdown_would_take_for_its_own_is_escaped() -> None:
    assert commands_page.cell("a|b <x> _y_ `c_d` [e]") == r"a\|b \<x\> \_y\_ `c_d` \[e\]"


def calls(path: Path) -> Iterator[list[str]]:
    """The words behind `ruuvi-host`, of each call in the blocks of a page."""
    for block in BLOCK.findall(path.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:\$ )?(?:sudo )?(?:-\S+ \S+ )?(?:\S*/)?ruuvi-host (.*)", line)
            if found:
                lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                words = list(lexer)
                ends = [n for n, word in enumerate(words) if set(word) <= set("|&;<>()") and word]
                yield words[: ends[0]] if ends else words


def unknown(words: list[str]) -> str:
    """The command or the option that the program has not; empty: it has all of them."""
    command: click.Command = make_group()
    context = click.Context(command)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            return rest[0]
        command, context, rest = found, click.Context(found, parent=context), rest[1:]
    known = {option for p in command.get_params(context) for option in (*p.opts, *p.secondary_opts)}
    known |= {"-h", "--help"}
    of_pytest = command.name == "hil"  # it takes all of its options
    options = (word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word))
    return next((option for option in options if option not in known and not of_pytest), "")


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs" / "pages").glob("*.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_command_on_a_page_exists_with_its_options(path: Path) -> None:
    assert [words for words in calls(path) if unknown(words)] == []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert unknown(["run", "--port", "/dev/ttyACM0"]) == ""
    assert unknown(["config", "check", "--config", "x"]) == ""
    assert unknown(["ran"]) == "ran"
    assert unknown(["config", "chek"]) == "chek"
    assert unknown(["run", "--prot=x"]) == "--prot"
    assert len(list(calls(ROOT / "README.md"))) > 10
