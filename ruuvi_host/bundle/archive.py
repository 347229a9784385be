"""The archive: its files, what each of them holds, and the README that says so."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ruuvi_host.bundle.masking import Masking
from ruuvi_host.capture.anonymize import anonymized
from ruuvi_host.capture.masks import Masks
from ruuvi_host.capture.pcapng import Record
from ruuvi_host.config.show import Line, sensor_names
from ruuvi_host.errors import ConfigError

_ABOUT = {
    "configuration.json": "every key with its value and its source; of a secret: is it set",
    "status.json": "what `ruuvi-host status --json` told: health, links, counters, accounting",
    "doctor.txt": "what `ruuvi-host doctor` found",
    "log.txt": "the last lines of the log",
    "starts.json": "how often it was started since the boot, and how the previous run ended",
    "machine.json": "versions of the program, of its libraries and of the system",
    "capture.pcapng": "some seconds of the serial port, for Wireshark and `ruuvi-host replay`",
}
_README = """\
Report of ruuvi-host {version}, made at {when}

Look at all of it before you give it to others. In it are:

{inside}
Not in it:

{outside}
Left out or masked in all files:

- secrets: passwords, keys, tokens, certificates; user names; everything behind the host in an
  address; coordinates; names of sensors; the identifier of the coprocessor
- addresses of sensors and of the gateway: each has become another one, the same in all files
- names and public addresses of servers other than Ruuvi's: host1.example, host2.example ...
- serial numbers of USB adapters, home folders, bytes of the serial line that are in no frame

Still in it: readings and times, which are data about a home, too; names of files and folders
outside of home folders; private network addresses (192.168...); names of targets.
"""

_EARLIEST = 315_532_800.0
"""1980: a zip archive knows no time before that. A clock may be wrong."""
_PERSONAL = ("user", "coordinates", "ssid", "client_id")
"""The end of keys that may name a person or a place, if not by a default. (So do names of sensors;
those of targets stand in the keys.)"""


@dataclass(frozen=True, slots=True)
class Material:
    """What there is, nothing of it masked yet. What is empty or None is not there."""

    version: str
    at: float
    """Seconds since 1970."""
    config: Sequence[Line] = ()
    secrets: Sequence[str] = field(default=(), repr=False)
    """All values that may be in no file."""
    status: Mapping[str, Any] | None = None
    log: Sequence[str] = ()
    starts: Mapping[str, Any] | None = None
    machine: Mapping[str, Any] | None = None
    findings: Sequence[str] = ()
    records: Sequence[Record] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """Name of a file → why it is not there."""


def pack(material: Material, key: bytes) -> bytes:
    """A zip archive. key: of the masks; random, and forgotten, unless for a test."""
    masks = Masks(key)
    names, users = sensor_names(material.config), _users(material.config)
    masking = Masking(masks, material.secrets, names, users)
    files: dict[str, bytes] = {}

    def add(name: str, text: str) -> None:
        files[name] = text.encode("utf-8", "replace")

    # First, because it names the servers.
    if material.config:
        add("configuration.json", _json([_line(line, masking) for line in material.config]))
    for name, value in (
        ("status.json", material.status),
        ("starts.json", material.starts),
        ("machine.json", material.machine),
    ):
        if value:
            add(name, _json(masking.value(value)))
    for name, lines in (("doctor.txt", material.findings), ("log.txt", material.log)):
        if lines:
            add(name, "".join(f"{masking.text(line)}\n" for line in lines))
    missing = dict(material.missing)
    if material.records:
        capture, done = anonymized(material.records, masks)
        if done.frames:
            files["capture.pcapng"] = capture
        else:
            missing["capture.pcapng"] = f"{done.dropped} bytes came, and no frame was among them"
    add("README.txt", _readme(material, files, {n: masking.text(w) for n, w in missing.items()}))
    return _zip(files, material.at)


def write(path: str, archive: bytes) -> None:
    """A new file that only its owner may read. Raises ConfigError: it exists, or cannot be
    written; there is none then that was not there before."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ConfigError(path, "exists; choose another name, or remove it") from error
    except (OSError, ValueError) as error:
        raise ConfigError(path, f"cannot be written: {_why(error)}") from error
    try:
        with open(fd, "wb") as file:
            file.write(archive)
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        raise ConfigError(path, f"cannot be written: {_why(error)}") from error


def check_new(path: str) -> None:
    """Before long work is done for it. Raises ConfigError."""
    if os.path.lexists(path):
        raise ConfigError(path, "exists; choose another name, or remove it")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(path, f"cannot be written: {folder} cannot be written to")


def _users(config: Iterable[Line]) -> Iterator[str]:
    """Who logs in somewhere, as the configuration names them."""
    for line in config:
        if line.key.endswith("_user") and line.source != "default" and line.value:
            yield str(line.value)


def _line(line: Line, masking: Masking) -> dict[str, Any]:
    value = line.value
    if line.is_secret:
        told: dict[str, Any] = {"set": bool(value)}
    elif line.key == "api.names":
        told = {"value": [masking.host(name) for name in value]}
    elif line.source != "default" and (line.key.endswith(_PERSONAL) or list(sensor_names([line]))):
        told = {"set": bool(value)}
    else:
        told = {"value": masking.value(value)}
    return {"key": masking.text(line.key), **told, "source": masking.text(line.source)}


def _readme(material: Material, files: Mapping[str, bytes], missing: Mapping[str, str]) -> str:
    outside = [
        f"- {name}: {missing.get(name, 'there was nothing of it')}\n"
        for name in _ABOUT
        if name not in files
    ]
    when = datetime.fromtimestamp(material.at, UTC)
    return _README.format(
        version=material.version,
        when=f"{when:%Y-%m-%d %H:%M:%S} UTC",
        inside="".join(f"- {name}: {_ABOUT[name]}\n" for name in _ABOUT if name in files),
        outside="".join(outside) or "- nothing: all of it is there\n",
    )


def _zip(files: Mapping[str, bytes], at: float) -> bytes:
    when = datetime.fromtimestamp(max(at, _EARLIEST), UTC)
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda name: (name != "README.txt", name)):
            info = ZipInfo(f"ruuvi-host-report/{name}", when.timetuple()[:6])
            info.external_attr = 0o600 << 16
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, files[name])
    return packed.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
