"""The man pages, made of the help texts: one for the program, and one for each command.

    python tools/man_pages.py FOLDER        writes ruuvi-host.1, ruuvi-host-run.1, … there

Debian's click-man does not see commands that are imported when they are called, as ours are, and
leaves out what stands below the options.
"""

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from ruuvi_host import __version__
from ruuvi_host.cli.main import make_group

NAME = "ruuvi-host"
EXIT_CODES = (
    ("0", "done"),
    ("1", "anything else"),
    ("2", "wrong options or configuration"),
    ("3", "the serial side"),
    ("4", "the network side"),
    ("5", "the health of the host: it ended for a fault, or does not answer"),
)
FILES = (
    ("/etc/ruuvi-host/ruuvi-host.toml", "the configuration of the service"),
    ("/var/lib/ruuvi-host", "its state: undelivered data, history, the socket of `status`"),
    ("/usr/share/doc/ruuvi-host/pages", "all pages of the documentation"),
)
NEVER_HYPHENATED = ".nh\n.ad l\n"
WIDTH = 10_000
"""Columns in which a synopsis stays one line: the reader's terminal breaks it."""


def pages(day: str) -> Iterator[tuple[str, str]]:
    """Name of the file and its text, of each page. day: as 2026-11-28."""
    group = make_group()
    for context in contexts(click.Context(group, info_name=NAME, **group.context_settings)):
        name = context.command_path.replace(" ", "-")
        yield f"{name}.1", page(context, name, day)


def page(context: click.Context, name: str, day: str) -> str:
    """The page of the command of `context`."""
    command = context.command
    about, *rest = paragraphs(command.help or "")
    summary = re.split(r"\.\s|\.$", line(about))[0]
    below = list(commands(context))
    parts = [
        f'.TH "{name.upper()}" 1 "{day}" "{NAME} {__version__}" "User Commands"\n',
        NEVER_HYPHENATED,
        f".SH NAME\n{escaped(name)} \\- {escaped(summary)}\n",
        f".SH SYNOPSIS\n.B {escaped(context.command_path)}\n{escaped(usage(context))}\n",
        ".SH DESCRIPTION\n"
        + "".join(map(_paragraph, rest if summary == line(about).rstrip(".") else [about, *rest])),
        _list("OPTIONS", options(context)),
        _list("COMMANDS", below),
        _examples(command.epilog or ""),
    ]
    if context.parent is None:
        parts += [_list("FILES", FILES), _list("EXIT STATUS", EXIT_CODES)]
    others = sorted({NAME, *(f"{name}-{sub}" for sub, _ in below)} - {name})
    if others:
        parts.append(".SH SEE ALSO\n" + ",\n".join(f".BR {escaped(o)} (1)" for o in others) + "\n")
    return "".join(parts)


def paragraphs(text: str) -> list[str]:
    """Of a help text as click reads it: one that begins with \\b keeps its lines, after a \\f
    nothing is shown."""
    lines = "\n".join(line.strip() for line in text.partition("\f")[0].strip().splitlines())
    return [one for one in re.split(r"\n{2,}", lines) if one.strip()]


def escaped(text: str) -> str:
    """For troff: no character of it is a command."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def contexts(context: click.Context) -> Iterator[click.Context]:
    """The command and all below it, in the order of the help."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command
            yield from contexts(click.Context(command, info_name=name, parent=context))


def commands(context: click.Context) -> Iterator[tuple[str, str]]:
    """Name and summary of each command of a group."""
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command
            yield name, command.get_short_help_str(WIDTH)


def usage(context: click.Context) -> str:
    """What stands behind the name of the command in its first line."""
    return " ".join(context.command.collect_usage_pieces(context))


def options(context: click.Context) -> Iterator[tuple[str, str]]:
    """How each option is written, and what it does."""
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and (record[1] or isinstance(parameter, click.Option)):
            yield record


def _list(heading: str, items: object) -> str:
    """Terms with what they mean; nothing, if there are none."""
    assert not isinstance(items, str)
    entries = [
        f".TP\n.B {escaped(term)}\n{escaped(line(text))}\n"
        for term, text in items  # type: ignore[attr-defined]
    ]
    return f".SH {heading}\n{''.join(entries)}" if entries else ""


def _paragraph(text: str) -> str:
    if text.startswith("\b"):
        return f".PP\n.nf\n{escaped(text.lstrip(chr(8)).strip(chr(10)))}\n.fi\n"
    return f".PP\n{escaped(line(text))}\n"


def _examples(epilog: str) -> str:
    found = re.sub(r"^(\b\n)?Examples?(, [^:\n]*)?:\n", r"\1", epilog.strip())
    shown = "".join(map(_paragraph, paragraphs(found)))
    return f".SH EXAMPLES\n{shown}" if shown else ""


def line(text: str) -> str:
    """One line, without what is meant for click."""
    return " ".join(text.replace("\b", "").split())


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    # The day of the source, so that the same source gives the same package.
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp())
    for name, text in pages(f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}"):
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FOLDER")
    main()
