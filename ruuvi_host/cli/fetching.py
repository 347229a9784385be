"""`ruuvi-host config fetch`: the remote configuration, now; or what it would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.changing import STATE
from ruuvi_host.cli.configuration import configuration_options, inputs
from ruuvi_host.cli.groups import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruuvi_host.config.load import Loaded
    from ruuvi_host.config.sources import Inputs

TAKEN, REFUSED, NOT_FETCHED = 0, 1, 2
"""Exit codes."""


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  ruuvi-host config fetch --dry-run
  ruuvi-host config fetch --config /etc/ruuvi-host/ruuvi-host.toml

Exit codes: 0 taken, or equal to what is in force; 1 refused, with the reason; 2 not fetched.""",
)
@click.option("--dry-run", is_flag=True, help="Change nothing: show what would be another value.")
@click.option(
    "--force",
    is_flag=True,
    help="Also a text that was rolled back before; and ask as if nothing was ever fetched.",
)
@configuration_options
@STATE
def fetch(dry_run: bool, force: bool, state_dir: Path | None, **options: Any) -> None:
    """Fetch the configuration that remote_cfg_url names, and take it.

    A running host does it itself, and is on trial with it if it could be cut off by it. While none
    runs the files are written, and the trial begins with the next start. What changes is shown key
    by key; of secrets only that they do.
    """
    from ruuvi_host import logs
    from ruuvi_host.cli.place import place, state_of
    from ruuvi_host.config.load import load
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.fetch_socket import ask_to_fetch
    from ruuvi_host.logs import printable

    logs.configure()
    where = place(options.pop("config_file"), state_dir)
    named = [("state_dir", str(state_dir), "--state-dir")] if state_dir else []
    what = inputs(where.config, **options, options=named, state=where.state)
    before = load(what)
    folder = state_of(before)
    if not dry_run:
        try:
            told = ask_to_fetch(folder, force=force)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "state folder", f"the host in {folder} does not answer: {error}"
            ) from error
        if told is not None:
            for line in _changes(before, load(what)):
                click.echo(line)
            code = _end(told["result"], printable(told["reason"], 500), told["url"])
            if seconds := told.get("trial"):
                click.echo(
                    f"on trial for {seconds:.0f} s: ruuvi-host status shows what it waits for"
                )
            sys.exit(code)
    sys.exit(_without_host(before, what, folder, dry_run=dry_run, force=force))


def _without_host(before: Loaded, what: Inputs, folder: Path, *, dry_run: bool, force: bool) -> int:
    from contextlib import closing
    from dataclasses import replace

    from firmware_protocol.messages import address_text
    from ruuvi_host.config.load import load
    from ruuvi_host.config.store import UnwritableError
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.fetch_once import foresee, look, write
    from ruuvi_host.jobs.state import StateDirectory
    from ruuvi_host.lifetime import run_once

    if before.config.remote is None:
        told = [p for p in before.problems if p.key.startswith("remote_cfg_")]
        why = told[0].why if told else "is not true, so there is nothing to fetch"
        raise ConfigError(told[0].key if told else "remote_cfg_use", why)
    gateway = StateDirectory.look_into(folder).load_gateway()
    if gateway is None:
        why = f"no host has run with {folder}: the address of the gateway is not known yet"
        raise ConfigError("state folder", why)
    found = run_once(
        look(
            before, lambda text: load(replace(what, gateway_text=text)), address_text(gateway.addr)
        )
    )
    for remark in found.warnings:
        click.echo(f"warning: {remark}", err=True)
    outcome, trial = foresee(found, folder, force=force), None
    if found.weighed:
        for line in _changes(before, found.weighed.candidate):
            click.echo(line)
        if not dry_run:
            try:
                with closing(StateDirectory.open(folder)):
                    outcome, trial = write(before, found, folder, force=force)
            except (UnwritableError, OSError) as error:
                raise ConfigError("state folder", str(error)) from error
    code = _end(outcome.result, outcome.reason, outcome.url, dry_run=dry_run)
    if trial:
        click.echo(
            f"on trial for {trial.seconds:.0f} s from the next start of the host: waits for "
            + ", ".join(trial.waiting_for)
            + ("" if trial.voters else " only: no target is known to have worked here before")
        )
    return code


def _changes(before: Loaded, after: Loaded) -> Iterator[str]:
    """Of keys of a gateway; of a secret only that it is another one."""
    from ruuvi_host.config.gateway_keys import BY_NAME
    from ruuvi_host.config.show import lines

    old, new = (
        {line.key: line for line in lines(loaded.sources) if line.key in BY_NAME}
        for loaded in (before, after)
    )
    for name, line in new.items():
        if before.sources.gateway[name] == after.sources.gateway[name]:
            continue
        if line.is_secret or old[name].value == line.value:
            yield f"{name}: another one"
        else:
            yield f"{name}: {_shown(old[name].value)} -> {_shown(line.value)}"


def _shown(value: object) -> str:
    import json

    from ruuvi_host.logs import printable

    return printable(json.dumps(value, ensure_ascii=False), 300)


def _end(result: str, reason: str, url: str, *, dry_run: bool = False) -> int:
    """Tell what has become of it; the exit code."""
    where = f" ({url})" if url else ""
    if result in ("equal", "not_modified"):
        click.echo(f"equal: nothing changes{where}")
        return TAKEN
    if result == "applied":
        click.echo(f"{'would be taken' if dry_run else 'taken'}{where}")
        return TAKEN
    kind = REFUSED if result in ("refused", "rolled_back") else NOT_FETCHED
    click.echo(f"{'refused' if kind == REFUSED else 'not fetched'}: {reason}{where}", err=True)
    return kind
