"""A real browser: Debian's Chromium, driven by Playwright.

One process for the tests of a module. It reports each breach of the page's policy, and each error
of a script.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from programs import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
DESK, PHONE = (1280, 900), (360, 740)
"""Pixels."""

_WATCH = """
window.breaches = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.breaches.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@contextmanager
def browser() -> Iterator["Browser"]:
    """Skips the test where there is no Chromium; with CI=true that is a failure."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing")
        pytest.skip("NOT TESTED in a browser: chromium is missing")
    from playwright.sync_api import sync_playwright

    # Tests run as root in containers, where Chromium's own walls cannot be built.
    walls = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*walls, "--disable-dev-shm-usage"]
        )
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def tab(
    browser: "Browser", url: str, *, size: tuple[int, int] = DESK, dark: bool = False
) -> Iterator["Page"]:
    """A tab with a memory of its own. Fails if a script failed, or the page's policy was broken."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="Europe/Helsinki",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(_WATCH)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(url)
        yield page
        assert page.evaluate("window.breaches") == []
        assert errors == []
    finally:
        context.close()


def breaches_of_access(page: "Page") -> list[str]:
    """What axe-core finds, a line each: rule, and where."""
    # By the driver, since the page's own policy lets no other script in.
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
