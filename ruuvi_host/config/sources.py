"""Gathers a configuration from all its sources, each on top of the one before:

    defaults · gw_cfg_default · gw_cfg.json · ruuvi-host.toml · RUUVI_HOST_… · options

What the local API could not write into the user's files is in the state folder: a gw_cfg.json there
takes the place of the user's, and a ruuvi-host.toml there is on top of the user's. All problems are
reported at once.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ruuvi_host.config.arrays import ARRAYS, Array
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.file_places import KEPT_FILES, FilePlaces
from ruuvi_host.config.files import (
    GATEWAY_DEFAULTS,
    GATEWAY_FILE,
    HOST_FILE,
    Unreadable,
    is_json,
    parse_json,
    parse_toml,
    read_text,
    unreadable,
    warn_if_others_read,
)
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME, Kind
from ruuvi_host.config.gateway_values import from_text
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.config.host_values import GATEWAY, HostValues, unknown
from ruuvi_host.config.keys import HostKey, HostKind, flattened, value_from_text
from ruuvi_host.config.port_form import is_of_kubernetes
from ruuvi_host.config.problems import Problems, Severity, nearly
from ruuvi_host.config.sensor_tables import SENSORS, SensorTables, is_of_sensor, is_secret
from ruuvi_host.config.service import ROOT_VARIABLE

PREFIX = "RUUVI_HOST_"
CONFIG_VARIABLE = "RUUVI_HOST_CONFIG"
STATE_VARIABLE = "RUUVI_HOST_STATE_DIR"
_NO_KEYS = (CONFIG_VARIABLE, ROOT_VARIABLE)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the command line and the environment say."""

    config: Path | None = None
    """A ruuvi-host.toml or a gateway's JSON, recognised by its content."""
    files: Path | None = None
    overrides: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    """(key, text, source): from `--set`, and from the options that stand for a key."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: Path | None = None
    """The folder of the state, if no source names one; None: then there is none."""
    gateway_text: str | None = field(default=None, repr=False)
    """What the gateway's file is taken to say, whatever it does; None: it is read."""


class Sources:
    """All that was gathered. `problems` has what was wrong with it."""

    def __init__(self, inputs: Inputs) -> None:
        self.gateway = GatewayConfig()
        self.host = HostValues()
        self.problems = Problems()
        self._texts: dict[Path, str] = {}
        path = inputs.config
        if path is None and (variable := inputs.environment.get(CONFIG_VARIABLE)):
            path = Path(variable)
        self.folder = path.parent if path else Path()
        """What relative paths in the files mean."""
        self.gateway_path, self.host_path, own = self._find_files(path)
        """The gateway's file, and the host's own; None: there is none."""
        self.state = self._state_folder(inputs, own)
        """The folder of the state; None: not known."""
        self.hidden_path: Path | None = None
        """The user's gateway file, when the one in the state folder counts in its place."""
        self.gateway_files: tuple[Path, ...] = ()
        """What the gateway's values were read from, one on top of the other."""
        files = own.get("files")
        named = self.path(files) if isinstance(files, str) and files else None
        if inputs.gateway_text is not None:
            self._try_gateway_text(inputs.gateway_text)
        elif kept := self._kept(GATEWAY_FILE):
            self.hidden_path, self.gateway_path = self.gateway_path, kept
            self._read_gateway_files(kept)
            self._warn_of_newer(kept)
        elif self.gateway_path:
            folder = inputs.files or named or self.gateway_path.parent
            defaults = [folder / name for name in GATEWAY_DEFAULTS]
            there = [path for path in defaults if os.path.lexists(path)]
            self._read_gateway_files(*there[:1], self.gateway_path)
        else:
            self.gateway.switch_off()
        self.problems.source = str(self.host_path or "")
        self._overlay(own)
        self.kept_host_path = self._kept(HOST_FILE)
        """The one that the local API has written, on top of the user's; None: there is none."""
        if self.kept_host_path:
            more = self._read_host_file(self.kept_host_path)
            self.problems.source = str(self.kept_host_path)
            self._overlay(more)
        self._take_environment(inputs.environment)
        # Those of one option are taken together, and those of the next one on top: a secret for
        # the server that --url replaces must not come back with the authentication of --set.
        for _, group in groupby(inputs.overrides, key=lambda override: override[2]):
            self._take_overrides(group)
        if self.gateway.lacks_address:
            why = "there is no address of your own server, so Ruuvi Cloud gets the data"
            self.problems.add("http_url", why)
        chosen = inputs.files or self.path_of("files") or (self.folder if path else None)
        self.files = Path(os.path.abspath(chosen or self.folder))
        """The folder of certificates and extra parts."""
        kept_files = self.state / KEPT_FILES if self.state else None
        self.places = FilePlaces(
            tuple(folder for folder in (kept_files, self.files) if folder),
            tuple(folder for folder in (chosen and self.files, kept_files) if folder),
        )
        self.problems.source = ""
        self._texts.clear()

    def path_of(self, name: str) -> Path | None:
        """A setting that is a path; None: not set."""
        return self.path(self.host[name]) if self.host[name] else None

    def path(self, text: str) -> Path:
        """What a path in our user's file means."""
        with suppress(RuntimeError):  # no such home; the path is taken as it is
            return self.folder / Path(text).expanduser()
        return self.folder / text

    def _find_files(self, path: Path | None) -> tuple[Path | None, Path | None, Mapping[str, Any]]:
        """The gateway's file and the host's own, one of which is `path`, and what the latter
        says."""
        if path is None:
            return None, None, {}
        try:
            text = self._text(path)
        except Unreadable as error:
            unreadable(self.problems, path, error)
            return None, None, {}
        if is_json(path, text):
            beside = self.folder / HOST_FILE
            if beside != path and os.path.lexists(beside):
                return path, beside, self._read_host_file(beside)
            return path, None, {}
        own = self._read_host_file(path)
        named = own.get("gateway_config")
        if named and isinstance(named, str):
            return self.path(named), path, own
        beside = self.folder / GATEWAY_FILE
        return beside if os.path.lexists(beside) else None, path, own

    def _text(self, path: Path) -> str:
        """What is in a file; it is read once, as a pipe can be. Raises Unreadable."""
        if path not in self._texts:
            self._texts[path] = read_text(path)
        return self._texts[path]

    def _read_host_file(self, path: Path) -> Mapping[str, Any]:
        self.problems.source = str(path)
        try:
            own = parse_toml(self._text(path))
        except Unreadable as error:
            unreadable(self.problems, path, error)
            return {}
        gateway = own.get(GATEWAY)
        secrets = [
            value for n, value in flattened(own) if n in HOST_BY_NAME and HOST_BY_NAME[n].secret
        ]
        sensors = SensorTables()
        sensors.update(own.get(SENSORS, {}), Problems())
        has_secret = any(secrets) or sensors.has_secret() or _in_tables(own)
        if has_secret or (isinstance(gateway, dict) and _has_secret(gateway)):
            warn_if_others_read(path, self.problems)
        return own

    def _state_folder(self, inputs: Inputs, own: Mapping[str, Any]) -> Path | None:
        """As it will be once everything is read, which begins with what is in it."""
        name = "state_dir"
        environment = inputs.environment.get(PREFIX + name.upper())
        overrides = [(text, source) for key, text, source in inputs.overrides if key == name]
        if environment is not None:
            overrides.insert(0, (environment, PREFIX + name.upper()))
        text = None
        for given, source in overrides:
            self.problems.source = source
            text = self._text_or_file(name, given)
        if text:
            return Path(_from_text(HOST_BY_NAME[name], text))
        in_file = own.get(name)
        if text is None and in_file and isinstance(in_file, str):
            return self.path(in_file)
        return inputs.state

    def _kept(self, name: str) -> Path | None:
        """A file of the local API in the state folder."""
        path = self.state / name if self.state else None
        # One that was named is the user's own, wherever it is.
        mine = (self.gateway_path, self.host_path)
        return path if path and path not in mine and os.path.lexists(path) else None

    def is_kept(self, path: Path | None) -> bool:
        """Is it one that the local API has written into the state folder?"""
        return path is not None and self.state is not None and path == self.state / path.name

    def _warn_of_newer(self, kept: Path) -> None:
        hidden = self.hidden_path
        with suppress(OSError):
            if hidden and hidden.stat().st_mtime_ns > kept.stat().st_mtime_ns:
                why = f"is newer than {kept}, which the local API has written, and which counts"
                self.problems.add(str(hidden), why, "remove that to use this one", source="")

    def _read_gateway_files(self, *paths: Path) -> None:
        self.gateway_files = paths
        for each in paths:
            self.problems.source = str(each)
            try:
                document = parse_json(self._text(each), self.problems)
            except Unreadable as error:
                unreadable(self.problems, each, error)
                self.gateway.switch_off()
                continue
            self.gateway.update(document, self.problems)
            if _has_secret(document):
                warn_if_others_read(each, self.problems)

    def _try_gateway_text(self, text: str) -> None:
        """As if that stood where a gateway's keys are written."""
        kept = self._kept(GATEWAY_FILE)
        path = kept or self.gateway_path or (self.state or self.folder) / GATEWAY_FILE
        if kept:
            self.hidden_path = self.gateway_path
        self._texts[path], self.gateway_path = text, path
        self._read_gateway_files(path)

    def _overlay(self, document: Mapping[str, Any]) -> None:
        """Take over our user's own words: host settings, and a table of a gateway's keys."""
        own = {name: value for name, value in document.items() if name != GATEWAY}
        gateway = document.get(GATEWAY, {})
        self.host.update(own, self.problems)
        if isinstance(gateway, Mapping):
            if gateway:
                self.gateway.update(gateway, self.problems, own=True)
        else:
            self.problems.add(GATEWAY, "must be a table: [gateway]", severity=Severity.ERROR)

    def _take_environment(self, environment: Mapping[str, str]) -> None:
        names = {PREFIX + n.replace(".", "_").upper(): n for n in [*HOST_BY_NAME, *BY_NAME]}
        coprocessor = [key.name for key in CoprocessorSettings.KEYS]
        names |= {PREFIX + name.upper(): f"coprocessor.{name}" for name in coprocessor}
        found = []
        for variable, text in sorted(environment.items()):
            if not variable.startswith(PREFIX) or variable in _NO_KEYS:
                continue
            if is_of_kubernetes(variable, text):
                if variable == f"{PREFIX}PORT":
                    why = (
                        "is what Kubernetes sets for a Service named ruuvi-host, and no serial port"
                    )
                    instead = "ignored (enableServiceLinks: false in the pod leaves it out)"
                    self.problems.add(variable, why, instead, source="environment", value=text)
                continue
            if variable in names:
                found.append((names[variable], text, variable))
                continue
            near = nearly(variable.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in names])
            if near:
                why = f"unknown; is {PREFIX}{near} meant?"
                self.problems.add(variable, why, severity=Severity.ERROR, source="environment")
            else:  # it may be there for something else, as what Kubernetes sets for a service
                rest = variable.removeprefix(PREFIX)
                ends = [name for name in names if name.endswith(f"_{rest}")]
                guess = f"; is {min(ends, key=len)} meant?" if ends else ""
                self.problems.add(variable, f"unknown key{guess}", "ignored", source="environment")
        self._take_overrides(found)

    def _take_overrides(self, overrides: Iterable[tuple[str, str, str]]) -> None:
        """Keys of a gateway are taken together: a secret counts only with its kind."""
        gateway: dict[str, Any] = {}
        sources: dict[str, str] = {}
        # What a key of a target means depends on its kind.
        for name, text, source in sorted(overrides, key=lambda o: not o[0].endswith(".kind")):
            self.problems.source = source
            value = self._text_or_file(name, text)
            if value is None:
                continue
            tables = self.host.arrays.get(name.partition(".")[0])
            if is_of_sensor(name):
                self.host.sensors.set(name, value, self.problems)
            elif tables:
                tables.set(*tables.array.divided(name), value, self.problems, _from_text)
            elif name in HOST_BY_NAME:
                taken = _from_text(HOST_BY_NAME[name], value)
                self.host.update({name: taken}, self.problems)
            elif name in BY_NAME:
                gateway[name] = from_text(BY_NAME[name], value)
                sources[name] = source
            else:
                near = unknown(name, [*HOST_BY_NAME, *BY_NAME])
                self.problems.add(name, near, severity=Severity.ERROR)
        if gateway:
            self.gateway.update(gateway, self.problems, own=True, sources=sources)

    def _text_or_file(self, name: str, text: str) -> str | None:
        """`@FILE` is the text in that file, which keeps a secret out of the list of processes."""
        if not text.startswith("@"):
            return text
        if text.startswith("@@"):
            return text[1:]
        try:
            return read_text(Path(text[1:])).removesuffix("\n").removesuffix("\r")
        except Unreadable as error:
            what = text[1:]
            if _is_secret(name):  # it may begin with @ without being the name of a file
                what = "the file behind @ (a value that begins with @ is written @@)"
            self.problems.add(name, f"{what} {error}", severity=Severity.ERROR)
            return None


def _from_text(key: HostKey, text: str) -> Any:
    """A path is relative to where the program runs, as for all programs, and not as in the file."""
    if key.kind is HostKind.PATH and text:
        return os.path.abspath(os.path.expanduser(text))
    return value_from_text(key, text)


def _in_tables(document: Mapping[str, Any]) -> bool:
    """Has one of the tables that may stand there several times a secret?"""
    hidden = {array.name: _secret_keys(array) for array in ARRAYS}
    return any(
        isinstance(table, Mapping) and any(table.get(key) for key in keys)
        for name, keys in hidden.items()
        for table in (document[name] if isinstance(document.get(name), list) else ())
    )


def _secret_keys(array: Array) -> set[str]:
    return {key.name for kind in array.kinds.values() for key in kind.KEYS if key.secret}


def _has_secret(document: Mapping[str, Any]) -> bool:
    for name, value in document.items():
        key = BY_NAME.get(name)
        hidden = [member.name for member in key.members if member.secret] if key else []
        if isinstance(value, Mapping) and any(value.get(member) for member in hidden):
            return True
        if key and key.secret and value:
            return True
    return False


def _is_secret(name: str) -> bool:
    if is_of_sensor(name):
        return is_secret(name)
    host, gateway = HOST_BY_NAME.get(name), BY_NAME.get(name)
    for array in ARRAYS:
        if name.startswith(f"{array.name}."):
            return array.divided(name)[1] in _secret_keys(array)
    if gateway:
        return gateway.secret or gateway.kind is Kind.OBJECT
    return host is not None and host.secret
