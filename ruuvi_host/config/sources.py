"""Gathers a configuration from all its sources, each on top of the one before:

    defaults · gw_cfg_default · gw_cfg.json · ruuvi-host.toml · RUUVI_HOST_… · options

and tells everything that is wrong with them at once.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.gateway_values import from_text
from ruuvi_host.config.host_keys import COPROCESSOR_BY_NAME, HOST_BY_NAME, HostKind
from ruuvi_host.config.host_values import (
    COPROCESSOR,
    GATEWAY,
    HostValues,
    host_value_from_text,
    unknown,
)
from ruuvi_host.config.problems import Problems, Severity

PREFIX = "RUUVI_HOST_"
CONFIG_VARIABLE = "RUUVI_HOST_CONFIG"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line and the environment say."""

    config: Path | None = None
    """A ruuvi-host.toml or a gateway's JSON, told apart by content."""
    files: Path | None = None
    overrides: tuple[tuple[str, str, str], ...] = ()
    """(key, text, source): from `--set`, and from the options that stand for a key."""
    environment: Mapping[str, str] = field(default_factory=dict)


class Sources:
    """All that was gathered. `problems` has what was wrong with it."""

    def __init__(self, wishes: Wishes) -> None:
        self.gateway = GatewayConfig()
        self.host = HostValues()
        self.problems = Problems()
        path = wishes.config
        if path is None and (variable := wishes.environment.get(CONFIG_VARIABLE)):
            path = Path(variable)
        self.folder = path.parent if path else Path()
        """What relative paths in the files mean."""
        self.gateway_path, self.host_path, own = self._find_files(path)
        """The gateway's file, and the host's own; None: there is none."""
        if self.gateway_path:
            self._read_gateway_file(self.gateway_path, wishes)
        else:
            self.gateway.switch_off()
        self.problems.source = str(self.host_path or "")
        self._overlay(own)
        self._take_environment(wishes.environment)
        self._take_overrides(wishes.overrides)
        self.files = wishes.files or self.path_of("files") or self.folder
        """The folder of certificates and extra parts."""
        self.problems.source = ""

    def path_of(self, name: str) -> Path | None:
        """A setting that is a path; None: not set."""
        text = self.host[name]
        return self.folder / Path(text).expanduser() if text else None

    def _find_files(self, path: Path | None) -> tuple[Path | None, Path | None, Mapping[str, Any]]:
        """The gateway's file and the host's own, one of which is `path`, and what the latter
        says."""
        if path is None:
            return None, None, {}
        try:
            text = read_text(path)
        except Unreadable as error:
            unreadable(self.problems, path, error)
            return None, None, {}
        if is_json(path, text):
            beside = self.folder / HOST_FILE
            if beside.exists():
                return path, beside, self._read_host_file(beside)
            return path, None, {}
        own = self._read_host_file(path)
        named = own.get("gateway_config")
        if named and isinstance(named, str):
            return self.folder / Path(named).expanduser(), path, own
        beside = self.folder / GATEWAY_FILE
        return beside if beside.exists() else None, path, own

    def _read_host_file(self, path: Path) -> Mapping[str, Any]:
        self.problems.source = str(path)
        try:
            own = parse_toml(read_text(path))
        except Unreadable as error:
            unreadable(self.problems, path, error)
            return {}
        gateway = own.get(GATEWAY)
        if "password" in str(own) or (isinstance(gateway, dict) and _has_secret(gateway)):
            warn_if_others_read(path, self.problems)
        return own

    def _read_gateway_file(self, path: Path, wishes: Wishes) -> None:
        folder = wishes.files or path.parent
        defaults = [folder / name for name in GATEWAY_DEFAULTS]
        for each in (*[d for d in defaults if d.is_file()][:1], path):
            self.problems.source = str(each)
            try:
                document = parse_json(read_text(each), self.problems)
            except Unreadable as error:
                unreadable(self.problems, each, error)
                continue
            self.gateway.update(document, self.problems)
            if _has_secret(document):
                warn_if_others_read(each, self.problems)

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
        names |= {PREFIX + n.upper(): f"{COPROCESSOR}.{n}" for n in COPROCESSOR_BY_NAME}
        found = []
        for variable, text in sorted(environment.items()):
            if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
                continue
            if variable in names:
                found.append((names[variable], text, variable))
            else:
                # Not an error: it may be there for something else.
                self.problems.add(
                    variable, unknown(variable, names), "ignored", source="environment"
                )
        self._take_overrides(found)

    def _take_overrides(self, overrides: Iterable[tuple[str, str, str]]) -> None:
        """Keys of a gateway are taken together: a secret counts only with its kind."""
        gateway: dict[str, Any] = {}
        source = ""
        for name, text, source in overrides:
            self.problems.source = source
            value = self._text_or_file(name, text)
            if value is None:
                continue
            _, dot, of_coprocessor = name.partition(f"{COPROCESSOR}.")
            if dot and of_coprocessor in COPROCESSOR_BY_NAME:
                key = COPROCESSOR_BY_NAME[of_coprocessor]
                taken = host_value_from_text(key, value)
                self.host.set_coprocessor(of_coprocessor, taken, self.problems)
            elif name in HOST_BY_NAME:
                if HOST_BY_NAME[name].kind is HostKind.PATH and value:
                    value = os.path.abspath(value)  # as for all programs, not as in the file
                taken = host_value_from_text(HOST_BY_NAME[name], value)
                self.host.update({name: taken}, self.problems)
            elif name in BY_NAME:
                gateway[name] = from_text(BY_NAME[name], value)
            else:
                near = unknown(name, [*HOST_BY_NAME, *BY_NAME])
                self.problems.add(name, near, severity=Severity.ERROR)
        if gateway:
            self.problems.source = source if len(gateway) == 1 else source.partition(" ")[0]
            self.gateway.update(gateway, self.problems, own=True)

    def _text_or_file(self, name: str, text: str) -> str | None:
        """`@FILE` is the text in that file, which keeps a secret out of the list of processes."""
        if not text.startswith("@"):
            return text
        if text.startswith("@@"):
            return text[1:]
        try:
            return read_text(Path(text[1:])).removesuffix("\n").removesuffix("\r")
        except Unreadable as error:
            self.problems.add(name, f"{text[1:]} {error}", severity=Severity.ERROR)
            return None


def _has_secret(document: Mapping[str, Any]) -> bool:
    return any(
        BY_NAME[name].secret and value for name, value in document.items() if name in BY_NAME
    )
