"""What is private in a text is not in it any more, and what explains a fault still is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.bundle.masking import SECRET, Masking
from ruuvi_host.capture.masks import Masks

MASKS = Masks(b"a key for tests")
ADDRESS = "CB:B8:33:4C:88:4F"
MASKED = MASKS.address(bytes.fromhex(ADDRESS.replace(":", ""))).hex(":").upper()


def masking() -> Masking:
    return Masking(MASKS, ["hunter2-password", "a(b.c*d", "abc"], ["Sauna", "x"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("posting with hunter2-password failed", f"posting with {SECRET} failed"),
        ("Bearer a(b.c*d", f"Bearer {SECRET}"),
        ("abc is too short to look for", "abc is too short to look for"),
        (f"sensor {ADDRESS} is silent", f"sensor {MASKED} is silent"),
        (f"sensor {ADDRESS.lower()}", f"sensor {MASKED.lower()}"),
        (f"coprocessor {ADDRESS}, firmware 2.0.0", f"coprocessor {MASKED}, firmware 2.0.0"),
        (f"{ADDRESS}: 200", f"{MASKED}: 200"),
        (f"{ADDRESS}:4711", f"{MASKED}:4711"),
        (f"client-{ADDRESS.replace(':', '-')}", f"client-{MASKED.replace(':', '-')}"),
        (f"ruuvi-{ADDRESS.replace(':', '')}", "ruuvi-(12 hex digits)"),
        ("id 00:11:22:33:44:55:66:77", "id (8 bytes)"),
        ("00:11:22:33:44:55:66:77:88:99", "(10 bytes)"),
        ("I am RuuviGatewayEEFF.local", "I am RuuviGatewayXXXX.local"),
        ("http://u:p@my.server/a/b?key=1", "http://host1.example/…"),
        ("(https://my.server:8443/record).", "(https://host1.example:8443/…"),
        ("http://my.server, and then my.server", "http://host1.example, and then host1.example"),
        ("http://my.server", "http://host1.example"),
        ("https://network.ruuvi.com/record?k=1", "https://network.ruuvi.com/record"),
        ("http://127.0.0.1:8080/hook/1234", "http://127.0.0.1:8080/…"),
        ("http://192.168.1.5/", "http://192.168.1.5/"),
        ("http://[2001:4860:4860::8888]:80/x", "http://host1.example:80/…"),
        ("from 8.8.8.8:4711, from 10.0.0.1", "from host1.example:4711, from 10.0.0.1"),
        ("from 2001:4860:4860::8888 and fe80::1", "from host1.example and fe80::1"),
        ("12:00:01 version 0.1.0, up 1:02:03", "12:00:01 version 0.1.0, up 1:02:03"),
        ("2026-11-27 23:16:00.123 started", "2026-11-27 23:16:00.123 started"),
        ("the Sauna is hot; Saunas", "the sensor 1 is hot; Saunas"),
        ("/home/mikko/ruuvi/gw_cfg.json", "/home/…/ruuvi/gw_cfg.json"),
        (
            "/dev/serial/by-id/usb-SEGGER_J-Link_000683456789-if00: lost",
            "/dev/serial/by-id/usb-SEGGER_J-Link_…-if00: lost",
        ),
        ("port usb:1366:0105:000683456789", "port usb:1366:0105:…"),
        ("data 0201061BFF9904051234", "data (20 hex digits)"),
        ("socket://my.server:4000: lost", "socket://host1.example:4000: lost"),
        ("/dev/ttyACM0: lost", "/dev/ttyACM0: lost"),
    ],
)
def test_a_text(text: str, expected: str) -> None:
    assert masking().text(text) == expected


def test_names_are_words() -> None:
    users = ["mikko", "\N{LATIN SMALL LETTER LONG S}1st"]
    it = Masking(MASKS, [], ["Sauna", "Sauna 2", "a(b"], users)
    assert it.text("Sauna 2, Sauna, SAUNA, Saunas, mikko, mikkola, a(b, S1ST") == (
        "sensor 2, sensor 1, sensor 1, Saunas, user 1, mikkola, sensor 3, (masked)"
    )


def test_the_same_is_called_the_same() -> None:
    it = masking()
    assert it.text("http://one.example.net/ http://two.example.net") == (
        "http://host1.example/ http://host2.example"
    )
    assert it.text("two.example.net: Connection refused") == "host2.example: Connection refused"
    assert it.text("ONE.example.net") == "host1.example"


def test_a_value_is_masked_in_all_its_depth() -> None:
    value = {ADDRESS: [{"why": "hunter2-password"}, 4, None, True], "n": 1.5}
    assert masking().value(value) == {MASKED: [{"why": SECRET}, 4, None, True], "n": 1.5}


WORDS = st.sampled_from(
    [
        *("sensor ", "a:", "-", "_", ":", " ", "0", "f", "(", "http://", "/dev/serial/by-id/usb_"),
        *("\N{LATIN SMALL LETTER LONG S}", "Sauna", "my.server", "@", "8.8.8.8", "\n", "…"),
    ]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=5))), st.lists(WORDS), st.integers(0, 2))
def test_no_address_is_left_wherever_it_stands(
    before: list[str], behind: list[str], how: int
) -> None:
    address = [ADDRESS, ADDRESS.lower(), ADDRESS.replace(":", "-")][how]
    text = masking().text(f"{''.join(before)} {address}{''.join(behind)}")
    assert address not in text


def test_nothing_is_masked_twice() -> None:
    it = masking()
    once = it.text("http://my.server/x at 8.8.8.8")
    assert it.text(once) == once
