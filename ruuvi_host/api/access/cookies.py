"""The two cookies of a gateway: the session, and where its client wanted to go before."""

import re
from urllib.parse import quote

SESSION = "RUUVISESSION"
PREVIOUS = "RUUVI_PREV_URL"
ATTRIBUTES = "; Path=/; HttpOnly; SameSite=Strict"
FORGET_PREVIOUS = f"{PREVIOUS}=; Max-Age=-1; Expires=Thu, 01 Jan 1970 00:00:00 GMT{ATTRIBUTES}"

_MOST = 4
"""Cookies of one name that are looked at: one of another path may stand before ours."""
_MARKS = "/-._~!$&'()*+:@%="
"""In a path, and in a cookie, as they are."""
_PATH = re.compile(r"/(?!/)[0-9A-Za-z/._~!$&'()*+:@%=-]*")
_NOT_TOLD = ("/ap.json", "/status.json")
"""What a page asks for by itself: nobody wants to go there."""


def values(field: str, name: str) -> list[str]:
    """Those of one name in a Cookie field."""
    pairs = (part.partition("=") for part in field.split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name][:_MOST]


def set_session(session: str) -> str:
    """A Set-Cookie."""
    return f"{SESSION}={session}{ATTRIBUTES}"


def set_previous(path: str) -> str | None:
    """A Set-Cookie that remembers the path (as it was asked for); None: it is not worth it."""
    if path in _NOT_TOLD or not is_own_path(kept := quote(path, safe=_MARKS)):
        return None
    return f"{PREVIOUS}={kept}{ATTRIBUTES}"


def is_own_path(text: str) -> bool:
    """Is it a path of this server, whoever reads it? `//name` and `/\\name` are other servers."""
    return bool(_PATH.fullmatch(text)) and len(text) <= 2048
