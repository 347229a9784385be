"""What a text may hold before a parser sees it: for what is nested deeply parsers take far more
time and memory than the text has bytes. The TOML parser takes the square of a key's parts, and the
one that keeps comments the square of the number of dotted keys.

A parser reads from the left and stops at the first error, and what is read here is read as it
reads it up to there. So nothing behind an unclosed quote, or in a comment, is counted.
"""

import re
from collections.abc import Iterator

MAX_TEXT = 256 << 10
"""Bytes. A gateway's file has some thousand, and a ruuvi-host.toml with all that it may hold less
than two hundred thousand."""

MAX_DEPTH = 50
"""Of objects, lists and tables inside each other. A gateway's file has two."""

MAX_PARTS = 3
"""Of a dotted key, with those of the table it is in: gateway.wifi_sta_config.ssid."""

MAX_DOTS = 500
"""In all dotted keys together. There are not two hundred keys."""

MAX_WORD = 1000
"""Characters of a number, or of a key without quotes."""

_JSON = re.compile(
    r"""
      "(?: [^"\\] | \\. )*+ "?        # a text
    | [\[\]{}]
    | [^\s\[\]{}",:]++                # a word: a number, true, …
    """,
    re.VERBOSE | re.DOTALL,
)
_TOML = re.compile(
    r"""
      "{3} (?: [^"\\] | \\. | "{1,2}(?!") )*+ "{0,5}      # texts, those of several lines first
    | '{3} (?: [^'] | '{1,2}(?!') )*+ '{0,5}
    | " (?: [^"\\\n] | \\[^\n] )*+ "?
    | ' [^'\n]*+ '?
    | \# [^\n]*+
    | [\[\]{}=,.\n]
    | [^\s\[\]{}"'\#=,.]++                                # a word: a key, a number, a time
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'#"
_TOO_DEEP = "is nested too deeply"
_TOO_LONG = f"holds a number or a word of more than {MAX_WORD} characters"


def too_much_json(text: str) -> str:
    """Why this text is not given to a JSON parser; empty: it is."""
    depth = 0
    for token in _tokens(_JSON, text):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth > MAX_DEPTH:
            return _TOO_DEEP
        if token[0] not in _QUOTES and len(token) > MAX_WORD:
            return _TOO_LONG
    return _too_large(text)


def too_much_toml(text: str, most_dots: int = MAX_DOTS) -> str:
    """Why this text is not given to a TOML parser; empty: it is.

    most_dots: in all dotted keys together.
    """
    depth = dots = 0
    table, parts = 0, 1  # the parts of the present table's name; of what is read now, with these
    at_key, in_name = True, False
    for token in _tokens(_TOML, text):
        if token in _OPENING:
            if at_key and depth == 0:
                in_name, table = True, 0
            depth, parts = depth + 1, 1
        elif token in _CLOSING:
            depth -= 1
        elif token == "\n":
            table, in_name = (parts, False) if in_name else (table, False)
            at_key, parts = True, table + 1
        elif token in "=,":
            at_key, parts = False, 1
        elif token == ".":
            # Behind the "=" of a line there are no keys, but in brackets; only numbers have it.
            dots, parts = dots + (at_key or depth > 0), parts + 1
        elif token[0] not in _QUOTES and len(token) > MAX_WORD:
            return _TOO_LONG
        if depth > MAX_DEPTH:
            return _TOO_DEEP
        if parts > MAX_PARTS:
            return f"{_TOO_DEEP}: a key has more than {MAX_PARTS} parts"
        if dots > most_dots:
            return f"holds more than {most_dots} dots in its keys"
    return _too_large(text)


def _tokens(kind: re.Pattern[str], text: str) -> Iterator[str]:
    """Those of as much of the text as may be."""
    return (found[0] for found in kind.finditer(text, 0, MAX_TEXT))


def _too_large(text: str) -> str:
    return f"is longer than {MAX_TEXT} characters" if len(text) > MAX_TEXT else ""
