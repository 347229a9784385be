"""`ruuvi-host status`: the state of a running host, with all counters."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.configuration import configuration_options
from ruuvi_host.cli.groups import Command

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Command)
@configuration_options
@click.option("--state-dir", metavar="DIR", help="The one of the running host. As for `run`.")
@click.option("--simulate", is_flag=True, help="The host was started with --simulate.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all counters.")
def command(state_dir: str | None, simulate: bool, as_json: bool, **configuration: Any) -> None:
    """Show the state of a running host, and what happened to all that it received.

    Asks the host over a socket in its state directory; only its user and root may. Without options
    the installed service is asked; members of its group may, too. Each byte and each report is in
    exactly one place of the accounting.

    Exit status 0: the host answered; 5: no host runs, or it does not answer.
    """
    import json

    from ruuvi_host.errors import HealthError
    from ruuvi_host.monitoring.overview import lines

    directory, document = _of_service_for_members(configuration, state_dir, simulate=simulate)
    if document is None:
        directory = _directory(configuration, state_dir, simulate=simulate)
        document = _asked(directory)
    if as_json:
        click.echo(json.dumps(document))
        return
    try:
        shown = list(lines(document, _until))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise HealthError(
            f"the host in {directory} is of another version; --json shows what it says"
        ) from error
    for line in shown:
        click.echo(line)


def _until(utc: int) -> str:
    """The time here, with its date if that is not today's, and how long it is until then."""
    from datetime import datetime

    now, then = datetime.now(), datetime.fromtimestamp(utc)
    told = then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M:%S")
    minutes, seconds = divmod(max(0, round((then - now).total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    return f"{told} ({left if hours or minutes else f'{seconds} s'} left)"


def _of_service_for_members(
    configuration: dict[str, Any], state_dir: str | None, *, simulate: bool
) -> tuple[Path, dict[str, Any] | None]:
    """What the service answers to members of its group, who may not see more of it, and its folder.
    None: it is not meant, or does not answer."""
    from ruuvi_host.cli.place import is_service_meant
    from ruuvi_host.config.service import Service
    from ruuvi_host.monitoring.socket import ask

    folder = Service.of().runtime
    if is_service_meant(configuration["config_file"], state_dir, other=simulate):
        with suppress(OSError, ValueError, RecursionError):  # there is another way to ask it
            return folder, ask(folder)
    return folder, None


def _directory(configuration: dict[str, Any], state_dir: str | None, *, simulate: bool) -> Path:
    """The state directory of the host. Raises ConfigError, HealthError: it may not be known."""
    from ruuvi_host.cli.configuration import inputs
    from ruuvi_host.cli.place import place, state_of
    from ruuvi_host.config.load import load
    from ruuvi_host.config.service import Service, why_denied
    from ruuvi_host.errors import ConfigError, HealthError
    from ruuvi_host.monitoring.socket import NAME

    try:
        where = place(configuration["config_file"], state_dir, simulate=simulate)
    except ConfigError as error:
        denied = why_denied(Service.of().runtime / NAME) or str(error)
        raise HealthError(f"the service cannot be asked: {denied}") from error
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    configuration = configuration | {"config_file": where.config}
    what = inputs(**configuration, options=options, simulated=simulate, state=where.state)
    return state_of(load(what), simulate=simulate)


def _asked(directory: Path) -> dict[str, Any]:
    """The status of the host that uses it. Raises HealthError."""
    from ruuvi_host.config.service import Service, why_denied
    from ruuvi_host.errors import HealthError
    from ruuvi_host.monitoring.socket import ask

    try:
        document = ask(directory)
    except FileNotFoundError:
        document = None
    except OSError as error:
        problem = why_denied(directory) or error.strerror or "it does not answer"
        raise HealthError(f"the host in {directory} cannot be asked: {problem}") from error
    except (ValueError, RecursionError) as error:
        problem = "gives an answer that is not a status"
        raise HealthError(f"the host in {directory} {problem}") from error
    if document is None:
        if directory == Service.of().state:
            raise HealthError(
                f"the service does not run, as {directory} tells: systemctl status ruuvi-host"
            )
        raise HealthError(f"no host runs with the state directory {directory} (see --state-dir)")
    return document
