"""Where data goes, set on the page in a real browser: what a person sets is what servers get."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import tab
from certificates import authority, chain, server_context
from page_receiver import Posted, Receiver, page_receiver

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route
from page_site import QUIET, Site, save, section, server_card, site
from page_site import chromium as chromium
from page_site import opened as opened


def tags_of(post: Posted) -> dict[str, Any]:
    tags: dict[str, Any] = json.loads(post.body)["data"]["tags"]
    return tags


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


def test_a_section_that_is_shown_again_takes_nothing_before_it_is_drawn(
    chromium: "Browser", opened: Site
) -> None:
    """What is changed in what it showed the last time would be lost."""
    with tab(chromium, opened.url) as page:
        label = "Use authentication"
        server_card(section(page, opened, "data")).get_by_label("HTTP(S)", exact=True).check()
        section(page, opened, "now")
        asked: list[Route] = []
        page.route("**/host/settings", lambda route: asked.append(route))
        page.goto(f"{opened.url}#data")
        held = page.locator("#section-data[inert]")
        held.get_by_label(label).first.wait_for()
        page.goto(f"{opened.url}#now")  # away and back
        page.goto(f"{opened.url}#data")
        while len(asked) < 2:
            page.wait_for_timeout(10)
        first, second = asked
        before = page.query_selector("#section-data form")
        first.continue_()
        page.wait_for_function("form => !form.isConnected", arg=before)
        assert held.count() == 1
        second.continue_()
        page.locator("#section-data:not([inert])").wait_for()


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
