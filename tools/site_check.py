"""What is wrong with a built site: links, anchors, foreign servers, pages that nobody is led to."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
    ("link", "href"),
}
"""What a browser fetches without being asked. Of links, all but those that only tell something."""
TELLING = {"canonical", "next", "prev"}
IN_STYLE = re.compile(r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"]?(?:https?:)?//")
NOT_UNDERSTOOD = re.compile(r"^\s*(?:[-*] |\d+\. |\||```)", re.MULTILINE)
"""A list, a table or a block without an empty line before it, or not indented by four within a
list, is a paragraph here, and none on a forge."""


class Page(HTMLParser):
    """What a page has: anchors, links, what it loads, and the text of its paragraphs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.led_to: set[str] = set()
        """The pages in its navigation."""
        self.paragraphs: list[str] = []
        self._navigation = 0
        self._in_paragraph = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if found.get("id"):
            self.anchors.add(found["id"])
        rel = set(found.get("rel", "").split())
        for name, value in found.items():
            if (tag, name) in LOADED and not (tag == "link" and rel & TELLING):
                self.loads.append(value)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
            if self._navigation:
                self.led_to.add(urlsplit(found["href"]).path)
        if tag == "nav":
            self._navigation += 1
        if tag == "p":
            self._in_paragraph = True
            self.paragraphs.append("")
        elif tag in ("code", "img"):
            self.handle_data(f"<{tag}>")
        elif tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "nav":
            self._navigation -= 1
        elif tag == "p":
            self._in_paragraph = False

    def handle_data(self, data: str) -> None:
        if self._in_paragraph:
            self.paragraphs[-1] += data


def faults(site: Path, sources: Path) -> Iterator[str]:
    """A sentence for each. `sources`: the folder with the Markdown of the pages."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    yield from _missing(site, sources, pages)
    for path, page in pages.items():
        if path.name == "404.html":  # is shown at any address, so its links begin at the root
            continue
        name = path.relative_to(site)
        for target in [*page.links, *page.loads]:
            reason = _leads_nowhere(path, target, pages)
            if reason:
                yield f"{name}: {target}: {reason}"
        for target in page.loads:
            if urlsplit(target).netloc:
                yield f"{name} loads {target} from another server"
        for paragraph in page.paragraphs:
            if NOT_UNDERSTOOD.search(paragraph):
                yield f"{name}: a list or a block is not understood: {paragraph[:80]!r}"
    for kind in ("*.css", "*.svg"):
        for path in sorted(site.rglob(kind)):
            if IN_STYLE.search(path.read_text("utf-8")):
                yield f"{path.relative_to(site)} loads something from another server"


def _missing(site: Path, sources: Path, pages: dict[Path, Page]) -> Iterator[str]:
    index = site / "search.json"
    searched = set()
    if index.exists():
        items = json.loads(index.read_text("utf-8"))["items"]
        searched = {item["location"].partition("#")[0] for item in items}
    home = pages.get(site / "index.html")
    for source in sorted(sources.glob("*.md")):
        name = source.with_suffix(".html").name
        if site / name not in pages:
            yield f"{name} was not built"
        if name not in searched:
            yield f"{name} is not found by the search"
        # The home page is led to by the title of the site.
        if home and name != "index.html" and name not in {Path(p).name for p in home.led_to}:
            yield f"{source.name} is not in the navigation of docs/mkdocs.yml"


def _leads_nowhere(path: Path, target: str, pages: dict[Path, Page]) -> str:
    """Why; empty if it leads somewhere, or to another server, which is not asked."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return ""
    place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if place.is_dir():
        place /= "index.html"
    if not place.exists():
        return "there is no such file"
    if parts.fragment and place in pages:
        fragment = unquote(parts.fragment)
        if fragment not in pages[place].anchors and not fragment.startswith("__"):
            return "there is no such heading"
    return ""
