"""Writes the tables of counters of docs/pages/status.md, which come from the code.

    python tools/status_page.py

A test compares them, so they cannot drift. A counter's meaning is the docstring below it.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from textwrap import dedent

from ruuvi_host.monitoring.accounting import SUMS
from ruuvi_host.monitoring.counters import (
    Counters,
    IntakeCounters,
    LinkCounters,
    StatisticsCounters,
    TargetCounters,
    flat,
)

PAGE = Path(__file__).parents[1] / "docs" / "pages" / "status.md"
MARK = "<!-- From here on written by tools/status_page.py -->\n"

SECTIONS: dict[str, type[Counters]] = {
    "coprocessors[].counters": LinkCounters,
    "intake": IntakeCounters,
    "targets[].counters": TargetCounters,
    "statistics": StatisticsCounters,
}


def page() -> str:
    """The page as it should be: what people wrote, then the tables."""
    return PAGE.read_text("utf-8").partition(MARK)[0] + MARK + "\n" + "\n".join(tables())


def tables() -> Iterator[str]:
    """A section for each part of the document that has counters."""
    for key, kind in SECTIONS.items():
        heading = (kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        yield f"### `{key}`\n\n{heading}\n"
        sums = [f"- `{' + '.join(s.total)}` = `{' + '.join(s.parts)}`" for s in SUMS.get(kind, ())]
        if sums:
            yield "\n".join(sums).replace(" + ", "` + `") + "\n"
        yield "| counter | meaning |\n| --- | --- |"
        meaning = meanings(kind())
        for name in flat(kind()):
            assert meaning.get(name), f"{name} has no docstring that says what it counts"
            yield f"| `{name}` | {meaning[name]} |"
        yield ""


def meanings(counters: object) -> dict[str, str]:
    """Counter → docstring, of all that `counters` contains."""
    found: dict[str, str | None] = {}
    (source,) = ast.parse(dedent(inspect.getsource(type(counters)))).body
    assert isinstance(source, ast.ClassDef)
    for statement, after in zip(source.body, [*source.body[1:], None], strict=True):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), _ if is_dataclass(
                contained := getattr(counters, name)
            ):
                found |= meanings(contained)
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = text
            case ast.FunctionDef(name=name), _:
                found[name] = ast.get_docstring(statement)
    return {name: " ".join((text or "").split()).rstrip(".") for name, text in found.items()}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
