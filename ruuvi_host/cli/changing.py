"""What commands that change the configuration have in common."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.configuration import A_FILE, inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ruuvi_host.config.sources import Sources
    from ruuvi_host.config.store import Plan

CONFIG = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    envvar="RUUVI_HOST_CONFIG",
    type=A_FILE,
    help="The ruuvi-host.toml or gw_cfg.json to change, and the other one beside it. "
    "[default: $RUUVI_HOST_CONFIG, else that of the installed service]",
)

STATE = click.option(
    "--state-dir",
    metavar="DIR",
    type=A_FILE,
    help="Folder of the state, with what the local API could not write elsewhere. "
    "[default: as for `run`]",
)


def to_change(config_file: Path | None, state_dir: Path | None) -> tuple[Path, Sources]:
    """The file that is meant, and the present configuration, whatever is wrong with it.

    Raises ConfigError when there is no file to change.
    """
    from ruuvi_host.config.service import Service
    from ruuvi_host.errors import ConfigError

    path, sources = present(config_file, state_dir)
    if path is None:
        none = f"there is none of a service in {Service.of().folder}"
        raise ConfigError("--config", f"name the ruuvi-host.toml or gw_cfg.json to change; {none}")
    return path, sources


def present(config_file: Path | None, state_dir: Path | None) -> tuple[Path | None, Sources]:
    """The file that is meant, if there is one, and the present configuration."""
    from ruuvi_host.cli.place import place
    from ruuvi_host.config.sources import Sources

    where = place(config_file, state_dir)
    options = [("state_dir", str(state_dir), "--state-dir")] if state_dir else []
    return where.config, Sources(inputs(where.config, None, (), options=options, state=where.state))


def change_keys(config_file: Path, sources: Sources, pairs: list[tuple[str, str]]) -> None:
    """Write keys into the file that each belongs to, and tell which has changed.

    Raises ConfigError.
    """
    from ruuvi_host.config.edit import with_keys

    texts = with_keys(config_file, pairs, kept_gateway(sources))
    write(texts, [name for name, _ in pairs], sources.state)


def kept_gateway(sources: Sources) -> Path | None:
    """The gateway's file in the state folder, if it counts."""
    return sources.gateway_path if sources.is_kept(sources.gateway_path) else None


def write(texts: Mapping[Path, str], keys: Sequence[str], state: Path | None) -> None:
    """Write files, and keep what was in them. keys: what changes. Raises ConfigError."""
    from ruuvi_host.config.kept import CLI
    from ruuvi_host.config.store import Plan, Write

    writes = [Write((path,), partial(_same, text)) for path, text in texts.items()]
    carry_out(Plan(writes, tuple(keys)), CLI, state)


def carry_out(plan: Plan, by: str, state: Path | None) -> None:
    """Write what is planned. Raises ConfigError."""
    from time import time

    from ruuvi_host import logs
    from ruuvi_host.config import store
    from ruuvi_host.errors import ConfigError

    logs.configure()
    try:
        written = store.carry_out(plan, state, by, time())
    except store.UnwritableError as error:
        raise ConfigError(*str(error).split(": ", 1)) from error
    for path in written.replaced:
        click.echo(f"changed {path}", err=True)
    if not written.replaced:
        click.echo("nothing was changed: it is there like that already", err=True)


def _same(text: str, _: Path) -> str:
    return text
