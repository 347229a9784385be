"""Writes the tables of docs/pages/configuration.md, which come from the code.

    python tools/config_page.py

A test compares them, so they cannot drift.
"""

from pathlib import Path

from ruuvi_host.config.example import reference

PAGE = Path(__file__).parents[1] / "docs" / "pages" / "configuration.md"
MARK = "<!-- From here on written by tools/config_page.py -->\n"


def page() -> str:
    """The page as it should be: what people wrote, then the tables."""
    return PAGE.read_text("utf-8").partition(MARK)[0] + MARK + "\n" + reference()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
