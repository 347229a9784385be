"""`ruuvi-host config init`: asks the few questions that every host has, and writes the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.changing import CONFIG
from ruuvi_host.cli.groups import Whole

if TYPE_CHECKING:
    from ruuvi_host.jobs.ports import SeenPort

FORMATS = {
    "raw": "ruuvi",
    "decoded": "ruuvi_decoded",
    "both": "ruuvi_raw_and_decoded",
}
"""As a person calls them → http_data_format."""
HERE = Path("ruuvi-host.toml")
MOST_SECONDS = 3600


@click.command()
@CONFIG
@click.option("--port", metavar="PORT", help="Serial port of the coprocessor, as for `run`.")
@click.option("--url", metavar="URL", help="Your own server; '' for none.")
@click.option(
    "--format",
    "data_format",
    type=click.Choice(list(FORMATS)),
    help="What the server gets of each tag: the advertising data (raw), readings, or both.",
)
@click.option(
    "--interval",
    metavar="S",
    type=Whole(1, MOST_SECONDS),
    help=f"Seconds between posts, 1 to {MOST_SECONDS}.",
)
@click.option(
    "--check/--no-check", "try_it", default=None, help="Try a delivery when it is written."
)
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given keeps its default.")
def init(
    config_file: Path | None,
    port: str | None,
    url: str | None,
    data_format: str | None,
    interval: int | None,
    try_it: bool | None,
    yes: bool,
) -> None:
    """Set up a host: asks for port, server, format and interval, and writes them into a file.

    The file is that of --config, else that of the installed service, else ruuvi-host.toml in this
    folder. One that is there keeps all that is not asked for, comments included. What is given as
    an option is not asked for; with --yes, or without a terminal, nothing is.

    Nothing is sent to Ruuvi Cloud unless you set use_http_ruuvi afterwards.
    """
    from ruuvi_host import logs
    from ruuvi_host.cli.changing import change_keys, present
    from ruuvi_host.errors import ConfigError

    logs.configure()
    logs.adjust("critical", as_json=False)  # who answers is in the list
    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    path, sources = present(config_file, None)
    path = path or HERE
    if asks and path.exists():
        click.confirm(f"{path} is there already. Change it?", abort=True, err=True, default=True)
    elif not asks and (port is None or url is None):
        missing = "--port" if port is None else "--url"
        raise ConfigError(missing, "is needed, as there is nobody to be asked ('' for none)")
    port = _asked_port() if port is None else port
    url = _asked_url() if url is None else url
    pairs = [("coprocessor.port", port)] if port else []
    if url:
        if asks and data_format is None:
            data_format = _ask("What does it get of each tag", "raw", click.Choice(list(FORMATS)))
        if asks and interval is None:
            interval = _ask("Seconds between posts", 10, Whole(1, MOST_SECONDS))
        pairs += _of_server(url, data_format or "raw", interval or 10)
    if path.suffix == ".json" and not path.exists():  # by default a gateway sends to Ruuvi, too
        pairs += [("use_http_ruuvi", "false"), ("use_http_stat", "false")]
    if pairs:
        change_keys(path, sources, pairs)
    else:
        click.echo("There is nothing to write yet.", err=True)
    if asks and url and try_it is None:
        try_it = click.confirm("Try a delivery now?", default=True, err=True)
    if url and try_it:
        _try(path, port)
    _tell_what_next(path, port, url)


def _of_server(url: str, data_format: str, interval: int) -> list[tuple[str, str]]:
    """Its keys. Raises ConfigError."""
    from ruuvi_host.config.addresses import check_url, split_user

    _, authorization = split_user(check_url("--url", url))
    pairs = [("use_http", "true"), ("http_url", url), ("http_data_format", FORMATS[data_format])]
    pairs += [("http_auth", "basic")] if authorization else []
    return [*pairs, ("http_period", str(interval))]


def _ask(question: str, default: Any, kind: Any) -> Any:
    return click.prompt(question, default=default, type=kind, err=True)


def _asked_url() -> str:
    """An address that can be used; empty: none."""
    from ruuvi_host.config.addresses import check_url
    from ruuvi_host.errors import ConfigError

    while True:
        question = "URL of your server (none: Enter)"
        url: str = click.prompt(question, default="", show_default=False, err=True).strip()
        try:
            if url:
                check_url("the URL", url)
        except ConfigError as error:
            click.echo(error, err=True)
            continue
        return url


def _asked_port() -> str:
    """A port from the list, or one that was typed; empty: none."""
    from ruuvi_host.config.port_form import why_no_port

    ports = _listed()
    best = next((number for number, port in enumerate(ports, 1) if port.answers), None)
    if best is None and ports and not any(port.told for port in ports):
        best = 1  # they were not asked
    while True:
        question = "Number or name of the port" + ("" if best else " (none: Enter)")
        text: str = click.prompt(
            question, default=str(best or ""), show_default=bool(best), err=True
        ).strip()
        if text.isdecimal():
            if 1 <= int(text) <= len(ports):
                return ports[int(text) - 1].path
            click.echo(f"There is no number {text} in the list.", err=True)
        elif not text:
            return ""
        elif why := why_no_port(text):
            click.echo(f"{text}: {why}", err=True)
        elif _is_wanted(text):
            return text


def _listed() -> list[SeenPort]:
    """The ports of this machine, shown, and asked if the person agrees."""
    from ruuvi_host.jobs.ports import all_ports, ask_all
    from ruuvi_host.lifetime import run_once

    ports = all_ports()
    if not ports:
        click.echo("This machine has no serial port that is known as one.", err=True)
        return []
    for number, port in enumerate(ports, 1):
        click.echo(f"  {number}  {port}", err=True)
    question = "Ask each of them who is there? (That sends a few bytes to all.)"
    if click.confirm(question, default=True, err=True):
        ports = run_once(ask_all(ports))
        for number, port in enumerate(ports, 1):
            click.echo(f"  {number}  {port}", err=True)
    return ports


def _is_wanted(text: str) -> bool:
    """A port that was typed is asked at once; if nobody answers it may be meant all the same."""
    from ruuvi_host.jobs.ports import SeenPort, ask_port
    from ruuvi_host.lifetime import run_once

    port = run_once(ask_port(SeenPort(text, text)))
    click.echo(f"  {port}", err=True)
    return port.answers or click.confirm("Take it all the same?", default=False, err=True)


def _try(path: Path, port: str) -> None:
    """Like `check custom`; what it says is for people, and no reason to fail."""
    from ruuvi_host.cli.check import command as check
    from ruuvi_host.errors import RuuviHostError

    arguments = ["custom", "--config", str(path), *(["--port", port] if port else [])]
    try:
        check.main(arguments, standalone_mode=False)
    except (SystemExit, RuuviHostError) as error:
        if isinstance(error, RuuviHostError):
            click.echo(error, err=True)
        click.echo("The settings are written all the same.", err=True)


def _tell_what_next(path: Path, port: str, url: str) -> None:
    from ruuvi_host.config.service import Service

    if not url:
        click.echo("There is no server yet: run this again, or see `config example`.", err=True)
    if not port:
        click.echo("There is no port yet: run this again when the board is plugged in.", err=True)
    if not (url and port):
        return
    run = f"ruuvi-host run --config {path}"
    if Service.of().has(path):
        run = "sudo systemctl restart ruuvi-host, then: sudo ruuvi-host status"
    click.echo(f"Next: {run}", err=True)
