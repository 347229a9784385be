"""tools/site_check.py finds what is wrong with a built site."""

import json
from pathlib import Path

import pytest
from site_check import faults

PAGE = """<nav><a href="index.html">x</a><a href="one.html">One</a></nav>
<h2 id="here">Here</h2><p>{}</p>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site that is right, of two pages."""
    sources, built = tmp_path / "pages", tmp_path / "site"
    for folder in (sources, built):
        folder.mkdir()
    for name in ("index", "one"):
        (sources / f"{name}.md").write_text("# x\n")
        (built / f"{name}.html").write_text(PAGE.format('<a href="one.html#here">here</a>'))
    items = [{"location": "index.html"}, {"location": "one.html#here"}]
    (built / "search.json").write_text(json.dumps({"items": items}))
    return built


def of(site: Path) -> list[str]:
    return list(faults(site, site.parent / "pages"))


def test_nothing_is_wrong(site: Path) -> None:
    assert of(site) == []


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ('<a href="two.html">', "one.html: two.html: there is no such file"),
        ('<a href="index.html#there">', "one.html: index.html#there: there is no such heading"),
        ('<img src="x.png">', "one.html: x.png: there is no such file"),
        (
            '<script src="https://cdn.example/x.js"></script>',
            "one.html loads https://cdn.example/x.js from another server",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example/x.css">',
            "one.html loads //fonts.example/x.css from another server",
        ),
        (
            "Words:\n- one\n- two",
            "one.html: a list or a block is not understood: 'Words:\\n- one\\n- two'",
        ),
    ],
)
def test_a_fault_in_a_page_is_found(site: Path, html: str, sentence: str) -> None:
    (site / "one.html").write_text(PAGE.format(html))
    assert of(site) == [sentence]


def test_links_elsewhere_are_not_asked(site: Path) -> None:
    (site / "one.html").write_text(PAGE.format('<a href="https://ruuvi.com/">Ruuvi</a>'))
    assert of(site) == []


def test_a_style_that_fetches_a_font_is_found(site: Path) -> None:
    (site / "x.svg").write_text("@font-face { src: url('https://fonts.example/x.woff2') }")
    assert of(site) == ["x.svg loads something from another server"]


def test_a_page_that_nobody_is_led_to_is_found(site: Path) -> None:
    (site.parent / "pages" / "two.md").write_text("# Two\n")
    assert of(site) == [
        "two.html was not built",
        "two.html is not found by the search",
        "two.md is not in the navigation of docs/mkdocs.yml",
    ]
