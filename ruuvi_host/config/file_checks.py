"""Can a file that somebody gives us be used? Certificates, keys, extra parts of requests. Pure."""

import re

from ruuvi_host.config.file_places import CERTIFICATES

LONGEST_PART = 8192
"""Bytes of an extra part, as on the gateway."""

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t]*\r?\n")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED", re.M)
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*)")
_OURS = (b"host", b"content-length", b"transfer-encoding", b"connection")
"""A request would be another one with these."""


def unusable(name: str, content: bytes) -> str:
    """Why the file `name` cannot be used; empty: it can."""
    if name in CERTIFICATES:
        return _unusable_pem(content)
    if b"\0" in content:
        return "it has zero bytes"
    return _unusable_lines(content) if name == "http_headers" else ""


def _unusable_pem(content: bytes) -> str:
    # A label is looked for once: a search from each beginning to its end would take its square.
    begins = {found[1]: found.end() for found in reversed(list(_BEGIN.finditer(content)))}
    if not any(content.rfind(b"-----END %b-----" % label) >= at for label, at in begins.items()):
        return "it has no PEM block (-----BEGIN …-----)"
    if _ENCRYPTED.search(content):
        return "the key is encrypted with a pass phrase, so it cannot be used"
    return ""


def _unusable_lines(content: bytes) -> str:
    if not content.endswith(b"\r\n"):
        return "its last line must end with CR LF"
    for number, line in enumerate(content.removesuffix(b"\r\n").split(b"\r\n"), 1):
        found = _LINE.fullmatch(line)
        if not found:
            return f"line {number} is not name: value"
        if found[1].lower() in _OURS:
            return f"line {number} sets {found[1].decode('ascii')}, which the request has itself"
    return ""
