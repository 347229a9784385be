"""`ruuvi-host doctor`: what is wrong, and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ruuvi_host.cli.configuration import configuration_options
from ruuvi_host.cli.groups import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruuvi_host.bridge.settings import BridgeSettings
    from ruuvi_host.doctor.judgement import Finding


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  sudo ruuvi-host doctor
  ruuvi-host doctor --port /dev/ttyACM0 --url http://my.server:8000/record
  sudo ruuvi-host doctor --hci hci0
  sudo ruuvi-host doctor --bundle report.zip""",
)
@click.option("--port", metavar="PORT", help="As for `run`.")
@click.option(
    "--hci",
    metavar="TRANSPORT",
    help="Examine a Bluetooth controller instead of a port, as for `bridge`.",
)
@click.option(
    "--simulate",
    is_flag=True,
    help="Examine a host that was started with --simulate; when none runs, a simulated board.",
)
@click.option("--url", metavar="URL", help="Your own server, in place of the configured one.")
@configuration_options
@click.option("--state-dir", metavar="DIR", help="As for `run`.")
@click.option("--no-post", is_flag=True, help="Do not try the servers with a real post.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--bundle",
    metavar="FILE",
    help="Also write all that explains a fault into a zip archive, for a bug report: findings, "
    "configuration, status, log, an anonymized capture. No secrets; its README.txt says what else "
    "is masked.",
)
def command(
    port: str | None,
    hci: str | None,
    simulate: bool,
    url: str | None,
    state_dir: str | None,
    no_post: bool,
    as_json: bool,
    bundle: str | None,
    **configuration: Any,
) -> None:
    """Check everything between the port and the server, and say what is wrong.

    One line for each check: ok, warning or fault, and what to do. A running host is asked for its
    counters; when none runs, the port is opened for a few seconds. Each server gets one real,
    signed post without sensors. Without --config, --port and --state-dir the installed service is
    examined.

    Exit status 0: all is well; 1: warnings; 3: a fault.
    """
    from contextlib import nullcontext
    from functools import partial

    from ruuvi_host import logs
    from ruuvi_host.capture.memory import Recording
    from ruuvi_host.cli.configuration import for_url, inputs
    from ruuvi_host.cli.place import is_service_meant, place, state_of
    from ruuvi_host.clock import SystemClock
    from ruuvi_host.config.load import load
    from ruuvi_host.doctor.examination import examine
    from ruuvi_host.doctor.hosts import simulated
    from ruuvi_host.doctor.judgement import exit_status
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.lifetime import run_once

    if bundle is not None:
        from ruuvi_host.bundle.archive import check_new

        check_new(bundle)
    logs.configure()
    logs.adjust("critical", as_json=False)  # problems are shown as findings
    findings: list[Finding] = []

    def show(finding: Finding) -> None:
        findings.append(finding)
        click.echo(_json_line(finding) if as_json else str(finding))

    if bool(port) + bool(hci) + simulate > 1:
        raise ConfigError("--port", "name the port, or use --hci or --simulate (one of them)")
    controller = _controller(hci) if hci else None
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    config_file = configuration.pop("config_file")
    is_named = port or hci or url or simulate or bundle
    if not is_named and is_service_meant(config_file, state_dir) and _from_outside(show):
        raise SystemExit(exit_status(findings))
    where = place(
        config_file, state_dir, simulate=simulate, other=bool(port or hci), may_go_on=bool(url)
    )
    where.tell()
    what = partial(inputs, where.config, **configuration, simulated=simulate, state=where.state)
    if url:
        options += for_url(url, what(options=options))
    if port:
        options.append(("coprocessor.port", port, "--port"))
    loaded = load(what(options=options))
    state = state_of(loaded, simulate=simulate)
    heard = Recording(SystemClock()) if bundle is not None else None

    async def tell() -> None:
        nonlocal loaded
        async with simulated(loaded, state) if simulate else nullcontext(loaded) as loaded:
            async for finding in examine(
                loaded, state, post=not no_post, heard=heard, hci=controller
            ):
                show(finding)

    run_once(tell())
    if bundle is not None and heard is not None:
        from ruuvi_host.doctor.bundle import write_bundle

        missing = write_bundle(bundle, loaded, state, [str(f) for f in findings], heard)
        for line in missing:
            click.echo(f"{bundle} has no {line}", err=True)
        click.echo(f"wrote {bundle}: look at it before you give it to others", err=True)
    raise SystemExit(exit_status(findings))


def _json_line(finding: Finding) -> str:
    import json

    line = {
        "topic": finding.topic,
        "level": finding.level.name.lower(),
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }
    return json.dumps(line, ensure_ascii=False)


def _controller(transport: str) -> BridgeSettings:
    from ruuvi_host.bridge.names import read_name
    from ruuvi_host.bridge.settings import BridgeSettings

    return BridgeSettings(read_name(transport))


def _from_outside(show: Callable[[Finding], None]) -> bool:
    """Show what the service answers to those who may ask it and may not look at its files.
    Returns whether that is so."""
    from ruuvi_host.config.service import Service
    from ruuvi_host.doctor.examination import from_outside
    from ruuvi_host.doctor.hosts import ask_service

    denied = Service.of().denied
    document = ask_service().document if denied else None
    for finding in from_outside(document, denied) if document else ():
        show(finding)
    return document is not None
