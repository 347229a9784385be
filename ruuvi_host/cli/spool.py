"""`ruuvi-host spool`: undelivered batches, and what to do with them by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ruuvi_host.cli.configuration import configuration_options, for_url, inputs
from ruuvi_host.cli.groups import Group, Whole

if TYPE_CHECKING:
    from ruuvi_host.jobs.state import StateDirectory
    from ruuvi_host.relay.spool.reading import Unreadable
    from ruuvi_host.relay.spool.values import Entry

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def command() -> None:
    """Show, export, send or delete undelivered batches.

    A batch that a server did not accept waits in the spool of that server, in the state folder,
    and `run` sends it as soon as the server is back. That needs no command. These are for looking
    at the batches, for moving them elsewhere and for deleting them.
    """


def _state_option(function: F) -> F:
    """--state-dir and --simulate."""
    simulate = click.option(
        "--simulate", is_flag=True, help="What a host with --simulate has kept."
    )
    option = click.option(
        "--state-dir",
        metavar="DIR",
        help="As for `run`. [default: that of the installed service if you may look into it, else "
        "$STATE_DIRECTORY, else $XDG_STATE_HOME/ruuvi-host]",
    )
    return option(simulate(function))


_target = click.argument("target", metavar="TARGET")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@command.command("list")
@_state_option
@_json
def list_(state_dir: str | None, simulate: bool, as_json: bool) -> None:
    """A line for each target: batches, reports, size, and when the oldest batch was made.

    Also while `run` is running. Exit status 4: a spool cannot be read, or not all of it.
    """
    from dataclasses import asdict

    from ruuvi_host.errors import SpoolError
    from ruuvi_host.jobs.state import set_aside, spools
    from ruuvi_host.relay.spool import reading

    folder = _folder(state_dir, simulate=simulate)
    names = spools(folder)
    failed: list[SpoolError] = []
    for name in names:
        path = _path(folder, name)
        if not path.exists() and not path.is_symlink():
            click.echo(f"{name}: left by an earlier version; the next start reads it", err=True)
            continue
        try:
            found = reading.summary(path)
            _check_log(path)
        except SpoolError as error:
            failed.append(error)
            continue
        if as_json:
            click.echo(json.dumps({"target": name, **asdict(found)}))
        else:
            since = f", the oldest of {_time(found.oldest)}" if found.oldest else ""
            click.echo(
                f"{name}: batches {found.batches}, reports {found.reports}, "
                f"{found.size / 1024:.0f} KiB{since}"
            )
    for file in set_aside(folder):
        click.echo(f"{file}: was damaged, and set aside; it is not sent", err=True)
    if not names and not as_json:
        click.echo(f"Nothing waits in {folder}.", err=True)
    for other in failed[:-1]:
        click.echo(f"Error: {other}", err=True)
    if failed:
        raise failed[-1]


@command.command()
@_target
@_state_option
@_json
@click.option("--limit", metavar="N", type=Whole(1), help="The oldest N only.")
def show(
    target: str, state_dir: str | None, simulate: bool, as_json: bool, limit: int | None
) -> None:
    """A line for each batch of TARGET, the oldest first.

    Also while `run` is running. Exit status 4: not all can be read.
    """
    from itertools import islice

    from firmware_protocol.messages import address_text

    unreadable = _Unreadable(target)
    for row in islice(
        unreadable.without(_entries(target, _folder(state_dir, simulate=simulate))), limit
    ):
        batch = row.batch
        facts = {
            "made": round(row.made),
            "nonce": batch.nonce,
            "gw_mac": address_text(batch.gateway.addr),
            "reports": len(batch.advertisements),
        }
        if as_json:
            click.echo(json.dumps(facts))
        else:
            click.echo(
                f"{_time(row.made)}  nonce {batch.nonce}, gateway {facts['gw_mac']}, "
                f"reports {facts['reports']}"
            )
    unreadable.tell()


@command.command()
@_target
@_state_option
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="In place of stdout; readable by you alone.",
)
def export(target: str, state_dir: str | None, simulate: bool, output: Path | None) -> None:
    """The batches of TARGET as JSON lines, each with the body that would be posted.

    Nothing leaves the spool. Also while `run` is running. The key that signs is not exported. Exit
    status 4: not all can be read.
    """
    import os
    import sys

    from ruuvi_host.cli.progress import progress
    from ruuvi_host.errors import ConfigError, RuuviHostError
    from ruuvi_host.relay.body_line import BodyLines

    line, unreadable = BodyLines(target).line, _Unreadable(target)
    folder = _folder(state_dir, simulate=simulate)
    rows = unreadable.without(_entries(target, folder))
    count, file = 0, sys.stdout
    if file is None and not output:
        raise RuuviHostError("there is no standard output to write to")
    with ExitStack() as opened:
        try:
            if output:
                text = open(output, "w", encoding="utf-8", opener=_private)  # noqa: SIM115 - entered
                file = opened.enter_context(text)
            bar = progress(
                f"exporting {target}", _count(folder, target), beside_output=output is None
            )
            advance = opened.enter_context(bar)
            for row in rows:
                file.write(line(row.batch, round(row.made)))
                count += 1
                advance(1)
            file.flush()
        except BrokenPipeError:  # nobody reads on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            name = output or "stdout"
            raise ConfigError("--output", f"{name} cannot be written: {error.strerror}") from error
    click.echo(f"{target}: batches exported {count}", err=True)
    unreadable.tell()


@command.command()
@_target
@_state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(target: str, state_dir: str | None, simulate: bool, yes: bool) -> None:
    """Delete the batches of TARGET without delivery. `export` them first to keep a copy.

    Not while `run` is running, whose start saves what can be read of a damaged spool.
    """
    from ruuvi_host.errors import SpoolError
    from ruuvi_host.relay.spool import reading

    folder = _folder(state_dir, simulate=simulate)
    with _owned(folder):
        path = _path(folder, target)
        what = "what an earlier version left"
        if path.exists() or path.is_symlink():
            try:
                found = reading.summary(path)
                what = f"batches {found.batches}, reports {found.reports}"
            except SpoolError as error:
                what = f"a spool that cannot be read ({error})"
        if not yes:
            click.confirm(f"{target}: delete {what}?", abort=True)
        reading.forget(path)
        click.echo(f"{target}: dropped: {what}", err=True)


@command.command()
@_target
@_state_option
@click.option("--url", metavar="URL", help="Post there, in place of the configured server.")
@configuration_options
def drain(
    target: str,
    state_dir: str | None,
    simulate: bool,
    url: str | None,
    config_file: Path | None,
    files: Path | None,
    settings: tuple[str, ...],
    trust_clock: bool,
) -> None:
    """Post the batches of TARGET now, to its server or to --url, until all are accepted.

    What is accepted leaves the spool. Not while `run` is running, which does the same by itself.
    Exit status 4: the server did not accept all, and the rest stays; or batches were refused, too
    old or unreadable, or the spool cannot be used.
    """
    from functools import partial

    from ruuvi_host import logs
    from ruuvi_host.cli.place import check_folder, place, state_of
    from ruuvi_host.cli.progress import progress
    from ruuvi_host.config.addresses import refuse_ruuvi
    from ruuvi_host.config.load import load_to_run
    from ruuvi_host.config.targets import CUSTOM, RUUVI
    from ruuvi_host.errors import ConfigError, SinkError
    from ruuvi_host.jobs.drain import drain as drain_now
    from ruuvi_host.lifetime import run_once

    logs.configure()
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    where = place(config_file, state_dir, simulate=simulate)
    where.tell()
    what = partial(
        inputs,
        where.config,
        files,
        settings,
        trust_clock=trust_clock,
        simulated=simulate,
        state=where.state,
    )
    if url:
        options += for_url(url, what(options=options))
    loaded = load_to_run(what(options=options))
    wanted = CUSTOM if url else target
    server = next((t for t in loaded.config.targets if t.name == wanted), None)
    if server is None:
        keys = {RUUVI: "use_http_ruuvi", CUSTOM: "use_http"}
        raise ConfigError(
            keys.get(target, "TARGET"), "no such server is configured: give --config or --url"
        )
    check_folder(folder := state_of(loaded, simulate=simulate))
    if simulate or folder.name == "simulated":
        refuse_ruuvi(server.address)
    with _owned(folder):
        _path(folder, target)
        with progress(f"sending {target}", _count(folder, target)) as advance:
            told = run_once(drain_now(folder, target, server, loaded.config, advance))
    click.echo(f"{target}: {told}", err=True)
    if told.left:
        raise SinkError(target, "not all was accepted; the rest stays in the spool")
    if told.dropped:
        raise SinkError(target, "not all could be sent; the rest is lost")


# --- what they share


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)


def _folder(state_dir: str | None, *, simulate: bool) -> Path:
    """Raises ConfigError when it is not there, or cannot be looked into: it may hold something."""
    from ruuvi_host.cli.place import check_folder, place, state_of
    from ruuvi_host.config.sources import Sources

    where = place(None, state_dir, simulate=simulate)
    where.tell()
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    what = inputs(where.config, None, (), options=options, simulated=simulate, state=where.state)
    check_folder(folder := state_of(Sources(what), simulate=simulate))
    return folder


def _path(folder: Path, target: str) -> Path:
    """The spool of `target`. Raises ConfigError, naming those that there are."""
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.state import spools

    names = spools(folder)
    if target not in names:
        there = f"there is: {', '.join(names)}" if names else "nothing waits"
        raise ConfigError("TARGET", f"nothing waits for {target!r} in {folder} ({there})")
    return folder / f"{target}.spool"


def _entries(target: str, folder: Path) -> Iterator[Entry | Unreadable]:
    from ruuvi_host.relay.spool import reading

    path = _path(folder, target)
    _check_log(path)
    return reading.entries(path)


def _count(folder: Path, target: str) -> int | None:
    """Of batches; None: not known."""
    from ruuvi_host.errors import SpoolError
    from ruuvi_host.relay.spool import reading

    try:
        return reading.summary(folder / f"{target}.spool").batches
    except SpoolError:
        return None


def _check_log(path: Path) -> None:
    """Raises SpoolError."""
    from ruuvi_host.errors import SpoolError
    from ruuvi_host.relay.spool import reading

    if reading.log_is_damaged(path):
        problem = "is damaged; the next start of the host saves what can be read"
        raise SpoolError(f"{path}-wal", problem)


class _Unreadable:
    """Counts the batches that cannot be read."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._count = 0

    def without(self, entries: Iterator[Entry | Unreadable]) -> Iterator[Entry]:
        from ruuvi_host.relay.spool.values import Entry

        for each in entries:
            if isinstance(each, Entry):
                yield each
            else:
                self._count += 1

    def tell(self) -> None:
        """Raises SinkError if there are any."""
        from ruuvi_host.errors import SinkError

        if self._count:
            raise SinkError(self._target, f"damaged, and cannot be read: batches {self._count}")


@contextmanager
def _owned(folder: Path) -> Iterator[StateDirectory]:
    """Raises ConfigError when `run` has the folder."""
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.state import StateDirectory

    if not folder.is_dir():
        raise ConfigError("state folder", f"{folder}: there is no such folder")
    try:
        state = StateDirectory.open(folder)
    except ConfigError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        problem = error.problem.partition(";")[0]
        raise ConfigError(error.key, f"{problem}; stop that one first") from error
    try:
        yield state
    finally:
        state.close()


def _time(utc: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
