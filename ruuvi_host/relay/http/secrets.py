"""Takes our secrets out of what a server says: some repeat what we have sent, escaped as JSON, HTML
or addresses want it."""

import re
from functools import lru_cache

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
    # What is repeated in it has a limit, and a run of backslashes is one part: else a server could
    # answer with text that takes a minute to search.
    runs = re.findall(r"\\+|[^\\]", secret)
    return re.compile("".join(_in_any_form(run[0], len(run)) for run in runs))


def _in_any_form(character: str, count: int) -> str:
    """As it is, or escaped: some escape letters, too, and some twice what is escaped already.

    count: how often it comes; more than once only a backslash.
    """
    # Only here: most hosts never look for a secret, and the names take 350 kB.
    from html.entities import codepoint2name

    code = ord(character)
    escaped = "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in character.encode("utf-8", "replace"))
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = "".join(rf"\\{{1,8}}u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    forms = [
        f"(?i:{pairs})",
        f"(?i:{escaped})",
        f"(?i:&(?:amp;){{0,3}}#(?:0{{0,8}}{code}|x0{{0,8}}{code:x});)",
    ]
    if name := codepoint2name.get(code):
        forms.append(f"&(?:amp;){{0,3}}{name};")
    if character == "'":
        forms.append("&(?:amp;){0,3}apos;")
    if character == " ":
        forms.append(r"\+")
    if character == "\\":
        return rf"(?:\\{{{count},{8 * count}}}|(?:{'|'.join(forms)}){{{count}}})"
    is_plain = character.isascii() and character.isalnum()
    forms.insert(0, character if is_plain else rf"\\{{0,8}}{re.escape(character)}")
    return f"(?:{'|'.join(forms)})"
