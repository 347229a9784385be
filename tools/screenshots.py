"""Makes the pictures of docs/pages/the-page.md: `python tools/screenshots.py`.

From a simulated host in a real browser. Only the plots are made up, around the present readings,
because nobody waits six hours for them.
"""

import json
import sys
import tempfile
from math import sin
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser import browser, tab  # noqa: E402 - it stands in the folder of the tests
from programs import ruuvi_host  # noqa: E402

from ruuvi_host.simulator.board import Board  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

IMAGES = ROOT / "docs" / "pages" / "images"
SIZE = (860, 900)
LISTENING = r"local API: http://127\.0\.0\.1:(\d+)"
MOST = 100_000
"""Bytes of a picture."""
NAMES = (
    "Living room",
    "Outdoors",
    "Fridge",
    "Bathroom",
    "Freezer",
    "Cellar",
    "Sauna",
    "Greenhouse",
)
CONFIG = {
    "use_http_ruuvi": False,
    "use_http_stat": False,
    "lan_auth_type": "lan_auth_allow",
    "coordinates": "60.1699, 24.9384",
}


def host_file() -> str:
    lines = ["trust_clock = true", "[api]", 'listen = "127.0.0.1:0"']
    for name, tag in zip(NAMES, Board().tags, strict=False):
        address = ":".join(f"{octet:02X}" for octet in tag.address)
        lines += [f'[sensors."{address}"]', f"name = {json.dumps(name)}"]
    return "\n".join(lines) + "\n"


def made_up(now: dict[str, Any], query: str) -> dict[str, Any]:
    """Six hours of a quantity, ending at its present value."""
    asked = {name: value for name, [value] in parse_qs(query).items()}
    [sensor] = [each for each in now["sensors"] if each["address"] == asked["address"]]
    values = {each["name"]: each["value"] for each in sensor["readings"]}
    last = values.get(asked["quantity"]) or 0.0
    to = now["time"]
    shift = int(asked["address"][:2], 16)
    points = []
    for ago in range(180, -1, -1):
        wave = sin((ago + shift) / 31) + 0.3 * sin((ago + shift) / 7) - sin(shift / 31)
        points.append(
            [to - 120 * ago, round(last + 0.02 * abs(last) * wave * min(ago, 20) / 20, 2)]
        )
    return {"points": points, "from": to - 6 * 3600, "to": to}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("gw_cfg.json", json.dumps(CONFIG)), ("ruuvi-host.toml", host_file())):
            (folder / file).write_text(text)
            (folder / file).chmod(0o600)
        with (
            ruuvi_host(
                *("run", "--simulate", "--config", str(folder / "ruuvi-host.toml")),
                *("--state-dir", str(folder / "state")),
            ) as host,
            browser() as launched,
        ):
            url = f"http://127.0.0.1:{host.wait_for(LISTENING)[1]}/"
            with tab(launched, url, size=SIZE) as page:
                take(page, url)


def take(page: "Page", url: str) -> None:
    def answer(route: "Route") -> None:
        now = page.request.get(f"{url}host/now").json()
        route.fulfill(json=made_up(now, urlsplit(route.request.url).query))

    page.route("**/host/history*", answer)
    page.reload()
    page.locator(".sensor").nth(8).wait_for()
    page.locator(".plot").nth(3).wait_for()
    shoot(page, "now")
    data = section(page, url, "data")
    data.get_by_label("HTTP(S)", exact=True).check()
    data.get_by_label("Address", exact=True).first.fill("https://server.example/record")
    data.get_by_label("Use authentication").check()
    shoot(page, "data")
    radio = section(page, url, "radio")
    radio.get_by_label("Filter by address").check()
    shoot(page, "radio")
    access = section(page, url, "access")
    access.get_by_label("Own user and password").check()
    shoot(page, "access")


def section(page: "Page", url: str, name: str) -> Any:
    page.goto(f"{url}#{name}")
    found = page.locator(f"#section-{name}")
    found.locator(".card").first.wait_for()
    return found


def shoot(page: "Page", name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size} bytes")
    assert size <= MOST, f"more than {MOST}"


if __name__ == "__main__":
    main()
