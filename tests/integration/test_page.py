"""The page in a real browser, against a running host: what a person sets is what servers get."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import DESK, PHONE, breaches_of_access, browser, tab
from certificates import authority, chain, server_context
from page_receiver import Posted, Receiver, page_receiver
from programs import Program, ruuvi_host

from ruuvi_host.simulator.board import Board

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

DEVICE = Board().device
DEFAULT_PASSWORD = ":".join(f"{octet:02X}" for octet in DEVICE.id)
SECTIONS = ("now", "data", "radio", "access", "log")
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
    return found


def server_card(data: "Locator") -> "Locator":
    return data.locator(".card").first


def save(part: "Locator") -> None:
    part.get_by_role("button", name="Save", exact=True).click()
    told = part.locator(".save .result p:not(:text('Saving'))").first
    told.wait_for()
    said = "\n".join(part.locator(".result").all_inner_texts())
    assert told.inner_text() == "Saved. It is in use now.", said


def tags_of(post: Posted) -> dict[str, Any]:
    tags: dict[str, Any] = json.loads(post.body)["data"]["tags"]
    return tags


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


# -- where data goes ------------------------------------------------------------------------------


def test_each_kind_of_server(chromium: "Browser", tmp_path: Path) -> None:
    """Address, interval, authentication, long address, header lines; of a host on which nobody has
    set anything yet."""
    config = QUIET | {"lan_auth_type": "lan_auth_allow"}
    with (
        site(tmp_path, config) as opened,
        page_receiver() as server,
        tab(chromium, opened.url) as page,
    ):
        data = section(page, opened, "data")
        card = server_card(data)
        card.get_by_label("HTTP(S)", exact=True).check()
        address = card.get_by_label("Address", exact=True)
        assert address.input_value() == ""  # not the cloud's
        assert card.get_by_label("Interval in seconds").input_value() == "30"
        address.fill(f"{server.url.removeprefix('http://')}/record?a=b")  # http is meant
        card.get_by_label("Interval in seconds").fill("11")
        card.get_by_label("Use authentication").check()
        card.get_by_label("User", exact=True).fill("anna")
        card.get_by_label("Password", exact=True).fill("secret 1")
        save(data)
        post = relayed(server, "/record?a=b")
        assert post["Authorization"] == "Basic YW5uYTpzZWNyZXQgMQ=="
        assert opened.saved()["http_period"] == 11
        opened.program.wait_for("custom: .* every 11 s")

        # Seen again, a secret is only a hint, and is not sent again.
        card = server_card(section(page, opened, "data"))
        password = card.get_by_label("Password", exact=True)
        assert password.input_value() == ""
        assert password.get_attribute("placeholder") == "********"
        address = card.get_by_label("Address", exact=True)
        address.fill(f"{server.url}/other")
        save(page.locator("#section-data"))
        assert opened.saved()["http_pass"] == "secret 1"
        post = relayed(server, "/other")
        assert post["Authorization"] == "Basic YW5uYTpzZWNyZXQgMQ=="

        # Another kind forgets the secret; a long address goes into fields of its own.
        card.get_by_label("Bearer", exact=True).check()
        key = card.get_by_label("Bearer key", exact=True)
        assert key.get_attribute("placeholder") == ""
        key.fill("bearer/key")
        long = "/" + "p" * 300
        card.get_by_label("Address", exact=True).fill(f"{server.url}{long}?{'q' * 200}=1")
        assert card.get_by_label("Long address").is_checked()
        assert card.get_by_label("Path", exact=True).input_value() == long
        card.get_by_label("Add header lines").check()
        card.get_by_label("Header lines", exact=True).fill("  X-One:1\n\nX-Two :  two words ")
        save(page.locator("#section-data"))
        post = relayed(server, f"{long}?{'q' * 200}=1")
        assert post["Authorization"] == "Bearer bearer/key"
        assert post["X-One"] == "1"
        assert post["X-Two"] == "two words"
        assert (opened.folder / "http_headers").read_bytes() == b"X-One: 1\r\nX-Two: two words\r\n"

        # Back to a short one, without anything more.
        card.get_by_label("Long address").uncheck()
        card.get_by_label("Address", exact=True).fill(f"{server.url}/short")
        card.get_by_label("Add header lines").uncheck()
        card.get_by_label("Use authentication").uncheck()
        save(page.locator("#section-data"))
        post = relayed(server, "/short")
        assert "Authorization" not in post
        assert "X-One" not in post
        assert not (opened.folder / "http_headers").exists()
        assert not (opened.folder / "http_path").exists()


def relayed(server: Receiver, target: str) -> Posted:
    """The first post of the relay to that target, after that of the check, which looks alike."""
    server.wait_for(lambda post: sum(p.target == target for p in server.posts) >= 2)
    return [post for post in server.posts if post.target == target][1]


@pytest.mark.parametrize(
    ("label", "value", "there", "missing"),
    [
        ("Raw and decoded", "ruuvi_raw_and_decoded", {"data", "temperature"}, set()),
        ("Decoded only", "ruuvi_decoded", {"temperature"}, {"data"}),
        ("Raw", "ruuvi", {"data"}, {"temperature"}),
    ],
)
def test_formats(
    chromium: "Browser",
    fast: tuple[Site, Receiver],
    label: str,
    value: str,
    there: set[str],
    missing: set[str],
) -> None:
    running, server = fast
    with tab(chromium, running.url) as page:
        data = section(page, running, "data")
        server_card(data).get_by_label(label, exact=True).check()
        save(data)
        assert running.saved()["http_data_format"] == value
        assert running.saved()["http_period"] == 1  # what is shorter than the page offers stays
        post = server.wait_for(lambda post: bool(tags_of(post)), len(server.posts))
        members = set(next(iter(tags_of(post).values())))
        assert there <= members
        assert not missing & members


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Receiver]]:
    """A host that posts each second."""
    with page_receiver() as server:
        own = {"use_http": True, "http_url": server.url, "http_period": 1}
        own |= {"lan_auth_type": "lan_auth_allow"}
        with site(tmp_path_factory.mktemp("fast"), QUIET | own) as running:
            yield running, server


@pytest.mark.parametrize(
    ("kind", "sent"), [("Token", "Token the key"), ("API key", "the key")], ids=["token", "api"]
)
def test_keys_by_the_check_alone(chromium: "Browser", opened: Site, kind: str, sent: str) -> None:
    """What the button sends is not saved."""
    before = opened.saved()
    with page_receiver() as server, tab(chromium, opened.url) as page:
        data = section(page, opened, "data")
        card = server_card(data)
        card.get_by_label("HTTP(S)", exact=True).check()
        card.get_by_label("Address", exact=True).fill(f"{server.url}/")
        if card.get_by_label("Long address").is_checked():
            card.get_by_label("Long address").uncheck()
            card.get_by_label("Address", exact=True).fill(f"{server.url}/")
        card.get_by_label("Use authentication").check()
        card.get_by_label(kind, exact=True).check()
        card.get_by_label("Key", exact=True).fill("the key")
        data.get_by_role("button", name="Check").click()
        card.get_by_text("Good: the server accepts").wait_for()
        assert server.wait_for(lambda post: True)["Authorization"] == sent
        server.status = 401
        card.get_by_label("Key", exact=True).fill("another key")
        data.get_by_role("button", name="Save", exact=True).click()
        card.locator(".result .bad").wait_for()
        assert "401" in card.inner_text()
        data.get_by_role("button", name="Save in spite of the errors").wait_for()
    assert opened.saved() == before


def test_certificates(chromium: "Browser", opened: Site) -> None:
    """Its own authority, and a certificate of the gateway's, up to the server and away again."""
    context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
    client = authority().issue_cert("gateway.example")
    ours = authority().cert_pem.bytes()
    with page_receiver(context) as server, tab(chromium, opened.url) as page:
        data = section(page, opened, "data")
        card = server_card(data)
        card.get_by_label("HTTP(S)", exact=True).check()
        if card.get_by_label("Long address").is_checked():
            card.get_by_label("Long address").uncheck()
        card.get_by_label("Address", exact=True).fill(f"{server.url}/tls")
        card.get_by_role("checkbox", name="Client certificate").check()
        data.get_by_role("button", name="Save", exact=True).click()
        card.get_by_text("Upload first: certificate, key.").wait_for()
        for button, name, content in (
            ("Upload certificate", "mine.crt", chain(client)),
            ("Upload key", "mine.key", client.private_key_pem.bytes()),
        ):
            pick(page, card.get_by_role("button", name=button).first, name, content)
        assert card.get_by_role("button", name="Upload key").is_disabled()
        card.get_by_role("checkbox", name="Own server certificate").check()
        wrong = card.get_by_role("button", name="Upload certificate").nth(1)
        pick(page, wrong, "wrong.pem", b"no certificate")
        card.get_by_text("wrong.pem is not in PEM form").wait_for()
        pick(page, wrong, "ca.pem", ours)
        assert not (opened.folder / "http_cli_cert").exists()  # not before it is saved
        save(data)
        post = relayed(server, "/tls")
        names = [value for part in post.certificate["subjectAltName"] for value in part]
        assert "gateway.example" in names
        assert (opened.folder / "http_srv_cert").read_bytes() == ours
        assert (opened.folder / "http_cli_key").stat().st_mode & 0o777 == 0o600

        card = server_card(page.locator("#section-data"))
        assert card.get_by_text("The certificate is stored. The key is stored.").is_visible()
        card.get_by_role("button", name="Remove both").click()
        card.get_by_role("checkbox", name="Client certificate").uncheck()
        data.get_by_role("button", name="Save", exact=True).click()
        # The server wants a certificate, so the check fails, and it is saved all the same.
        data.get_by_role("button", name="Save in spite of the errors").click()
        data.get_by_text("Saved. It is in use now.").wait_for()
        assert not (opened.folder / "http_cli_cert").exists()
        assert opened.saved()["http_use_ssl_client_cert"] is False


def pick(page: "Page", button: "Locator", name: str, content: bytes) -> None:
    """Have a file picked by that button."""
    with page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files({"name": name, "mimeType": "text/plain", "buffer": content})


def test_what_is_wrong_is_said_beside_the_field(chromium: "Browser", opened: Site) -> None:
    before = opened.saved()
    with tab(chromium, opened.url) as page:
        data = section(page, opened, "data")
        card = server_card(data)
        card.get_by_label("HTTP(S)", exact=True).check()
        address = card.get_by_label("Address", exact=True)
        for text, why in (
            ("", "This must not be empty."),
            ("ftp://server/", "must begin with http"),
            ("https://network.ruuvi.com/record", "This is Ruuvi Cloud"),
        ):
            address.fill(text)
            data.get_by_role("button", name="Save", exact=True).click()
            data.get_by_text("Something is to be corrected first.").wait_for()
            assert why in card.locator(".field").nth(2).inner_text()
            assert address.get_attribute("aria-invalid") == "true"
            assert address.evaluate("input => document.activeElement === input")
        address.fill("http://server.example/")
        for text in ("9", "3601", "10.5", "x"):
            card.get_by_label("Interval in seconds").fill(text)
            data.get_by_role("button", name="Save", exact=True).click()
            card.get_by_text("A whole number from 10 to 3600.").wait_for()
        eye = card.get_by_role("button", name="Show Password")
        if not card.get_by_label("Use authentication").is_checked():
            card.get_by_label("Use authentication").check()
        card.get_by_label("Basic", exact=True).check()
        password = card.get_by_label("Password", exact=True)
        password.fill("seen")
        assert password.get_attribute("type") == "password"
        eye.click()
        assert password.get_attribute("type") == "text"
        card.get_by_label("User", exact=True).fill("another")
        assert password.input_value() == ""
    assert opened.saved() == before


def test_ruuvi_cloud_and_nowhere(chromium: "Browser", tmp_path: Path) -> None:
    """A host of simulated data sends nothing there, so what is saved is looked at."""
    config = QUIET | {"use_http_ruuvi": True, "lan_auth_type": "lan_auth_allow"}
    with site(tmp_path, config) as running, tab(chromium, running.url) as page:
        data = section(page, running, "data")
        card = server_card(data)
        assert card.get_by_label("Ruuvi Cloud", exact=True).is_checked()
        assert not card.get_by_label("HTTP(S)", exact=True).is_checked()
        assert card.get_by_label("Address", exact=True).is_hidden()
        card.get_by_label("Ruuvi Cloud", exact=True).uncheck()
        save(data)
        assert (running.saved()["use_http_ruuvi"], running.saved()["use_http"]) == (False, False)
        now = page.locator("#section-now")
        page.goto(f"{running.url}#now")
        now.get_by_text("Nothing is sent anywhere.").wait_for()
        data = section(page, running, "data")
        server_card(data).get_by_label("Ruuvi Cloud", exact=True).check()
        data.get_by_role("button", name="Save", exact=True).click()
        data.get_by_text("Ruuvi Cloud: ").filter(has_text="never sent to Ruuvi").wait_for()
        data.get_by_role("button", name="Save in spite of the errors").click()
        data.get_by_text("Saved. It is in use now.").wait_for()
        assert running.saved()["use_http_ruuvi"] is True


def test_statistics(chromium: "Browser", opened: Site) -> None:
    with page_receiver() as server, tab(chromium, opened.url) as page:
        data = section(page, opened, "data")
        card = data.locator(".card").nth(1)
        card.get_by_label("Own server", exact=True).check()
        card.get_by_label("Address", exact=True).fill(f"{server.url}/status")
        card.get_by_label("User (optional)", exact=True).fill("stat")
        card.get_by_label("Password (optional)", exact=True).fill("password")
        save(data)
        post = server.wait_for(lambda post: post.target == "/status")
        assert post["Authorization"].startswith("Basic ")
        saved = opened.saved()
        assert saved["http_stat_user"] == "stat"
        assert saved["use_http_stat"] is True
        card.get_by_label("Nowhere").check()
        save(data)
        assert opened.saved()["use_http_stat"] is False


def test_a_key_that_is_fixed_elsewhere(chromium: "Browser", tmp_path: Path) -> None:
    config = QUIET | {"lan_auth_type": "lan_auth_allow"}
    own = '[gateway]\nhttp_period = 20\nntp_use = false\nlan_auth_type = "lan_auth_allow"\n'
    with site(tmp_path, config, own) as running, tab(chromium, running.url) as page:
        data = section(page, running, "data")
        server_card(data).get_by_label("HTTP(S)", exact=True).check()
        assert data.get_by_label("Interval in seconds").is_disabled()
        assert data.get_by_label("Tell times").is_disabled()
        where = f"is set by {running.folder / 'ruuvi-host.toml'} and can be changed only there."
        assert f"http_period {where}" in data.inner_text()
        access = section(page, running, "access")
        assert access.get_by_label("Default password").is_disabled()
        assert f"lan_auth_type {where}" in access.inner_text()


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
