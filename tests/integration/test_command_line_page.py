"""docs/pages/command-line.md is as tools/commands_page.py makes it of the program."""

import commands_page


def test_the_page_is_that_of_the_program() -> None:
    written = commands_page.PAGE.read_text("utf-8")
    assert written == commands_page.page(), "run: python tools/commands_page.py"


def test_what_markdown_would_take_for_its_own_is_escaped() -> None:
    assert commands_page.cell("a|b <x> _y_ `c_d` [e]") == r"a\|b \<x\> \_y\_ `c_d` \[e\]"
