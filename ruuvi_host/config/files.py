"""The files that a configuration is read from and written to."""

import errno
import json
import os
import select
import stat
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

from ruuvi_host.config.bounds import MAX_TEXT, too_much_json, too_much_toml
from ruuvi_host.config.file_places import GATEWAY_FILE as GATEWAY_FILE
from ruuvi_host.config.file_places import HOST_FILE as HOST_FILE
from ruuvi_host.config.gateway_values import whole
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.service import Service, why_denied
from ruuvi_host.config.syntax_hints import hint_json, hint_toml
from ruuvi_host.private_files import sync_folder

PIPE_PATIENCE = 3.0
"""Timeout in seconds for a pipe."""

GATEWAY_DEFAULTS = ("gw_cfg_default", "gw_cfg_default.json")
"""What a gateway was delivered with, in place of the built-in defaults."""


class Unreadable(Exception):  # noqa: N818 - it ends as a Problem
    """A file cannot be used; the text says why."""


def read_text(path: Path) -> str:
    """Raises Unreadable."""
    try:
        # Whatever it is must not hold us up: a pipe without a writer would, and a terminal.
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = _read(file.fileno(), is_file=is_file)
    except OSError as error:
        denied = why_denied(path) if isinstance(error, PermissionError) else ""
        why = denied.removeprefix(f"{path} ") or f"cannot be read: {error.strerror}"
        raise Unreadable(why) from error
    except ValueError as error:
        raise Unreadable("cannot be the name of a file") from error
    if len(data) > MAX_TEXT:
        raise Unreadable(f"longer than {MAX_TEXT} bytes: not a configuration")
    try:
        return data.decode("utf-8-sig")  # editors of another system begin a file with a mark
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 text (at byte {error.start})") from error


def is_json(path: Path, text: str) -> bool:
    """Is it a gateway's file? TOML never begins with a brace; without text the name decides."""
    return text.lstrip().startswith("{") or path.suffix == ".json"


def parse_json(text: str, problems: Problems) -> dict[str, Any]:
    """A gateway's file. Raises Unreadable.

    Of a key that is there twice the first counts, as on the gateway.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in pairs:
            key = whole(name)
            if key in result:
                problems.add(key, "given more than once", "the first counts")
            else:
                result[key] = value
        return result

    if why := too_much_json(text):
        raise Unreadable(f"not JSON that can be read: it {why}")
    try:
        document = json.loads(
            text, object_pairs_hook=members, parse_float=_finite, parse_constant=_no_number
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        hint = hint_json(text, error.pos)
        raise Unreadable(f"not JSON: {error.msg} at {where}{_behind(hint)}") from error
    except ValueError as error:
        raise Unreadable(f"not JSON that can be read: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("must hold one JSON object")
    return document


def parse_toml(text: str) -> dict[str, Any]:
    """The host's own file. Raises Unreadable."""
    import tomllib

    check_toml(text)
    try:
        return tomllib.loads(text)
    except ValueError as error:  # what tomllib raises is one
        raise Unreadable(f"not TOML: {error}{_behind(hint_toml(text, str(error)))}") from error


def _behind(hint: str) -> str:
    return f" ({hint})" if hint else ""


def check_toml(text: str) -> None:
    """Can it be given to a parser of TOML? Raises Unreadable."""
    if why := too_much_toml(text):
        raise Unreadable(f"not TOML that can be read: it {why}")


def gateway_text(document: Mapping[str, Any]) -> str:
    """A configuration as a gateway writes it."""
    text = json.dumps(document, indent="\t", ensure_ascii=False) + "\n"
    return whole(text)


def warn_if_others_read(path: Path, problems: Problems) -> None:
    """Secrets stand in these files."""
    with suppress(OSError):
        if path.stat().st_mode & 0o004:
            problems.add(str(path), "every user of this machine may read its secrets", "chmod 600")


def write_private(path: Path, text: str | bytes) -> None:
    """Replace `path` in one step, for its owner alone, and for its group if that may read it, so
    that a power cut leaves the old file or the new one. Raises OSError; the file is then as it was.

    What root writes in a folder of root's for the service its group may read.

    A symbolic link is followed, so that a file kept elsewhere stays there; but see `is_trap`.
    """
    if not is_trap(path):
        path = Path(os.path.realpath(path))
    elif path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link in a folder of another user")
    if path.exists() and not path.is_file():  # /dev/stdout, or a pipe, must not become a file
        raise OSError(errno.EINVAL, "it is not a file")
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, "it would not be UTF-8 text") from error
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a run that was killed; or a trap: it is never followed
    try:
        with open(temporary, "wb", opener=_private) as file:
            os.fchmod(file.fileno(), _give(file.fileno(), path))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _give(fd: int, path: Path) -> int:
    """Give a new file to whom the one at `path` belongs, or its folder: root who changes the file
    of a service must not take it away. Returns the mode that it is to have."""
    mode = 0o600
    with suppress(OSError):
        owner = path.parent.stat()
        with suppress(FileNotFoundError):
            owner = path.stat()
            if not owner.st_mode & stat.S_IROTH:  # for its group, and not just for everybody
                mode |= owner.st_mode & stat.S_IRGRP
        group = owner.st_gid
        if os.geteuid() == owner.st_uid == group == 0:
            readers = Service.of().group_of(path)
            group, mode = (group, mode) if readers is None else (readers, mode | stat.S_IRGRP)
        os.fchown(fd, owner.st_uid, group)
    return mode


def is_trap(path: Path) -> bool:
    """Must a symbolic link of this name not be followed? We are root, and its folder belongs to
    somebody who could have us read and replace any file by it."""
    with suppress(OSError):
        return os.geteuid() == 0 and path.parent.stat().st_uid != 0
    return False


def remove(path: Path) -> None:
    """Remove a file, so that it is gone after a power cut, too. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def unreadable(problems: Problems, path: Path, why: object) -> None:
    """The whole file counts for nothing."""
    problems.add(str(path), str(why), severity=Severity.ERROR)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _read(fd: int, *, is_file: bool) -> bytes:
    """To the end, but little more than MAX_TEXT. Raises Unreadable, OSError."""
    data = b""
    deadline = monotonic() + PIPE_PATIENCE
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while len(data) <= MAX_TEXT:
        if not is_file and not poll.poll(1000 * max(0.0, deadline - monotonic())):
            raise Unreadable("is no file, and nothing comes out of it")
        part = os.read(fd, MAX_TEXT + 1 - len(data))
        if not part:
            break
        data += part
    if not data and not is_file and stat.S_ISFIFO(os.fstat(fd).st_mode):
        raise Unreadable("is a pipe that has been read already")
    return data


def _finite(text: str) -> float | None:
    """A number with a point or an exponent; an endless one becomes null, as on a gateway."""
    number = float(text)
    return number if isfinite(number) else None


def _no_number(text: str) -> float:
    raise Unreadable(f"not JSON: {text} is no number there")
