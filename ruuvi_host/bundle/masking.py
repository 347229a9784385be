"""Takes out of texts what is secret or identifies somebody, before others read them.

Addresses of sensors get the same masks as in a capture that was anonymized with the same key, so
that a sensor in the log can be found in the capture.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from ruuvi_host.capture.masks import Masks

SECRET = "(secret)"
_SHORTEST = 4
"""Characters of a secret that is looked for. A shorter one would be found in other words."""
_SHORTEST_NAME = 3
_ADDRESS_LENGTH = 6

_PAIR = "[0-9A-Fa-f]{2}"
_OCTETS = re.compile(
    rf"(?<![0-9A-Fa-f]){_PAIR}([:_-]){_PAIR}(?:\1{_PAIR}){{4,}}(?![0-9A-Fa-f])"
    rf"|{_PAIR}([:_-]){_PAIR}(?:\2{_PAIR}){{4,}}"  # what is glued to something
)
"""An address, an identifier of eight bytes, or more."""
_GATEWAY = re.compile(r"\bRuuviGateway[0-9A-F]{4}\b", re.IGNORECASE)
_URL = re.compile(r"(?<![\w+.-])([\w+.-]++://)([^\s'\"<>/?#]*)([^\s'\"<>]*)")
_END_OF_A_SENTENCE = ".,;:)!"
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_HOME = re.compile(r"/home/[^/\s'\":;,]+")
_SERIAL = re.compile(
    r"(/dev/serial/by-id/\S{0,255}?)_[^_\s/]{1,255}?((?:-if\d+)?(?:-port\d+)?(?![\w-]))"
)
_USB = re.compile(r"\b(usb:[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}):[^\s,;'\"]+")
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{12,}(?![0-9A-Fa-f])")
"""Bytes, perhaps with an address in them. A mask of an address has colons."""


class Masking:
    """Masks for one archive. masks: those of its capture. names, users: what people call their
    sensors, and themselves."""

    def __init__(
        self,
        masks: Masks,
        secrets: Iterable[str],
        names: Iterable[str] = (),
        users: Iterable[str] = (),
    ) -> None:
        self._masks = masks
        self._secrets = _any_of(s for s in secrets if len(s) >= _SHORTEST)
        self._names = _numbered("user", users) | _numbered("sensor", names)
        self._named = _any_word_of(n for n in self._names if len(n) >= _SHORTEST_NAME)
        self._hosts: dict[str, str] = {}
        """Those that were met in an address, and what they are called instead."""

    def value(self, value: Any) -> Any:
        """The same for every text in a JSON value, the names of members included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(inside) for name, inside in value.items()}
        if isinstance(value, list | tuple | frozenset):
            return [self.value(inside) for inside in value]
        return value

    def text(self, text: str) -> str:
        """A text without all that. Takes any."""
        if self._secrets:
            text = self._secrets.sub(SECRET, text)
        text = _OCTETS.sub(self._octets, text)
        text = _GATEWAY.sub("RuuviGatewayXXXX", text)
        text = _URL.sub(self._url, text)
        for form in (_IPV4, _IPV6):
            text = form.sub(lambda found: self._perhaps_host(found[0]), text)
        if self._hosts and (known := _any_word_of(self._hosts)):
            text = known.sub(lambda found: _called(found[0], self._hosts), text)
        if self._named:
            text = self._named.sub(lambda found: _called(found[0], self._names), text)
        text = _HOME.sub("/home/…", text)
        text = _SERIAL.sub(r"\1_…\2", text)
        text = _USB.sub(r"\1:…", text)
        return _HEX.sub(lambda found: f"({len(found[0])} hex digits)", text)

    def host(self, host: str) -> str:
        """What a host is called here. Ruuvi's servers, this machine and private addresses are
        called what they are."""
        name = host.lower().strip("[]")
        if name in self._hosts.values() or _is_harmless(name):
            return host
        return self._hosts.setdefault(name, f"host{len(self._hosts) + 1}.example")

    def _perhaps_host(self, text: str) -> str:
        """What looks like an address of the Internet, and may be a time."""
        try:
            ip_address(text)
        except ValueError:
            return text
        return self.host(text)

    def _octets(self, found: re.Match[str]) -> str:
        text, between = found[0], found[1] or found[2]
        raw = bytes.fromhex(text.replace(between, ""))
        if len(raw) != _ADDRESS_LENGTH:
            return f"({len(raw)} bytes)"
        masked = self._masks.address(raw).hex(between)
        return masked if text == text.lower() else masked.upper()

    def _url(self, found: re.Match[str]) -> str:
        """Scheme, host and port. The path, too, of Ruuvi's servers: others have keys in it."""
        scheme, server, rest = found.groups()
        server = server.rpartition("@")[2]
        end = "" if rest else server[len(server.rstrip(_END_OF_A_SENTENCE)) :]
        server = server.removesuffix(end)
        host, colon, port = server.rpartition(":")
        if not colon or not port.isdigit():
            host, colon, port = server, "", ""
        if _is_ruuvi(host.lower()):
            path = rest.partition("?")[0]
        else:
            path = "/…" if rest.rstrip(_END_OF_A_SENTENCE).strip("/") else rest
        return f"{scheme}{self.host(host) if host else ''}{colon}{port}{end}{path}"


def _is_harmless(host: str) -> bool:
    if host == "localhost" or _is_ruuvi(host) or "…" in host:
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return not host
    return not address.is_global


def _is_ruuvi(host: str) -> bool:
    return host == "ruuvi.com" or host.endswith(".ruuvi.com")


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    found = sorted({*texts}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, found))) if found else None


def _any_word_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    inside = _any_of(texts)
    return (
        re.compile(rf"(?<![\w.-])(?:{inside.pattern})(?![\w-])", re.IGNORECASE) if inside else None
    )


def _numbered(word: str, texts: Iterable[str]) -> dict[str, str]:
    """In lower case → what it is called instead."""
    return {text.lower(): f"{word} {number}" for number, text in enumerate(sorted({*texts}), 1)}


def _called(text: str, instead: Mapping[str, str]) -> str:
    """What was found without regard to case. (Some letters have others than their lower case.)"""
    return instead.get(text.lower(), "(masked)")
