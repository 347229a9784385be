"""The site that `make site` has built, in a browser, opened as files: no server, no network."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import PHONE, browser, tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SITE = Path(__file__).parents[2] / "docs" / "build" / "site"
pytestmark = [
    pytest.mark.skipif(not SITE.exists(), reason="make site was not run"),
    pytest.mark.timeout(300),  # some fifty pages, beside all else that runs
]


@pytest.fixture(scope="module")
def launched() -> Iterator["Browser"]:
    with browser() as found:
        yield found


def test_the_search_finds_a_page_that_leads_on(launched: "Browser") -> None:
    asked: list[str] = []
    with tab(launched, "about:blank") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{SITE.as_uri()}/index.html")
        page.get_by_role("button", name="Search").first.click()
        page.get_by_placeholder("Search").fill("ballast")
        page.get_by_role("option", name="When the disk is full").click()
        page.wait_for_url("**/store-and-forward.html*")
        page.locator("h1", has_text="Store and forward").wait_for()
        page.locator("footer").get_by_role("link", name="Next").click()
        page.locator("h1", has_text="What it costs").wait_for()
    assert [url for url in asked if not url.startswith((SITE.as_uri(), "data:", "blob:"))] == []


def test_nothing_is_wider_than_a_phone(launched: "Browser") -> None:
    with tab(launched, "about:blank", size=PHONE) as page:
        for path in sorted(SITE.glob("*.html")):
            page.goto(path.as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE[0], path.name
            # A picture that was not found has no width of its own.
            found = "[...document.images].every((image) => image.naturalWidth > 0)"
            assert page.evaluate(found), path.name
