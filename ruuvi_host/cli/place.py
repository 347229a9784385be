"""Which host a command is about: the one that its options name; else the service that is installed
here, if this user may look at it; else a host of this user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ruuvi_host.config.load import Loaded
    from ruuvi_host.config.sources import Sources


class Place(NamedTuple):
    """Where its things are."""

    config: Path | None
    """None: no file."""
    state: Path | None
    """The folder of its state, if neither options nor files name one; None: this user's own."""
    note: str = ""
    """What a person is to be told about the choice."""

    def tell(self) -> None:
        if self.note:
            click.echo(f"note: {self.note}", err=True)


def place(
    config_file: Path | None,
    state_dir: Path | str | None,
    *,
    simulate: bool = False,
    other: bool = False,
    may_go_on: bool = False,
) -> Place:
    """Where to look.

    other: an option names another host, as --port does. may_go_on: without the service there is
    something to do, too.
    Raises ConfigError, which says who may look at the service, when there is nothing else.
    """
    from ruuvi_host.config.service import Service

    service, named = Service.of(), _named(config_file)
    if simulate or other or _names_state(state_dir) or not service.is_installed:
        return Place(named, None)
    if named:
        return Place(named, service.state if service.has(named) else None)
    own = _own()
    if denied := service.denied:
        if not (may_go_on or (own and own.exists())):
            raise _not_allowed(denied, own)
        return Place(None, None, f"the service is left out: {denied}")
    note = ""
    if own and own.exists():
        note = f"this is the service's; a host of your own is found by --state-dir {own}"
    return Place(service.config, service.state, note)


def is_service_meant(
    config_file: Path | None, state_dir: Path | str | None, *, other: bool = False
) -> bool:
    """Does nothing name another host?"""
    return not (other or _named(config_file) or _names_state(state_dir))


def _named(config_file: Path | None) -> Path | None:
    import os
    from pathlib import Path

    from ruuvi_host.config.sources import CONFIG_VARIABLE

    variable = os.environ.get(CONFIG_VARIABLE)
    return config_file or (Path(variable) if variable else None)


def _names_state(state_dir: Path | str | None) -> bool:
    import os

    from ruuvi_host.config.sources import STATE_VARIABLE

    names = (STATE_VARIABLE, "STATE_DIRECTORY")
    return bool(state_dir) or any(os.environ.get(name) for name in names)


def _own() -> Path | None:
    """Where a host of this user keeps its state."""
    from ruuvi_host.config.model import state_directory
    from ruuvi_host.errors import ConfigError

    try:
        return state_directory(None, simulated=False)
    except ConfigError:
        return None


def _not_allowed(denied: str, own: Path | None) -> Exception:
    from ruuvi_host.errors import ConfigError

    where, _, why = denied.partition(" ")
    mine = f" (and you have no host of your own, whose state would be in {own})" if own else ""
    return ConfigError(where, f"{why}; run this with sudo{mine}")


def state_of(told: Loaded | Sources, *, simulate: bool = False) -> Path:
    """The folder of the state. Raises ConfigError when there is none."""
    from ruuvi_host.config.model import state_directory
    from ruuvi_host.config.sources import Sources

    sources = told if isinstance(told, Sources) else told.sources
    return sources.state or state_directory(None, simulated=simulate)


def check_folder(folder: Path) -> None:
    """Can the folder of a state be looked into? Raises ConfigError, which says who may, or that it
    is not there: that is not the same as an empty one."""
    from ruuvi_host.config.service import Service, why_denied
    from ruuvi_host.errors import ConfigError

    try:
        next(folder.iterdir(), None)
    except FileNotFoundError as error:
        service = Service.of()
        why = f"{folder}: there is no such folder"
        if folder == service.state:
            why += ": the service has not run here yet (systemctl start ruuvi-host)"
        elif not service.is_installed:
            why += f", and none of the service ({service.state}): no host has run here as this user"
        raise ConfigError("state folder", why) from error
    except OSError as error:
        denied = why_denied(folder)
        problem = f"{denied}; run this with sudo" if denied else f"{folder} cannot be read"
        if not denied:
            problem += f": {error.strerror}"
        raise ConfigError("state folder", problem) from error
