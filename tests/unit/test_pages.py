"""The pages as a forge shows them: links, headings and pictures; and the way to each of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from man_pages import EXIT_CODES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
IMAGES = PAGES / "images"
TEXTS = sorted([*ROOT.glob("*.md"), *PAGES.glob("*.md")])
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NOT_IN_THE_TABLE = {
    "index.md",
    *("boards.md", "install.md", "first-steps.md"),  # they come before it
    *("bridge.md", "bridge-firmware.md"),  # from boards.md
    *("formats-air.md", "formats-encrypted.md", "formats-tags.md", "formats-urls.md"),
}


def anchors(path: Path) -> set[str]:
    """Of all headings, as GitHub, GitLab and Forgejo make them."""
    found: dict[str, int] = {}
    for line in re.sub(
        r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.S | re.M
    ).splitlines():
        if heading := re.match(r"#{1,6} (.*)", line):
            words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            found[anchor] = found.get(anchor, 0) + 1
    return {a if n == 0 else f"{a}-{n}" for a, times in found.items() for n in range(times)}


def targets(path: Path) -> Iterator[str]:
    yield from LINK.findall(CODE.sub("", path.read_text("utf-8")))


def leads_nowhere(path: Path, target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme:
        return False
    place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not place.exists() or not place.is_relative_to(ROOT):
        return True
    return bool(parts.fragment) and parts.fragment not in anchors(place)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert [t for t in targets(path) if leads_nowhere(path, t)] == []


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    page = PAGES / "index.md"
    assert not leads_nowhere(page, "commands.md#which-host-a-command-is-about")
    assert leads_nowhere(page, "commands.md#which-host")
    assert leads_nowhere(page, "command.md")
    assert leads_nowhere(page, "../../../outside.md")


def test_a_page_links_to_pages_only() -> None:
    """The site has nothing else."""
    for path in PAGES.glob("*.md"):
        outside = [t for t in targets(path) if not urlsplit(t).scheme and t.startswith("..")]
        assert outside == [], path.name


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_what_belongs_to_a_point_of_a_list_is_indented_enough(path: Path) -> None:
    """By four: on a forge two or three will do, on the site the list would end there."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^ {1,3}(?:```|[-*] |\d+\. |\|).*", text, re.MULTILINE) == []


def test_no_page_installs_from_where_nothing_is() -> None:
    for path in TEXTS:
        assert "install 'ruuvi-host" not in path.read_text("utf-8"), path.name


def test_each_page_is_in_the_navigation_and_on_the_first_page() -> None:
    names = {path.name for path in PAGES.glob("*.md")}
    navigation = (ROOT / "docs" / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert sorted(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)) == sorted(names)
    first = {urlsplit(target).path for target in targets(PAGES / "index.md")}
    assert names - NOT_IN_THE_TABLE <= first


def test_each_picture_is_shown_and_says_what_it_is() -> None:
    shown = set()
    for path in TEXTS:
        for words, target in re.findall(r"!\[(.*?)\]\(([^)]+)\)", path.read_text("utf-8")):
            assert len(words) > 10, f"{path.name}: {target} says nothing to who cannot see it"
            shown.add((path.parent / target).resolve())
    assert shown == set(IMAGES.iterdir())


def test_no_picture_loads_anything_or_shows_where_it_was_made() -> None:
    for path in IMAGES.glob("*.svg"):
        text = path.read_text("utf-8")
        assert not re.search(r"url\((?!#)|<script|<image|href", text), path.name
        assert not re.search(r"/tmp/|/home/|/dev/pts", text), path.name


def test_the_exit_codes_are_the_same_everywhere() -> None:
    tables = [
        re.search(r"\| code \|.*?\n\n", path.read_text("utf-8"), re.DOTALL)
        for path in (ROOT / "README.md", PAGES / "commands.md")
    ]
    assert tables[0]
    assert tables[1]
    assert tables[0][0] == tables[1][0]
    codes = re.findall(r"^\| (\d+) \|", tables[0][0], re.MULTILINE)
    assert codes == [code for code, _ in EXIT_CODES]
