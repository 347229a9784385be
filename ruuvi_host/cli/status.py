"""`ruuvi-host status`: the state of a running host, with all counters."""

from __future__ import annotations

import click

from ruuvi_host.cli.configuration import configuration_options


@click.command()
@configuration_options
@click.option("--state-dir", metavar="DIR", help="The one of the running host. As for `run`.")
@click.option("--simulate", is_flag=True, help="The host was started with --simulate.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all counters.")
def command(state_dir: str | None, simulate: bool, as_json: bool, **configuration: object) -> None:
    """Show the state of a running host, and what happened to all that it received.

    Asks the host over a socket in its state directory; only its user and root may. Each byte and
    each report is in exactly one place of the accounting.

    Exit status 0: the host answered; 5: no host runs, or it does not answer.
    """
    import json
    from pathlib import Path

    from ruuvi_host.cli.configuration import inputs
    from ruuvi_host.config.load import load
    from ruuvi_host.config.model import state_directory
    from ruuvi_host.errors import HealthError
    from ruuvi_host.monitoring.overview import lines
    from ruuvi_host.monitoring.socket import ask

    if state_dir is None:
        what = inputs(**configuration)  # type: ignore[arg-type]  # as click has made them
        named = load(what).sources.path_of("state_dir")
    else:
        named = Path(state_dir)
    directory = state_directory(named, simulated=simulate)
    try:
        document = ask(directory)
    except FileNotFoundError:
        document = None
    except OSError as error:
        problem = error.strerror or "it does not answer"
        raise HealthError(f"the host in {directory} cannot be asked: {problem}") from error
    except (ValueError, RecursionError) as error:
        raise HealthError(
            f"the host in {directory} gives an answer that is not a status"
        ) from error
    if document is None:
        raise HealthError(f"no host runs with the state directory {directory} (see --state-dir)")
    if as_json:
        click.echo(json.dumps(document))
        return
    try:
        shown = list(lines(document))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise HealthError(
            f"the host in {directory} is of another version; --json shows what it says"
        ) from error
    for line in shown:
        click.echo(line)
