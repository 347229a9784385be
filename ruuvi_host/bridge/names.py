"""What `--hci` may be: a serial port, an address on the network, or an adapter of the kernel's.

Pure: nothing is looked up here.
"""

import re
from dataclasses import dataclass

from ruuvi_host.errors import ConfigError

BAUD = 1_000_000
"""Zephyr's hci_uart has it in its samples. A port on USB takes any."""
SLOWEST, FASTEST = 9600, 12_000_000

KEY = "--hci"
KINDS = (
    "write an adapter (hci0, or hci:AA:BB:CC:DD:EE:FF), a serial port (/dev/serial/by-id/…, "
    "/dev/ttyACM0, usb:VID:PID[:SERIAL], with @BAUD behind it if need be), or socket://host:port"
)


@dataclass(frozen=True, slots=True)
class SerialName:
    """A serial port of this machine, a pty, or rfc2217://host:port: H4 on a line."""

    text: str
    """As given."""
    port: str
    """A path, or a `usb:` name."""
    baud: int = BAUD


@dataclass(frozen=True, slots=True)
class NetworkName:
    """socket://host:port: H4 over TCP."""

    text: str


@dataclass(frozen=True, slots=True)
class AdapterName:
    """An adapter of this machine's kernel, by its number or by its address."""

    text: str
    index: int | None
    address: bytes = b""
    """Most significant byte first; empty: it is named by its number."""


TransportName = SerialName | NetworkName | AdapterName


def read_address(key: str, text: str) -> bytes:
    """Six bytes, most significant first, from AA:BB:CC:DD:EE:FF. Raises ConfigError."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        raise ConfigError(key, f"{text!r} is no address; write it as AA:BB:CC:DD:EE:FF")
    return bytes.fromhex(text.replace(":", ""))


def read_name(text: str) -> TransportName:
    """What `--hci` names. Raises ConfigError."""
    if found := re.fullmatch(r"hci(\d{1,3})", text):
        return AdapterName(text, int(found[1]))
    if text.startswith("hci:"):
        return AdapterName(text, None, read_address(KEY, text.removeprefix("hci:")))
    if text.startswith("socket://"):
        return NetworkName(text)
    port, at, baud = text.rpartition("@")
    if not at or not baud.isdecimal():
        port, baud = text, str(BAUD)
    if not port or not ("/" in port or port.startswith("usb:")):
        raise ConfigError(KEY, f"{text!r} is none of what it can be: {KINDS}")
    if not SLOWEST <= int(baud) <= FASTEST:
        raise ConfigError(KEY, f"{baud} baud: must be {SLOWEST} to {FASTEST}")
    return SerialName(text, port, int(baud))
