"""What `--hci` may be, and what is said of what it may not be."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.bridge.names import AdapterName, NetworkName, SerialName, TransportName, read_name
from ruuvi_host.errors import ConfigError

BY_ID = "/dev/serial/by-id/usb-ZEPHYR_HCI_1234-if00"
ADDRESS = bytes.fromhex("dca632010203")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hci0", AdapterName("hci0", 0)),
        ("hci15", AdapterName("hci15", 15)),
        ("hci:DC:A6:32:01:02:03", AdapterName("hci:DC:A6:32:01:02:03", None, ADDRESS)),
        ("hci:dc:a6:32:01:02:03", AdapterName("hci:dc:a6:32:01:02:03", None, ADDRESS)),
        ("socket://[::1]:4000", NetworkName("socket://[::1]:4000")),
        ("/dev/ttyACM0", SerialName("/dev/ttyACM0", "/dev/ttyACM0", 1_000_000)),
        ("/dev/ttyS0@115200", SerialName("/dev/ttyS0@115200", "/dev/ttyS0", 115200)),
        (BY_ID, SerialName(BY_ID, BY_ID)),
        ("usb:2fe3:000b:12", SerialName("usb:2fe3:000b:12", "usb:2fe3:000b:12")),
        ("usb:2fe3:000b@460800", SerialName("usb:2fe3:000b@460800", "usb:2fe3:000b", 460800)),
        ("/dev/odd@name", SerialName("/dev/odd@name", "/dev/odd@name")),
        ("rfc2217://pi:4000", SerialName("rfc2217://pi:4000", "rfc2217://pi:4000")),
    ],
)
def test_names(text: str, name: TransportName) -> None:
    assert read_name(text) == name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hci", "'hci' is none of what it can be: write an adapter (hci0, or"),
        ("", "none of what it can be"),
        ("ttyACM0", "none of what it can be"),
        ("hci1234", "none of what it can be"),
        ("hci-1", "none of what it can be"),
        ("@1000000", "none of what it can be"),
        ("hci:1", "'1' is no address; write it as AA:BB:CC:DD:EE:FF"),
        ("hci:AA:BB:CC:DD:EE:GG", "is no address"),
        ("/dev/ttyS0@300", "300 baud: must be 9600 to 12000000"),
        ("/dev/ttyS0@99999999999", "99999999999 baud"),
    ],
)
def test_what_is_no_name(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_name(text)
    assert str(refused.value).startswith("--hci: ")
    assert complaint in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_an_error(text: str) -> None:
    with suppress(ConfigError):
        assert read_name(text).text == text
