"""The page in a real browser, against a running host: coming in, radio, names, for everybody."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import DESK, PHONE, breaches_of_access, tab

from ruuvi_host.simulator.board import Board

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route
from page_site import HOSTILE, QUIET, Site, save, section, server_card, site
from page_site import chromium as chromium
from page_site import opened as opened

DEVICE = Board().device
DEFAULT_PASSWORD = ":".join(f"{octet:02X}" for octet in DEVICE.id)
SECTIONS = ("now", "data", "radio", "access", "log")


# -- coming in ------------------------------------------------------------------------------------


def log_in(page: "Page", user: str, password: str) -> None:
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()


def test_in_and_out(chromium: "Browser", tmp_path: Path) -> None:
    """With the default password, then with one that is set on the page, by keyboard alone."""
    with site(tmp_path, QUIET) as running, tab(chromium, running.url) as page:
        log_in(page, "Admin", "wrong")
        page.get_by_text("Wrong user or password.").wait_for()
        assert page.get_by_label("Password", exact=True).input_value() == ""
        assert page.locator("nav").is_hidden()
        log_in(page, "Admin", DEFAULT_PASSWORD)  # answers the challenge that came with the refusal
        page.locator("#section-now .sensor").first.wait_for()

        access = section(page, running, "access")
        access.get_by_label("Own user and password").focus()
        page.keyboard.press("Space")
        access.get_by_text("Saving ends all sessions").wait_for()
        page.keyboard.press("Tab")
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type("pässwörd")
        page.keyboard.press("Enter")
        # Out, as it said; and in with the new one.
        page.get_by_role("button", name="Log in").wait_for()
        page.get_by_text("Saved. It is in use now.").wait_for()
        saved = running.saved()
        assert saved["lan_auth_type"] == "lan_auth_ruuvi"
        assert saved["lan_auth_user"] == "anna"
        assert re.fullmatch("[0-9a-f]{32}", saved["lan_auth_pass"])
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type("pässwörd")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in").wait_for()
        page.reload()
        page.get_by_role("button", name="Log in").wait_for()
        assert page.locator("nav").is_hidden()


# -- the rest -------------------------------------------------------------------------------------


def test_radio_and_names(chromium: "Browser", opened: Site) -> None:
    with tab(chromium, opened.url) as page:
        radio = section(page, opened, "radio")
        radio.get_by_label("Filter by address").check()
        radio.get_by_label("Everything").check()
        radio.get_by_role("button", name="Listen again").click()
        radio.get_by_text(re.compile("^[0-9]+ sensors heard.$")).wait_for()
        assert opened.saved().get("company_use_filtering", True) is True  # it was only tried
        radio.get_by_label("One manufacturer").check()
        radio.get_by_label("Manufacturer", exact=True).fill("0x0059")
        radio.get_by_label("Coded (long range)").check()
        radio.get_by_label("Filter by address").check()
        radio.get_by_label("Add an address").fill("cc:cc:cc:cc:cc:cc")
        page.keyboard.press("Enter")
        radio.get_by_text("CC:CC:CC:CC:CC:CC is ticked.").wait_for()
        radio.get_by_label("Add an address").fill("AA:AA:AA:AA:AA:AA")
        radio.get_by_role("button", name="Add", exact=True).click()
        radio.get_by_label("Pass only those").check()
        save(radio)
        saved = opened.saved()
        assert (saved["company_id"], saved["scan_default"]) == (0x59, False)
        assert saved["scan_coded_phy"] is True
        assert saved["scan_filter_list"] == ["AA:AA:AA:AA:AA:AA", "CC:CC:CC:CC:CC:CC"]
        assert saved["scan_filter_allow_listed"] is True
        radio.get_by_label("Ruuvi sensors only").check()
        radio.get_by_label("Filter by address").uncheck()
        save(radio)
        saved = opened.saved()
        assert (saved["company_id"], saved["scan_default"]) == (0x0499, True)
        assert (saved["scan_filter_list"], saved["scan_filter_allow_listed"]) == ([], False)

        fold = radio.locator("details").filter(has_text="11:22:33:44:55:66")
        fold.locator("summary").click()
        assert fold.get_by_label("Name").input_value() == HOSTILE
        fold.get_by_label("Name").fill("Fridge")
        fold.get_by_label("Temperature offset, °C").fill("-0,5")
        fold.get_by_role("button", name="Save").click()
        radio.locator("summary").filter(has_text="Fridge · 11:22:33:44:55:66").wait_for()
        own = (opened.folder / "ruuvi-host.toml").read_text()
        assert 'name = "Fridge"' in own
        assert "temperature_offset = -0.5" in own


def test_keys_for_programs(chromium: "Browser", tmp_path: Path) -> None:
    with site(tmp_path, QUIET) as running, tab(chromium, running.url) as page:
        log_in(page, "Admin", DEFAULT_PASSWORD)
        page.locator("#section-now .card").first.wait_for()
        access = section(page, running, "access")
        access.get_by_label("Key for reading", exact=True).check()
        made = access.get_by_label("Reading key", exact=True).input_value()
        assert len(made) == 44
        save(access)
        assert running.saved()["lan_auth_api_key"] == made
        assert access.get_by_label("Reading key", exact=True).input_value() == ""
        asked = page.request.get(
            f"{running.url}history", headers={"Authorization": f"Bearer {made}", "Cookie": ""}
        )
        assert asked.status == 200
        access.get_by_label("Everybody, without a password").check()
        assert access.get_by_label("Key for reading", exact=True).is_disabled()


def test_log_and_undo(chromium: "Browser", tmp_path: Path) -> None:
    config = QUIET | {"lan_auth_type": "lan_auth_allow"}
    with site(tmp_path, config) as running, tab(chromium, running.url) as page:
        data = section(page, running, "data")
        data.get_by_label("Tell times").uncheck()
        save(data)
        assert running.saved()["ntp_use"] is False
        log = section(page, running, "log")
        # Both come a moment after the section is there.
        log.locator("pre").filter(has_text="has changed ntp_use").wait_for()
        log.locator("ol").filter(has_text="ntp_use").wait_for()
        log.get_by_role("button", name="Undo the last change").click()
        log.get_by_text("The configuration before the last change is in use.").wait_for()
        assert running.saved().get("ntp_use", True) is True


# -- for everybody, everywhere ---------------------------------------------------------------------


def test_what_is_hostile_is_shown_as_text(chromium: "Browser", opened: Site) -> None:
    with tab(chromium, opened.url) as page:
        now = page.locator("#section-now")
        now.locator(".sensor h4").filter(has_text=HOSTILE).first.wait_for()
        assert HOSTILE in now.locator(".facts").inner_text()
        assert page.locator("img").count() == 0


def test_the_present_comes_without_reloading(chromium: "Browser", opened: Site) -> None:
    with tab(chromium, opened.url) as page:
        now = page.locator("#section-now > div[data-asked]")
        first = now.get_attribute("data-asked")
        page.locator(f"#section-now > div[data-asked]:not([data-asked='{first}'])").wait_for()


def test_a_plot_has_gaps_where_nothing_was_heard(chromium: "Browser", opened: Site) -> None:
    """Its points are made up: those of a host that has just started are too few."""
    to = 1_800_000_000
    values = [21.0, 22.5, *[None] * 20, 24.0, 23.0]
    points = [[to - 120 * ago, value] for ago, value in zip(range(23, -1, -1), values, strict=True)]
    with tab(chromium, opened.url) as page:
        answer = {"points": points, "from": to - 21600, "to": to}

        def with_plots(route: "Route") -> None:
            now = route.fetch().json()
            for sensor in now["sensors"]:
                sensor["plots"] = ["humidity", "temperature"] if sensor["readings"] else []
            route.fulfill(json=now)

        page.route("**/host/now", with_plots)
        page.route("**/host/history*", lambda route: route.fulfill(json=answer))
        page.reload()
        plot = page.locator(".sensor svg").first
        plot.wait_for()
        line = plot.locator("path").get_attribute("d")
        assert line
        assert (line.count("M"), line.count("L")) == (2, 2)
        said = plot.get_attribute("aria-label")
        assert said == "Temperature: lowest 21.00, highest 24.00, last 23.00 °C"
        plot.hover(position={"x": 1, "y": 20})
        assert plot.locator(".told").text_content() == "09:14: 21.00 °C"
        page.locator(".sensor:has(svg)").first.get_by_label("Plot of").select_option("Humidity")
        page.get_by_label("Humidity: lowest").wait_for()
        assert breaches_of_access(page) == []


def test_nothing_is_asked_while_nobody_looks(chromium: "Browser", opened: Site) -> None:
    asked: list[str] = []
    with tab(chromium, opened.url) as page:
        page.clock.install()
        page.reload()
        page.locator("#section-now .sensor").first.wait_for()
        page.on("request", lambda request: asked.append(request.url))
        with page.expect_request("**/host/now"):
            page.clock.run_for(10_000)
        hide = "Object.defineProperty(document, 'hidden', {get: () => %s, configurable: true});"
        change = "document.dispatchEvent(new Event('visibilitychange'));"
        page.evaluate(hide % "true" + change)
        asked.clear()
        page.clock.run_for(60_000)
        assert [url for url in asked if url.endswith("/host/now")] == []
        with page.expect_request("**/host/now"):
            page.evaluate(hide % "false" + change)


def test_a_session_that_ends_is_noticed(chromium: "Browser", tmp_path: Path) -> None:
    with site(tmp_path, QUIET) as running, tab(chromium, running.url) as page:
        log_in(page, "Admin", DEFAULT_PASSWORD)
        page.locator("#section-now .sensor").first.wait_for()
        page.context.clear_cookies()
        page.get_by_role("button", name="Log in").wait_for()
        assert page.locator(".sensor").count() == 0


def test_a_page_that_nobody_may_open_says_so(chromium: "Browser", tmp_path: Path) -> None:
    config = QUIET | {"lan_auth_type": "lan_auth_deny"}
    with site(tmp_path, config) as running, tab(chromium, running.url) as page:
        page.get_by_text("This page is not open to the network.").wait_for()


def test_a_breach_of_the_policy_is_noticed(chromium: "Browser", opened: Site) -> None:
    with (
        pytest.raises(AssertionError, match="require-trusted-types-for"),
        tab(chromium, opened.url) as page,
    ):
        page.evaluate("try { document.body.innerHTML = '<p>'; } catch {}")


@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk-light", "phone-dark"]
)
def test_for_everybody(
    chromium: "Browser", opened: Site, size: tuple[int, int], dark: bool
) -> None:
    """No breach of the rules of accessibility, contrast included; nothing wider than the screen."""
    with tab(chromium, opened.url, size=size, dark=dark) as page:
        for name in SECTIONS:
            found = section(page, opened, name)
            if name == "data":
                server_card(found).get_by_label("HTTP(S)", exact=True).check()
                found.get_by_role("button", name="Save", exact=True).click()
            for fold in found.locator("details").all():
                fold.evaluate("details => { details.open = true; }")
            assert breaches_of_access(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name


def test_a_stranger_sees_the_form_and_no_data(chromium: "Browser", tmp_path: Path) -> None:
    with site(tmp_path, QUIET) as running, tab(chromium, running.url, size=PHONE) as page:
        page.get_by_role("button", name="Log in").wait_for()
        assert breaches_of_access(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert page.evaluate("document.activeElement.labels[0].textContent") == "User"


def test_digests_of_the_page(chromium: "Browser", opened: Site) -> None:
    """Those of the gateway's own example, in the browser itself."""
    with ExitStack() as stack:
        page = stack.enter_context(tab(chromium, opened.url))
        name = page.evaluate(
            "performance.getEntriesByType('resource').map(r => r.name)"
            ".find(name => name.includes('/digest.'))"
        )
        script = f"import({json.dumps(name)}).then(d => [d.md5(%s), d.sha256(%s)])"
        secret = "c6d99660c077994648ef0edb9bb3e4df"
        challenge = "0c27bbaa345e7915ea7873bc293bc2938d5390af1bb4b2ded388477702c58ed2"
        texts = json.dumps("user1:RuuviGatewayEEFF:qwe"), json.dumps(f"{challenge}:{secret}")
        assert page.evaluate(script % texts) == [
            secret,
            "a9c36943b9e6e9536bfd5afb610a0f26aea0bcfed5c2cb5d982f13154eab8bce",
        ]
