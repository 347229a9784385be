"""`ruuvi-host config`: check, show, change and explain the configuration."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.access import key as key_command
from ruuvi_host.cli.access import password
from ruuvi_host.cli.changing import (
    CONFIG,
    STATE,
    carry_out,
    change_keys,
    kept_gateway,
    present,
    to_change,
    write,
)
from ruuvi_host.cli.configuration import A_FILE, configuration_options, inputs, key_and_value
from ruuvi_host.cli.fetching import fetch
from ruuvi_host.cli.groups import Group, Whole
from ruuvi_host.cli.init import init

if TYPE_CHECKING:
    from ruuvi_host.config.kept import Kept
    from ruuvi_host.config.load import Loaded
    from ruuvi_host.config.problems import Problem
    from ruuvi_host.config.sources import Sources
    from ruuvi_host.config.takeover import Takeover

_FILE = click.argument("file", required=False, type=A_FILE)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")


@click.group(cls=Group)
def command() -> None:
    """Check, show, change and explain the configuration.

    There are two files, side by side: gw_cfg.json, as a Ruuvi Gateway has it (servers, scanning,
    filters), and ruuvi-host.toml with what a Linux machine needs besides (serial port, folders).
    Keys of both may also stand in the environment, as RUUVI_HOST_HTTP_URL, and in --set.

    Without --config and $RUUVI_HOST_CONFIG that of the installed service is meant, if this user may
    read it: /etc/ruuvi-host/ruuvi-host.toml, or gw_cfg.json there.
    """


command.add_command(init)
command.add_command(password)
command.add_command(key_command)
command.add_command(fetch)


@command.command()
@_FILE
@configuration_options
@STATE
@_JSON
def check(file: Path | None, as_json: bool, **options: Any) -> None:
    """Tell all that is wrong with the configuration, its certificates included.

    Exit status 0: it can be used (perhaps with warnings); 2: something must be fixed.
    """
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.relay.kinds import kind_of

    loaded = _load(file, options)
    problems = loaded.sources.problems
    config = loaded.config
    for target in (*config.targets, *filter(None, [config.statistics])):
        for key, why in kind_of(target).faults(target):
            problems.add(key, why, severity=Severity.FAULT)
    _look_with_the_eyes_of_the_service(loaded)
    if as_json:
        click.echo(json.dumps([_as_json(problem) for problem in problems.found], indent=2))
    else:
        for problem in problems.found:
            _echo(problem)
        click.echo(_verdict(loaded), err=True)
    if problems.worst() in (Severity.FAULT, Severity.ERROR):
        raise SystemExit(2)


@command.command()
@_FILE
@configuration_options
@STATE
@click.option("--all", "everything", is_flag=True, help="Also keys that mean nothing on Linux.")
@_JSON
def show(file: Path | None, everything: bool, as_json: bool, **options: Any) -> None:
    """Show every key with its value, and where that comes from. Secrets are not shown.

    Exit status 2: a setting cannot be used; see stderr.
    """
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.config.show import lines
    from ruuvi_host.logs import printable

    loaded = _load(file, options)
    shown = [line for line in lines(loaded.sources) if everything or not line.is_kept_only]
    if as_json:
        values = {
            line.key: {
                "set" if line.is_secret else "value": line.value,
                "source": line.source,
            }
            for line in shown
        }
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        for line in shown:
            value = json.dumps(line.value, ensure_ascii=False)
            if line.is_secret:
                value = "(set, not shown)" if line.value else "(not set)"
            click.echo(f"{line.key:<34} {printable(value, 60):<40} {line.source}".rstrip())
        _tell_of_changes(loaded.sources)
    # A file that cannot be read would look like one that says nothing.
    if errors := [p for p in loaded.problems if p.severity is Severity.ERROR]:
        for problem in errors:
            _echo(problem, err=True)
        raise SystemExit(2)


@command.command()
@click.option("--gateway", is_flag=True, help="A gw_cfg.json, in place of a ruuvi-host.toml.")
def example(gateway: bool) -> None:
    """Print a file with every key and its default, ready to be changed."""
    from ruuvi_host.config.example import example_gateway, example_toml
    from ruuvi_host.config.files import gateway_text

    click.echo(gateway_text(example_gateway()) if gateway else example_toml(), nl=False)


@command.command()
@click.option("--gateway", is_flag=True, help="Of gw_cfg.json, in place of ruuvi-host.toml.")
def schema(gateway: bool) -> None:
    """Print a JSON Schema, with which editors complete and check the file."""
    from ruuvi_host.config.schema import gateway_schema, host_schema

    click.echo(json.dumps(gateway_schema() if gateway else host_schema(), indent=2))


@command.command("set")
@click.argument("pairs", metavar="KEY=VALUE...", nargs=-1, required=True)
@CONFIG
@STATE
def set_command(pairs: tuple[str, ...], config_file: Path | None, state_dir: Path | None) -> None:
    """Change keys in the file that each belongs to. Comments stay; a bad value changes nothing.

    KEY=@FILE takes the value from a file, and KEY=@- from standard input, which keeps a secret out
    of the list of processes.
    """
    path, sources = to_change(config_file, state_dir)
    change_keys(path, sources, [_pair(text) for text in pairs])
    click.echo("A running ruuvi-host takes it after SIGHUP.", err=True)


@command.command("import")
@click.argument("file", type=A_FILE)
@CONFIG
@STATE
def import_command(file: Path, config_file: Path | None, state_dir: Path | None) -> None:
    """Take over the configuration of a gateway: its gw_cfg.json, or what it answers to
    GET /ruuvi.json. What FILE does not name stays as it is.

    Such an answer has no secrets: set those that are used. And do not give the result back to the
    gateway, which would lose its own.

    FILE may also be the config.yml of RuuviBridge or ruuvi-go-gateway. What becomes of each of its
    keys is told; this needs PyYAML.
    """
    from ruuvi_host.config.edit import with_import
    from ruuvi_host.config.files import Unreadable, read_text
    from ruuvi_host.config.foreign import is_foreign, with_foreign
    from ruuvi_host.errors import ConfigError

    path, sources = to_change(config_file, state_dir)
    try:
        text = read_text(file)
    except Unreadable as error:
        raise ConfigError(str(file), str(error)) from error
    if is_foreign(file, text):
        texts, taken = with_foreign(path, file, text, kept_gateway(sources))
        _tell_of_takeover(taken)
    else:
        texts, problems = with_import(path, file, text, kept_gateway(sources))
        for problem in problems:
            _echo(problem)
    write(texts, [f"import {file}"], sources.state)


@command.command()
@click.argument("number", type=Whole(min=1), default=1)
@click.option("--list", "as_list", is_flag=True, help="Show what there is a way back from.")
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    envvar="RUUVI_HOST_CONFIG",
    type=A_FILE,
    help="As for `run`, if that has one. [default: $RUUVI_HOST_CONFIG, else that of the installed "
    "service]",
)
@STATE
def undo(number: int, as_list: bool, config_file: Path | None, state_dir: Path | None) -> None:
    """Go back to the configuration before the last change, or before change NUMBER of --list.

    The last five changes by the local API, `config set`, `config import` and `config undo` itself
    are kept in the state folder. Files beside the configuration, as certificates, come back if the
    page has saved them together with settings.
    """
    from ruuvi_host.config import store
    from ruuvi_host.config.kept import UNDO
    from ruuvi_host.logs import printable

    _, sources = present(config_file, state_dir)
    if as_list:
        for place, change in enumerate(store.undoable(sources.state), 1):
            click.echo(f"{place}  {_when(change)}  {printable(change.by):<4}  {_what(change)}")
        return
    carry_out(store.plan_undo(sources, number), UNDO, sources.state)
    click.echo("A running ruuvi-host takes it after SIGHUP.", err=True)


def _tell_of_takeover(taken: Takeover) -> None:
    """What has become of each key. Values are not shown."""
    from ruuvi_host.logs import printable

    click.echo(f"a configuration of {taken.program}")
    for theirs, ours in taken.taken:
        click.echo(f"taken: {printable(theirs, 80)} -> {', '.join(ours)}")
    for theirs, why in taken.left:
        click.echo(f"not taken: {theirs}: {why}")
    if not taken.pairs:
        click.echo("nothing to take over: nothing was changed", err=True)


def _tell_of_changes(sources: Sources) -> None:
    """What the local API has changed last, and what it keeps in the state folder."""
    from ruuvi_host.config.kept import API
    from ruuvi_host.config.store import undoable

    if sources.hidden_path:
        counts = f"{sources.gateway_path} counts, which the local API has written"
        click.echo(f"{sources.hidden_path} does not count: {counts}", err=True)
    for change in undoable(sources.state)[:1]:
        if change.by == API:
            what = f"the last change was by the local API, {_when(change)}"
            back = "back: `ruuvi-host config undo`"
            click.echo(f"{what}: {_what(change)} ({back})", err=True)


def _what(change: Kept) -> str:
    from ruuvi_host.logs import printable

    return printable(", ".join(change.keys))


def _when(change: Kept) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(change.at).astimezone().isoformat(" ", "seconds")


def _load(file: Path | None, options: dict[str, Any]) -> Loaded:
    from ruuvi_host.cli.place import place
    from ruuvi_host.config.load import load
    from ruuvi_host.errors import ConfigError

    if file is not None:
        if options["config_file"] is not None:
            raise ConfigError("--config", "names a second file: give one of them")
        options["config_file"] = file
    state_dir = options.pop("state_dir")
    where = place(options.pop("config_file"), state_dir)
    named = [("state_dir", str(state_dir), "--state-dir")] if state_dir else []
    return load(inputs(where.config, **options, options=named, state=where.state))


def _look_with_the_eyes_of_the_service(loaded: Loaded) -> None:
    """If it is the service's configuration: can the service read what this user can?"""
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.config.reader import Reader, files_of
    from ruuvi_host.config.service import Service

    sources, service = loaded.sources, Service.of()
    named = [path for path in (sources.host_path, *sources.gateway_files) if path]
    reader = Reader.of_service(service) if any(map(service.has, named)) else None
    for path in dict.fromkeys(files_of(sources, loaded.config)) if reader else ():
        if reader and (told := reader.why_not(path)):
            why, remedy = told
            is_needed = path in (sources.host_path, sources.kept_host_path, *sources.gateway_files)
            severity = Severity.ERROR if is_needed else Severity.FAULT
            sources.problems.add(str(path), why, remedy, severity=severity, source=str(path))


def _pair(text: str) -> tuple[str, str]:
    from ruuvi_host.config.bounds import MAX_TEXT
    from ruuvi_host.config.files import Unreadable, read_text
    from ruuvi_host.errors import ConfigError

    key, value = key_and_value(text, "config set")
    if value == "@-":
        value = sys.stdin.read(MAX_TEXT + 1)
        if len(value) > MAX_TEXT:
            raise ConfigError(key, f"what comes from standard input is longer than {MAX_TEXT}")
        return key, value.removesuffix("\n")
    if value.startswith("@@"):
        return key, value[1:]
    if value.startswith("@"):
        try:
            return key, read_text(Path(value[1:])).removesuffix("\n").removesuffix("\r")
        except Unreadable as error:
            raise ConfigError(key, f"{value[1:]} {error}") from error
    return key, value


def _echo(problem: Problem, *, err: bool = False) -> None:
    where = f"  ({problem.source})" if problem.source and problem.source != problem.key else ""
    click.echo(f"{problem.severity.value}: {problem}{where}", err=err)


def _as_json(problem: Problem) -> dict[str, str]:
    return {
        "severity": problem.severity.value,
        "key": problem.key,
        "value": problem.value,
        "why": problem.why,
        "instead": problem.instead,
        "source": problem.source,
    }


def _verdict(loaded: Loaded) -> str:
    """What was read, and what it comes down to."""
    from ruuvi_host.relay.kinds import kind_of

    sources = loaded.sources
    read = [str(path) for path in (sources.gateway_path, sources.host_path) if path]
    targets = [
        f"{target.name} {kind_of(target).public_name(target)}" for target in loaded.config.targets
    ]
    found = len(loaded.problems)
    return (
        f"read: {', '.join(read) or 'no file'}; targets: {', '.join(targets) or 'none'}; "
        f"problems: {found or 'none'}"
    )
