"""Where changes are kept: in the user's file, else in the state folder, and with a way back.

A change is written durably before anybody is told of it. What it replaces is kept before that.
"""

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruuvi_host.config.arrays import ARRAYS
from ruuvi_host.config.bounds import MAX_TEXT
from ruuvi_host.config.edit import host_keys_of, host_text
from ruuvi_host.config.file_places import FILE_NAMES
from ruuvi_host.config.files import (
    GATEWAY_FILE,
    HOST_FILE,
    Unreadable,
    gateway_text,
    is_trap,
    parse_json,
    read_text,
    remove,
    write_private,
)
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.kept import Kept, KeptConfigurations
from ruuvi_host.config.posted import after_post, posted, without_fixed
from ruuvi_host.config.problems import Problem, Problems
from ruuvi_host.config.sources import Sources
from ruuvi_host.errors import ConfigError

NOT_OURS_TO_WRITE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    errno.EBUSY,  # the file itself is mounted, as into a container
    errno.EINVAL,  # no file
    errno.ELOOP,
    errno.ENOTDIR,
}
"""Then the state folder takes a change. What may pass, as a full disk, does not count."""


LONGEST = 1 << 20
"""Bytes of a file that is kept: far more than any that the API writes."""

_ELSEWHERE = ("state_dir", "gateway_config")
"""They decide on what is read from the state folder."""
_TABLES = frozenset(array.name for array in ARRAYS)
"""Those of the state folder would take the place of all in the user's file."""


class UnwritableError(Exception):
    """A change could not be written; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Write:
    """One file to write. paths: the first that can be written gets it; text: None removes it."""

    paths: tuple[Path, ...]
    text: Callable[[Path], str | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that has not been written yet."""

    writes: Sequence[Write] = ()
    keys: tuple[str, ...] = ()
    """What it changes in the files."""
    asked: tuple[str, ...] = ()
    """What it would have changed, had it not had that value already."""
    problems: Sequence[Problem] = field(default_factory=list)
    saved: GatewayConfig | None = None
    """The gateway's keys as they will be in the file."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a change has replaced, and the changes that were kept before it."""

    replaced: dict[Path, str | None]
    earlier: Sequence[Kept]


def plan_post(sources: Sources, document: Mapping[str, Any], mac: str) -> Plan:
    """`POST /ruuvi.json`. mac: of the gateway. Raises ConfigError when what is in the file would
    be lost."""
    problems = Problems(source="POST /ruuvi.json")
    before, source = saved(sources), str(sources.gateway_path or "")
    keys = without_fixed(posted(document, problems, mac), before, sources.gateway)
    after = after_post(saved(sources), keys, problems, source=source)
    text, asked = gateway_text(after.document()), tuple(keys)
    if after.document() == before.document():
        return Plan(asked=asked, problems=problems.found, saved=after)
    if len(text.encode()) > MAX_TEXT:
        raise ConfigError(source, f"would be longer than {MAX_TEXT} bytes")
    changed = tuple(name for name in after.values if after[name] != before[name])
    write = Write(gateway_paths(sources), lambda _: text)
    return Plan((write,), changed, asked, problems.found, after)


def saved(sources: Sources) -> GatewayConfig:
    """The gateway's keys as they are in the files now. Raises ConfigError."""
    gateway = GatewayConfig()
    if not sources.gateway_files:
        gateway.switch_off()
    for path in sources.gateway_files:
        problems = Problems(source=str(path))
        try:
            gateway.update(parse_json(read_text(path), problems), problems)
        except Unreadable as error:
            raise ConfigError(str(path), str(error)) from error
    return gateway


def gateway_paths(sources: Sources) -> tuple[Path, ...]:
    """Where the gateway's keys may be written, the best place first; whichever folder it is told
    in, as who goes back may be in another one."""
    kept = sources.state / GATEWAY_FILE if sources.state else None
    paths = (sources.gateway_path, kept)
    return tuple(dict.fromkeys(_absolute(path) for path in paths if path))


def plan_host(sources: Sources, pairs: Sequence[tuple[str, str]]) -> Plan:
    """Keys of ruuvi-host.toml, as `config set` has them. Raises ConfigError."""
    keys = host_keys_of(pairs)
    kept = sources.state / HOST_FILE if sources.state else None
    own = sources.host_path
    user_gateway = sources.hidden_path or sources.gateway_path
    if own is None and user_gateway and user_gateway.parent != sources.state:
        own = user_gateway.parent / HOST_FILE
    if sources.kept_host_path:  # it counts above the user's
        own = None

    def text(path: Path) -> str:
        if path == kept:
            for name in keys:
                if name in _ELSEWHERE or name.partition(".")[0] in _TABLES:
                    raise ConfigError(name, "has to be set in the ruuvi-host.toml of your own")
        return host_text(path, keys)

    paths = tuple(path for path in (own, kept) if path)
    return Plan((Write(paths, text),), tuple(keys), tuple(keys))


def plan_undo(sources: Sources, number: int = 1) -> Plan:
    """Back to the configuration before the `number`th change. Raises ConfigError."""
    changes = undoable(sources.state)
    if not 1 <= number <= len(changes):
        there = f"there are {len(changes)}" if changes else "there is none"
        raise ConfigError("undo", f"no earlier configuration of that number is kept: {there}")
    texts: dict[Path, str | None] = {}
    for change in changes[:number]:
        texts |= change.before
    # The state may belong to another user, who must not have root write anywhere else.
    for path in texts.keys() - _places(sources):
        raise ConfigError("undo", f"{path}, which was changed, is no file of this configuration")
    writes = [
        Write((path,), lambda _, text=text: text)  # type: ignore[misc]
        for path, text in texts.items()
        if present(path) != text
    ]
    keys = dict.fromkeys(key for change in changes[:number] for key in change.keys)
    return Plan(writes, tuple(keys), tuple(keys))


def _places(sources: Sources) -> set[Path]:
    """All files that a change may have written."""
    of_users = (sources.gateway_path, sources.hidden_path, sources.host_path)
    folders = {path.parent for path in of_users if path}
    if sources.state:
        folders.add(sources.state)
    names = {folder / name for folder in folders for name in (GATEWAY_FILE, HOST_FILE)}
    beside = {
        folder / f"{name}{suffix}"
        for folder in sources.places.reading
        for name in FILE_NAMES
        for suffix in ("", ".pem")
    }
    return {_absolute(path) for path in (*of_users, *names, *beside) if path}


def _absolute(path: Path) -> Path:
    """As it is kept: who goes back may be in another folder."""
    return Path(os.path.abspath(path))


def undoable(state: Path | None) -> list[Kept]:
    """The changes that there is a way back from, the newest first."""
    kept = KeptConfigurations(state).read() if state else []
    # One that was interrupted, or that could not be taken up, has changed nothing.
    while kept and all(_has(path, text) for path, text in kept[0].before.items()):
        kept.pop(0)
    return kept


def carry_out(plan: Plan, state: Path | None, by: str, now: float) -> Written:
    """Write all of it durably, or nothing. Raises UnwritableError, ConfigError."""
    for write in plan.writes:
        if not write.paths:
            raise UnwritableError("there is no file to write to, and no state folder")
        write.text(write.paths[0])  # what cannot be used is told before anything is written
    history = KeptConfigurations(state) if state else None
    written = Written({}, undoable(state))
    for write in plan.writes:
        for place in write.paths:
            path = _absolute(place)
            try:
                text, before = write.text(place), _read(path)
                if text == before:
                    break
                if history:
                    replaced = written.replaced | {path: before}
                    history.write([Kept(now, by, plan.keys, replaced), *written.earlier])
                _put(path, text)
            except OSError as error:
                if error.errno in NOT_OURS_TO_WRITE and place != write.paths[-1]:
                    continue
                take_back(written, state)
                problem = error.strerror or error
                raise UnwritableError(f"{path}: cannot be written: {problem}") from error
            except ConfigError:
                take_back(written, state)
                raise
            written.replaced[path] = before
            break
    return written


def take_back(written: Written, state: Path | None) -> None:
    """Put back what a change has replaced, as if it had not been. Raises UnwritableError."""
    for path, text in written.replaced.items():
        try:
            _put(path, text)
        except OSError as error:
            problem = error.strerror or error
            raise UnwritableError(f"{path}: cannot be put back: {problem}") from error
    if state:
        KeptConfigurations(state).write(written.earlier)


def _put(path: Path, text: str | None) -> None:
    if text is None:
        remove(path)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode("utf-8", "surrogateescape"))


def present(path: Path) -> str | None:
    """What is in it, also what is no UTF-8; None: it is not there. Raises ConfigError."""
    try:
        return _read(path)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error


def _has(path: Path, text: str | None) -> bool:
    with suppress(OSError):
        return _read(path) == text
    return False


def _read(path: Path) -> str | None:
    """Raises OSError."""

    def opener(name: str, flags: int) -> int:
        not_followed = os.O_NOFOLLOW if is_trap(path) else 0
        return os.open(name, flags | not_followed | os.O_NONBLOCK | os.O_NOCTTY)

    try:
        with open(path, "rb", opener=opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is not a file")
            return file.read(LONGEST).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
