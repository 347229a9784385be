"""Writes docs/pages/command-line.md, every command with its options, from the help texts.

    python tools/commands_page.py

A test compares them, so they cannot drift. The man pages are made of the same texts.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from man_pages import EXIT_CODES, commands, contexts, line, options, paragraphs, usage

from ruuvi_host.cli.main import make_group

PAGE = Path(__file__).parents[1] / "docs" / "pages" / "command-line.md"
HEAD = """\
# Command line

Every command with its options, as `--help` shows them. Made by tools/commands_page.py from the
program. Which host a command is about, what a terminal shows and what a pipe:
[commands](commands.md).
"""


def page() -> str:
    """The page as it should be."""
    group = make_group()
    top = click.Context(group, info_name="ruuvi-host", **group.context_settings)
    parts = [HEAD]
    for context in contexts(top):
        parts += section(context)
    parts += ["## Exit codes\n", "| code | meaning |\n| --- | --- |\n"]
    parts[-1] += "".join(f"| {code} | {cell(meaning)} |\n" for code, meaning in EXIT_CODES)
    return (
        "\n".join(parts)
        + "\nMore of them, and what they mean to a service: [exit codes](commands.md#exit-codes).\n"
    )


def section(context: click.Context) -> Iterator[str]:
    """A command: usage, what it does, its options, its commands, examples."""
    command = context.command
    depth = "##" if context.parent is None or context.parent.parent is None else "###"
    yield f"{depth} {context.command_path}\n"
    yield f"```\n{context.command_path} {usage(context)}\n```\n"
    for paragraph in paragraphs(command.help or ""):
        yield block(paragraph) if paragraph.startswith("\b") else f"{text(line(paragraph))}\n"
    for heading, rows in (("option", options(context)), ("command", commands(context))):
        found = [
            f"| `{term.replace('|', '/')}` | {cell(line(meaning))} |" for term, meaning in rows
        ]
        if found:
            yield f"| {heading} | what it does |\n| --- | --- |\n" + "\n".join(found) + "\n"
    for paragraph in paragraphs(command.epilog or ""):
        lines = "\n".join(paragraph.lstrip("\b").strip("\n").splitlines())
        yield block(lines) if "\b" in paragraph else f"{text(line(paragraph))}\n"


def block(lines: str) -> str:
    """Lines that stay as they are."""
    return "```\n" + lines.lstrip("\b").strip("\n") + "\n```\n"


def text(words: str) -> str:
    """For Markdown: no character of it is a command, but for those around code."""
    parts = re.split(r"(`[^`]*`)", words)
    return "".join(
        part if number % 2 else re.sub(r"([\\*_<>\[\]#])", r"\\\1", part)
        for number, part in enumerate(parts)
    )


def cell(words: str) -> str:
    """The same in a table."""
    return text(words).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
