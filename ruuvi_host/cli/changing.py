"""What commands that change the configuration have in common."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.configuration import inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ruuvi_host.config.sources import Sources
    from ruuvi_host.config.store import Plan

CONFIG = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    envvar="RUUVI_HOST_CONFIG",
    required=True,
    type=click.Path(path_type=Path),
    help="The ruuvi-host.toml or gw_cfg.json to change, and the other one beside it. "
    "[default: $RUUVI_HOST_CONFIG]",
)

STATE = click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the state, with what the local API could not write elsewhere. "
    "[default: as for `run`]",
)


def read_sources(config_file: Path | None, state_dir: Path | None) -> Sources:
    """The present configuration, whatever is wrong with it."""
    from ruuvi_host.config.sources import Sources

    options = [("state_dir", str(state_dir), "--state-dir")] if state_dir else []
    return Sources(inputs(config_file, None, (), options=options))


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


def _same(text: str, _: Path) -> str:
    return text
