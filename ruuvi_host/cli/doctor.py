"""`ruuvi-host doctor`: what is wrong, and how to fix it."""

from __future__ import annotations

import click

from ruuvi_host.cli.configuration import configuration_options


@click.command(
    epilog="""\b
Examples:
  ruuvi-host doctor --config /etc/ruuvi-host/ruuvi-host.toml
  ruuvi-host doctor --port /dev/ttyACM0 --url http://my.server:8000/record
  ruuvi-host doctor --config /etc/ruuvi-host/ruuvi-host.toml --bundle report.zip"""
)
@click.option("--port", metavar="PORT", help="As for `run`.")
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
    url: str | None,
    state_dir: str | None,
    no_post: bool,
    as_json: bool,
    bundle: str | None,
    **configuration: object,
) -> None:
    """Check everything between the port and the server, and say what is wrong.

    One line for each check: ok, warning or fault, and what to do. A running host is asked for its
    counters; when none runs, the port is opened for a few seconds. Each server gets one real,
    signed post without sensors.

    Exit status 0: all is well; 1: warnings; 3: a fault.
    """
    import json

    from ruuvi_host import logs
    from ruuvi_host.capture.memory import Recording
    from ruuvi_host.cli.configuration import for_url, inputs
    from ruuvi_host.clock import SystemClock
    from ruuvi_host.config.load import load
    from ruuvi_host.config.model import state_directory
    from ruuvi_host.doctor.examination import examine
    from ruuvi_host.doctor.judgement import Finding, exit_status
    from ruuvi_host.lifetime import run_once

    if bundle is not None:
        from ruuvi_host.bundle.archive import check_new

        check_new(bundle)
    logs.configure()
    logs.adjust("critical", as_json=False)  # problems are shown as findings
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    if url:
        options += for_url(url, inputs(**configuration, options=options))  # type: ignore[arg-type]
    if port:
        options.append(("coprocessor.port", port, "--port"))
    loaded = load(inputs(**configuration, options=options))  # type: ignore[arg-type]
    state = state_directory(loaded.sources.path_of("state_dir"), simulated=False)
    findings: list[Finding] = []
    heard = Recording(SystemClock()) if bundle is not None else None

    async def tell() -> None:
        async for finding in examine(loaded, state, post=not no_post, heard=heard):
            findings.append(finding)
            line = {
                "topic": finding.topic,
                "level": finding.level.name.lower(),
                "sentence": finding.sentence,
                "remedy": finding.remedy,
            }
            click.echo(json.dumps(line, ensure_ascii=False) if as_json else str(finding))

    run_once(tell())
    if bundle is not None and heard is not None:
        from ruuvi_host.doctor.bundle import write_bundle

        missing = write_bundle(bundle, loaded, state, [str(f) for f in findings], heard)
        for line in missing:
            click.echo(f"{bundle} has no {line}", err=True)
        click.echo(f"wrote {bundle}: look at it before you give it to others", err=True)
    raise SystemExit(exit_status(findings))
