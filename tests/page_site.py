"""A running host and a browser that shows its page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import browser
from programs import Program, ruuvi_host

from ruuvi_host.simulator.board import Board

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


HOSTILE = "<img src=x onerror=alert(1)>&amp;\"'"
LISTENING = r"local API: http://127\.0\.0\.1:(\d+)"


@dataclass
class Site:
    """A running host and its page."""

    program: Program
    url: str
    folder: Path

    def saved(self) -> dict[str, Any]:
        """The gateway's keys in the file."""
        document: dict[str, Any] = json.loads((self.folder / "gw_cfg.json").read_text())
        return document


@contextmanager
def site(folder: Path, config: dict[str, Any], host: str = "") -> Iterator[Site]:
    """A host with the gateway's keys of `config`, and with `host` in its own file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gw_cfg.json").write_text(json.dumps(config))
    (folder / "ruuvi-host.toml").write_text(
        f'trust_clock = true\n[api]\nlisten = "127.0.0.1:0"\ncheck_local = true\n{host}'
    )
    for path in folder.iterdir():
        path.chmod(0o600)
    with ruuvi_host(
        *("run", "--simulate", "--config", str(folder / "ruuvi-host.toml")),
        *("--state-dir", str(folder / "state")),
    ) as program:
        port = program.wait_for(LISTENING)[1]
        yield Site(program, f"http://127.0.0.1:{port}/", folder)


QUIET = {"use_http_ruuvi": False, "use_http": False, "use_http_stat": False}


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def opened(chromium: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that lets everybody in."""
    address = "11:22:33:44:55:66"
    names = f'[sensors."{address}"]\nname = {json.dumps(HOSTILE)}\n'
    for tag in Board().tags[:1]:  # one of those that are heard
        heard = ":".join(f"{octet:02X}" for octet in tag.address)
        names += f'[sensors."{heard}"]\nname = {json.dumps(HOSTILE)}\n'
    config = QUIET | {"lan_auth_type": "lan_auth_allow", "coordinates": HOSTILE}
    with site(tmp_path_factory.mktemp("open"), config, names) as running:
        yield running


def section(page: "Page", site: Site, name: str) -> "Locator":
    """Go there, and wait until it is drawn."""
    page.goto(f"{site.url}#{name}")
    found = page.locator(f"#section-{name}")
    found.locator(".card").first.wait_for()
    page.locator(f"#section-{name}:not([inert])").wait_for()  # those may be of the last time
    return found


def server_card(data: "Locator") -> "Locator":
    return data.locator(".card").first


def save(part: "Locator") -> None:
    part.get_by_role("button", name="Save", exact=True).click()
    told = part.locator(".save .result p:not(:text('Saving'))").first
    told.wait_for()
    said = "\n".join(part.locator(".result").all_inner_texts())
    assert told.inner_text() == "Saved. It is in use now.", said
