"""Can a text be the name of a serial port? Only its form is looked at, not whether it is there."""

import re
from urllib.parse import urlsplit

NETWORK = ("socket", "rfc2217")

_USB = re.compile(r"usb:[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(?::.+)?")
_OF_WINDOWS = re.compile(r"(?i)(?:\\\\.\\)?com[0-9]+")
_WITH_SPEED = re.compile(r"(/.*/tty[A-Za-z]+[0-9]+)[:,@]([0-9]{4,7})")
_OF_KUBERNETES = re.compile(r"(?:tcp|udp|sctp)://[^/]*")
_VARIABLES = re.compile(
    r"RUUVI_HOST_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_.*)?)"
)


def why_no_port(text: str) -> str:
    """Half a sentence; empty: it can be one."""
    if not text.strip():
        return "is empty: name a port, as /dev/ttyACM0"
    if text != text.strip():
        return "has spaces at its ends"
    if "://" in text:
        return _why_no_address(text)
    if text.startswith("usb:"):
        return "" if _USB.fullmatch(text) else "must be usb:VID:PID or usb:VID:PID:SERIAL"
    if _OF_WINDOWS.fullmatch(text):
        return "is a port of Windows; here it is a device such as /dev/ttyACM0"
    if found := _WITH_SPEED.fullmatch(text):
        return f"the speed is no part of it: port {found[1]}, and baud {found[2]}"
    if "/" not in text:
        is_host = re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]+", text)
        return f"must be socket://{text}" if is_host else f"must be a path, as /dev/{text}"
    return ""


def is_of_kubernetes(variable: str, text: str) -> bool:
    """Is an environment variable one of those that Kubernetes sets for a Service that has our
    name?"""
    if variable == "RUUVI_HOST_PORT":
        return bool(_OF_KUBERNETES.fullmatch(text))
    return bool(_VARIABLES.fullmatch(variable))


def _why_no_address(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme in ("tcp", "telnet"):
        return f"a port behind a network is written socket://{rest}, or rfc2217://{rest}"
    if scheme not in NETWORK:
        return "a port behind a network begins with socket:// or rfc2217://"
    try:
        parts = urlsplit(text)
        is_complete = bool(parts.hostname and parts.port)
    except ValueError:
        is_complete = False
    return "" if is_complete else f"must be {scheme}://HOST:PORT"
