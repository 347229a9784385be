"""Takes our secrets out of what a server says: some repeat what we have sent, escaped as JSON, HTML
or addresses want it."""

import re
from functools import lru_cache
from html.entities import codepoint2name

_SHORTEST = 4
"""Characters; what is shorter cannot be told from ordinary text."""


def longest_first(secrets: set[str]) -> tuple[str, ...]:
    """Those that are long enough, so that no part of one stays."""
    return tuple(sorted((s for s in secrets if len(s) >= _SHORTEST), key=len, reverse=True))


def without(secrets: tuple[str, ...], text: str) -> str:
    """What a server says, as it may be told. secrets: longest first."""
    for secret in secrets:
        text = _pattern(secret).sub("…", text)
    return text


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    return re.compile("".join(map(_in_any_form, secret)))


def _in_any_form(character: str) -> str:
    """Letters and digits are never escaped, so most of a pattern is the secret itself."""
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    escaped = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "replace"))
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = "".join(f"u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    forms = [
        rf"\\*{re.escape(character)}",
        "(?i:" + pairs.replace("u", r"\\+u") + ")",
        f"(?i:{escaped})",
        f"(?i:&#0*{code};|&#x0*{code:x};)",
    ]
    if name := codepoint2name.get(code):
        forms.append(f"&{name};")
    if character == "'":
        forms.append("&apos;")
    if character == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"
