"""Writes the tables of counters of docs/pages/status.md, which come from the code.

    python tools/status_page.py

A test compares them, so they cannot drift. A counter's meaning is the docstring below it.
"""

from collections.abc import Iterator
from pathlib import Path

from ruuvi_host.monitoring.accounting import SUMS
from ruuvi_host.monitoring.counters import (
    Counters,
    IntakeCounters,
    LinkCounters,
    StatisticsCounters,
    TargetCounters,
    flat,
)
from ruuvi_host.monitoring.meanings import meanings

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


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
