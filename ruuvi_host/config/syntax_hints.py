"""What is probably wrong at the place where a parser gave up: half a sentence, without the text
that stands there, which may be a secret. Pure."""

import re

_LINE = re.compile(r"at line ([0-9]+)")
_PYTHON = re.compile(r"=\s*(?:True|False|yes|Yes|no|No|on|On|off|Off|TRUE|FALSE)\s*(?:#.*)?$")
_NULL = re.compile(r"=\s*(?:null|None|nil)\s*(?:#.*)?$")
_BARE = re.compile(r"=\s*[A-Za-z/][^\"']*$")
_ADDRESS = re.compile(r"\[+\s*sensors\s*\.\s*[0-9A-Fa-f]{2}:")
_BACKSLASH = re.compile(r"=\s*\"[^\"]*\\")


def hint_json(text: str, at: int) -> str:
    """About JSON. at: where the parser gave up. Empty: nothing is known."""
    here, before = text[at : at + 2], text[:at].rstrip()
    if here in ("//", "/*") or here[:1] == "#":
        return "JSON has no comments"
    if here[:1] in ("}", "]") and before.endswith(","):
        return "the comma before it is one too many"
    if here[:1] == "," and text[at + 1 :].lstrip()[:1] in ("}", "]"):
        return "the comma is one too many"  # Python 3.13 and newer points at it
    if here[:1] == "'":
        return "texts stand in double quotes"
    if here[:1] == '"' and before[-1:] not in ("", "{", "[", ",", ":"):
        return "a comma is missing before it"
    if not text.strip():
        return "the file is empty"
    return ""


def hint_toml(text: str, error: str) -> str:
    """About TOML. error: of the parser, which names the line. Empty: nothing is known."""
    found = _LINE.search(error)
    lines = text.splitlines()
    if not found or not 0 < int(found[1]) <= len(lines):
        return ""
    line = lines[int(found[1]) - 1]
    if _ADDRESS.match(line.strip()):
        return 'an address stands in quotes there: [sensors."AA:BB:CC:DD:EE:FF"]'
    if _PYTHON.search(line):
        return "it is true or false, in lower case"
    if _NULL.search(line):
        return "there is no such value: leave the key out"
    if _BACKSLASH.search(line):
        return "a backslash in double quotes is written twice; in single quotes it is itself"
    if _BARE.search(line):
        return "texts stand in quotes"
    if "=" not in line and ":" in line:
        return 'it is KEY = VALUE, as port = "/dev/ttyACM0"'
    return ""
