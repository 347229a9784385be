"""The files that a configuration is read from and written to."""

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruuvi_host.config.problems import Problems, Severity

MAX_FILE = 1 << 20
"""Octets. A gateway's file has some thousand."""

GATEWAY_FILE, HOST_FILE = "gw_cfg.json", "ruuvi-host.toml"
GATEWAY_DEFAULTS = ("gw_cfg_default", "gw_cfg_default.json")
"""What a gateway was delivered with, in place of the built-in defaults."""


class Unreadable(Exception):  # noqa: N818 - it ends as a Problem
    """A file cannot be used; the text says why."""


def read_text(path: Path) -> str:
    """Raises Unreadable."""
    try:
        with open(path, "rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable("cannot be the name of a file") from error
    if len(octets) > MAX_FILE:
        raise Unreadable(f"longer than {MAX_FILE} octets: not a configuration")
    try:
        return octets.decode("utf-8-sig")  # editors of another system begin a file with a mark
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 text (at octet {error.start})") from error


def is_json(path: Path, text: str) -> bool:
    """Is it a gateway's file? TOML never begins with a brace; without text the name decides."""
    return text.lstrip().startswith("{") or path.suffix == ".json"


def parse_json(text: str, problems: Problems) -> dict[str, Any]:
    """A gateway's file. Raises Unreadable.

    Of a key that is there twice the first counts, as on the gateway.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                problems.add(key, "given more than once", "the first counts")
            else:
                result[key] = value
        return result

    try:
        document = json.loads(text, object_pairs_hook=members)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"not JSON: {error.msg} at {where}") from error
    except ValueError as error:
        raise Unreadable("holds a number of thousands of digits") from error
    except RecursionError as error:
        raise Unreadable("not JSON that can be read: nested too deeply") from error
    if not isinstance(document, dict):
        raise Unreadable("must hold one JSON object")
    return document


def parse_toml(text: str) -> dict[str, Any]:
    """The host's own file. Raises Unreadable."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"not TOML: {error}") from error
    except ValueError as error:
        raise Unreadable("holds a number of thousands of digits") from error
    except RecursionError as error:
        raise Unreadable("not TOML that can be read: nested too deeply") from error


def gateway_text(document: Mapping[str, Any]) -> str:
    """A configuration as a gateway writes it."""
    return json.dumps(document, indent="\t", ensure_ascii=False) + "\n"


def warn_if_others_read(path: Path, problems: Problems) -> None:
    """Secrets stand in these files."""
    with suppress(OSError):
        if path.stat().st_mode & 0o004:
            problems.add(str(path), "every user of this machine may read its secrets", "chmod 600")


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step, for its owner alone. Raises OSError; the file is then as it was.

    A symbolic link is followed, so that a file kept elsewhere stays there.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.new")
    try:
        with open(temporary, "w", encoding="utf-8", opener=_private) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def unreadable(problems: Problems, path: Path, why: object) -> None:
    """The whole file counts for nothing."""
    problems.add(str(path), str(why), severity=Severity.ERROR)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
