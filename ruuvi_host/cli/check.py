"""`ruuvi-host check`: one real post to each server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.configuration import CERTIFICATES, configuration_options, for_url, inputs
from ruuvi_host.cli.groups import Command

if TYPE_CHECKING:
    from firmware_protocol.messages import DeviceId
    from ruuvi_host.config.load import Loaded
    from ruuvi_host.config.remote import RemoteSettings
    from ruuvi_host.config.targets import Target
    from ruuvi_host.relay.kinds import CheckResult


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  ruuvi-host check --config /etc/ruuvi-host/ruuvi-host.toml
  ruuvi-host check custom --url https://my.server/record --port /dev/ttyACM0
  ruuvi-host check custom --url http://127.0.0.1:8080/ --simulate""",
)
@click.argument("names", metavar="[ruuvi|custom|mqtt|status|remote|NAME]...", nargs=-1)
@click.option("--url", metavar="URL", help="Your own server, in place of the configured one.")
@click.option(
    "--port",
    metavar="PORT",
    help="Ask this coprocessor for its identity, in place of the last known one.",
)
@click.option("--simulate", is_flag=True, help="Sign as the simulated coprocessor does.")
@configuration_options
@click.option("--state-dir", metavar="DIR", help="As for `run`.")
@click.option(
    "--same-id",
    is_flag=True,
    help="Ask a broker with the client id of the host, which ends the connection of one that is "
    "running; without it, the id has -check behind it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    names: tuple[str, ...],
    url: str | None,
    port: str | None,
    simulate: bool,
    config_file: Path | None,
    files: Path | None,
    settings: tuple[str, ...],
    trust_clock: bool,
    state_dir: str | None,
    same_id: bool,
    as_json: bool,
) -> None:
    """Try all configured targets, or the named ones: does a delivery arrive?

    Without --config, --port and --state-dir those of the installed service.

    A server gets a real, signed post, as with the gateway's "check": a batch without sensors (for
    statistics: a status). A target of [[target]], by its NAME, is tried in its own way. `remote`
    fetches the configuration of remote_cfg_url, and changes nothing. One line for each says whether
    it was accepted; if not, which step failed, and what to do.

    Exit status 0: all were accepted; 4: not all; 2: the configuration cannot be used.
    """
    from dataclasses import replace
    from functools import partial

    from ruuvi_host import logs
    from ruuvi_host.cli.place import place
    from ruuvi_host.config.load import load_to_run
    from ruuvi_host.jobs.check import check_all
    from ruuvi_host.lifetime import run_once

    logs.configure()
    logs.adjust("warning", as_json=False)
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    where = place(config_file, state_dir, simulate=simulate, other=bool(port))
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
    if port:
        options.append(("coprocessor.port", port, "--port"))
    loaded = load_to_run(what(options=options))
    remote = _remote(loaded, names, only_url=bool(url))
    targets = _chosen(loaded, names, simulate=simulate, remote=bool(remote))
    gateway = _identity(loaded, targets, asked=bool(port), simulate=simulate, remote=bool(remote))
    config = replace(loaded.config, trust_clock=loaded.config.trust_clock or simulate)
    results = run_once(check_all(targets, config, gateway, same_id=same_id)) if targets else []
    if remote:
        from firmware_protocol.messages import address_text
        from ruuvi_host.jobs.check_remote import check_remote

        results.append(run_once(check_remote(remote, address_text(gateway.addr))))
    if url and any(key == CERTIFICATES[1] and text == "false" for key, text, _ in options):
        results = [_with_certificates(result) for result in results]
    for result in results:
        if as_json:
            line = {
                "target": result.target,
                "delivered": result.delivered,
                "step": result.step or None,
                "status": result.code,
                "reason": result.reason,
                "remedy": result.remedy,
            }
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo(str(result))
    if not all(result.delivered for result in results):
        raise SystemExit(4)


def _with_certificates(result: CheckResult) -> CheckResult:
    """For --url to another host than the configured one: its certificates were left away."""
    from dataclasses import replace

    if result.target != "custom" or result.step != "TLS":
        return result
    more = "certificates that are configured for another host do not count with --url (with it, "
    more += f"--set {CERTIFICATES[1]}=true)"
    return replace(result, remedy=f"{result.remedy}; {more}")


def _remote(loaded: Loaded, names: tuple[str, ...], *, only_url: bool) -> RemoteSettings | None:
    """Of the remote configuration, if it is to be checked. Raises ConfigError.

    only_url: a server was named by its address, and nothing else is asked for.
    """
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.check_remote import REMOTE

    settings = loaded.config.remote
    if REMOTE not in names or any(target.name == REMOTE for target in loaded.config.targets):
        return None if names or only_url else settings
    for problem in loaded.problems:
        if settings is None and problem.key.startswith("remote_cfg_"):
            raise ConfigError(problem.key, problem.why)
    if settings is None:
        why = "is off, so there is nothing to fetch (--set remote_cfg_use=true, and remote_cfg_url)"
        raise ConfigError("remote_cfg_use", why)
    return settings


def _chosen(
    loaded: Loaded, names: tuple[str, ...], *, simulate: bool, remote: bool
) -> list[Target]:
    """The targets to post to. remote: the remote configuration is checked, too. Raises
    ConfigError."""
    from ruuvi_host.config.addresses import refuse_ruuvi
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.config.targets import CUSTOM, MQTT, RUUVI, STATISTICS
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.check_remote import REMOTE

    config = loaded.config
    on = {target.name: target for target in config.targets}
    if config.statistics:
        on[STATISTICS] = config.statistics
    keys = {RUUVI: "use_http_ruuvi", CUSTOM: "use_http", STATISTICS: "use_http_stat"}
    keys[MQTT] = "use_mqtt"
    wanted = [STATISTICS if name == "status" else name for name in names] or list(on)
    if remote and REMOTE in wanted:
        wanted = [name for name in wanted if name != REMOTE]
    chosen = []
    for name in wanted:
        if "://" in name:
            raise ConfigError(name, f"is an address, and no name of a target: --url {name}")
        if name not in on and name not in keys:
            known = ", ".join(
                ["ruuvi", "custom", "mqtt", "status", REMOTE, *(n for n in on if n not in keys)]
            )
            raise ConfigError(name, f"there is no target of this name; there are {known}")
        if name not in on:
            for problem in loaded.problems:
                of_it = problem.key.startswith("mqtt_" if name == MQTT else "http_")
                if problem.severity is Severity.FAULT and of_it:
                    raise ConfigError(problem.key, problem.why)
            raise ConfigError(
                keys[name], f"is off, so there is nothing to check (--set {keys[name]}=true)"
            )
        if simulate:
            refuse_ruuvi(on[name].address)
        chosen.append(on[name])
    if not chosen and not remote:
        raise ConfigError("--url", "nothing to check: give --url, or --config with a target")
    return chosen


def _identity(
    loaded: Loaded, targets: list[Target], *, asked: bool, simulate: bool, remote: bool
) -> DeviceId:
    """Who signs, and whose configuration is fetched. Raises ConfigError or DeviceError."""
    from ruuvi_host.cli.place import state_of
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.check import NOBODY, identify
    from ruuvi_host.jobs.state import StateDirectory
    from ruuvi_host.lifetime import run_once
    from ruuvi_host.relay.kinds import kind_of

    if simulate:
        from ruuvi_host.simulator.board import Board

        return Board(tags=0).device
    if not (remote or any(kind_of(target).needs_gateway for target in targets)):
        return NOBODY
    known = StateDirectory.look_into(state_of(loaded)).load_gateway()
    if known and not asked:
        return known
    if not loaded.config.coprocessors:
        why = "name it: the id of the coprocessor, which signs the batches, is not known yet"
        raise ConfigError("--port", why)
    return run_once(identify(loaded.config.coprocessors[0]))
