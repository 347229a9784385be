"""The folder in which one instance keeps what must outlive it, for itself alone.

lock            held while the instance runs; names its process
gateway.json    who the coprocessor was, so that data can be sent before it is heard again
NAME.spool      undelivered batches of the target NAME, with NAME.spool-wal, NAME.spool-shm and
                NAME.ballast (see relay/spool); NAME.jsonl is the same of the first versions
NAME.refused/   bodies that its server refused
NAME.announced  what Home Assistant was told of by this broker (see relay/mqtt/announced.py)
gw_cfg.json, ruuvi-host.toml, files/    what the local API could not write elsewhere
remote.json     what was fetched from a server, and the trial of it (see remote/record.py)
configurations.json     what its last changes have replaced (see config/kept.py)
"""

import fcntl
import json
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from firmware_protocol.messages import DeviceId
from ruuvi_host import private_files
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)

_GATEWAY = "gateway.json"
_LONGEST = 1024
"""Bytes of it. It has some fifty; and what is so short cannot be nested deeply either."""
_UNUSABLE = (OSError, ValueError, TypeError, KeyError, RecursionError)


class StateDirectory:
    """Made (0700) and locked by `open`, unlocked by `close` or by the end of the process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises ConfigError when it cannot be made, or another instance has it."""
        try:
            _make(path)
            _check(path)
            lock = private_files.opener(str(path / "lock"), os.O_RDWR | os.O_CREAT)
        except OSError as error:
            why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
            problem = f"cannot keep state in {path}: {why}"
            raise ConfigError("state folder", problem) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            problem = f"{path} cannot be locked: {error.strerror}"
            if isinstance(error, BlockingIOError):
                problem = (
                    f"{path} is in use by another ruuvi-host (process {owner}); "
                    "give each instance its own with --state-dir"
                )
            raise ConfigError("state folder", problem) from error
        with suppress(OSError):  # a full disk is no reason not to relay
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        return cls(path, lock)

    @classmethod
    def look_into(cls, path: Path) -> Self:
        """Without the lock, to read what a running instance keeps there."""
        return cls(path, -1)

    def close(self) -> None:
        os.close(self._lock)

    def spools(self) -> list[str]:
        """The targets with undelivered batches."""
        return spools(self.path)

    def load_gateway(self) -> DeviceId | None:
        """Who the coprocessor was when last heard; None: not known."""
        try:
            return self._read_gateway()
        except _UNUSABLE as error:
            log.warning("%s: cannot be used (%s); it is made anew", self.path / _GATEWAY, error)
            return None

    def gateway_problem(self) -> str:
        """Why what is remembered of it cannot be used; empty: it can, or nothing is."""
        try:
            self._read_gateway()
        except _UNUSABLE as error:
            return f"{self.path / _GATEWAY}: cannot be used ({error})"
        return ""

    def _read_gateway(self) -> DeviceId | None:
        try:
            stored = json.loads(private_files.read_whole(self.path / _GATEWAY, _LONGEST))
        except FileNotFoundError:
            return None
        device = DeviceId(bytes.fromhex(stored["id"]), bytes.fromhex(stored["addr"]))
        if (len(device.id), len(device.addr)) != (8, 6):
            raise ValueError("id or address of a wrong length")
        return device

    def save_gateway(self, device: DeviceId) -> None:
        """Remember who the coprocessor is. Failing at it is only worth a warning."""
        path = self.path / _GATEWAY
        text = json.dumps({"id": device.id.hex(), "addr": device.addr.hex()}) + "\n"
        try:
            private_files.replace(path, text.encode())
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)


def spools(path: Path) -> list[str]:
    """The targets with undelivered batches in the state folder `path`."""
    return sorted({file.stem for kind in ("spool", "jsonl") for file in path.glob(f"*.{kind}")})


def set_aside(path: Path) -> list[str]:
    """Damaged spools in the state folder `path`, which nobody sends."""
    return sorted(file.name for file in path.glob("*.damaged*") if "-" not in file.suffix)


def _make(path: Path) -> None:
    """Make a folder for this user alone, and so those above it that are missing: pathlib's own
    `parents` leaves them to the umask, and the next instance may live in one of them."""
    if not path.parent.exists():
        _make(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def _check(path: Path) -> None:
    """Whoever can write there can read what waits, and have us write elsewhere."""
    if (found := path.stat()).st_mode & stat.S_IWOTH:
        problem = f"every user may write to {path}: chmod o-w, or name another with --state-dir"
        raise ConfigError("state folder", problem)
    if found.st_mode & stat.S_IWGRP:
        log.warning("%s: its group may write to it, and change what waits: chmod g-w", path)
    if (owner := found.st_uid) not in (0, os.geteuid()):
        log.warning("%s belongs to another user (%d), who may change what waits", path, owner)
