"""Builds the pages as a site, and checks what came out: `make site`.

    python tools/build_site.py     into docs/build/site, which is not committed

Every link and anchor of the built pages leads somewhere, nothing is fetched from another server,
and every page is in the navigation and in the index of the search. Exit status 1: it says what is
not so.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from site_check import faults

DOCS = Path(__file__).parents[1] / "docs"
BUILT = DOCS / "build" / "site"
"""Where docs/mkdocs.yml says."""


def build() -> None:
    """Warnings end it, as they are errors: `--strict`."""
    zensical = Path(sys.executable).with_name("zensical")
    shutil.rmtree(BUILT, ignore_errors=True)
    subprocess.run(
        [zensical, "build", "--clean", "--strict", "--config-file", DOCS / "mkdocs.yml"],
        check=True,
    )


def main() -> int:
    try:
        build()
    except FileNotFoundError:
        print("zensical is not installed: pip install -c constraints.txt -e '.[site]'")
        return 1
    except subprocess.CalledProcessError:
        return 1  # it has said why
    found = list(faults(BUILT, DOCS / "pages"))
    for fault in found:
        print(f"site: {fault}", file=sys.stderr)
    if found:
        return 1
    print(f"{len(list(BUILT.rglob('*.html')))} pages: {BUILT / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
