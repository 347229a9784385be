"""`ruuvi-host run`: receive from a coprocessor and relay to a server."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.configuration import configuration_options, for_url, inputs
from ruuvi_host.cli.groups import Command, Whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ruuvi_host.config.load import Loaded
    from ruuvi_host.device.port import Tap
    from ruuvi_host.jobs.bridged import BridgeProcess

MIN_INTERVAL, MAX_INTERVAL = 1, 3600


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  ruuvi-host run --port /dev/ttyACM0 --url http://my.server:8000/record
  ruuvi-host run --config /etc/ruuvi-host/ruuvi-host.toml
  ruuvi-host run --port /dev/ttyACM0 --config gw_cfg.json
  ruuvi-host run --simulate --url http://127.0.0.1:8000/
  ruuvi-host run --hci hci0 --url http://my.server:8000/record

SIGHUP reads the configuration again; if it cannot be used, the old one stays. Closing the terminal
stops the host, unless it was started with nohup.""",
)
@click.option(
    "--port",
    metavar="PORT",
    help="Serial port of the coprocessor: a device such as "
    "/dev/ttyACM0 or /dev/serial/by-id/…, usb:VID:PID[:SERIAL], a pseudo-terminal, "
    "socket://host:port or rfc2217://host:port.",
)
@click.option(
    "--hci",
    metavar="TRANSPORT",
    help="Use a Bluetooth controller instead of a port: hci0, hci:AA:BB:CC:DD:EE:FF, a serial port "
    "with HCI on it, socket://host:port. Starts `ruuvi-host bridge` beside it, which has more "
    "options.",
)
@click.option(
    "--simulate",
    is_flag=True,
    help="Use a simulated coprocessor instead of a port. "
    "Implies --trust-clock; nothing is ever sent to Ruuvi.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Your own server. Replaces the configured one with all its settings.",
)
@click.option(
    "--interval",
    type=Whole(MIN_INTERVAL, MAX_INTERVAL),
    metavar="S",
    help="Seconds between posts to your own server, 1 to 3600. [default: 10]",
)
@configuration_options
@click.option(
    "--state-dir",
    metavar="DIR",
    help="Folder for undelivered data; each instance needs its own. "
    "[default: $STATE_DIRECTORY, else $XDG_STATE_HOME/ruuvi-host]",
)
@click.option(
    "--capture",
    "capture_file",
    metavar="FILE",
    help="Also record every byte between host and coprocessors: see `capture`.",
)
@click.option(
    "--debug",
    is_flag=True,
    help="Log everything, and check every few seconds that the accounting adds up (see `status`).",
)
def command(
    port: str | None,
    hci: str | None,
    simulate: bool,
    url: str | None,
    interval: int | None,
    config_file: Path | None,
    files: Path | None,
    settings: tuple[str, ...],
    trust_clock: bool,
    state_dir: str | None,
    capture_file: str | None,
    debug: bool,
) -> None:
    """Receive from a coprocessor and relay to a server.

    Keeps the newest report of every sensor and posts what has changed at each interval, as the
    Ruuvi Gateway does. What a server does not accept is kept and sent again. SIGTERM or Ctrl-C
    stops the host within five seconds; the last batch is delivered or kept.
    """
    from dataclasses import replace

    from ruuvi_host import logs
    from ruuvi_host.config.addresses import check_url, refuse_ruuvi
    from ruuvi_host.config.load import load as load_quietly
    from ruuvi_host.config.load import load_to_run
    from ruuvi_host.config.model import state_directory
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs import run as job
    from ruuvi_host.jobs.state import StateDirectory
    from ruuvi_host.lifetime import has_terminal, run_until_stopped

    if (port is not None) + (hci is not None) + simulate > 1:
        raise ConfigError("--port", "name the port, or use --hci or --simulate (one of them)")
    bridge = _bridge(hci)
    logs.configure()
    recent = logs.RecentLines()
    # Ignored until the host handles it: until then there is no configuration to read again.
    nohup = signal.signal(signal.SIGHUP, signal.SIG_IGN) is signal.SIG_IGN
    in_terminal = not nohup and has_terminal()
    if url and simulate:
        refuse_ruuvi(check_url("--url", url))
    options = [("state_dir", state_dir, "--state-dir")] if state_dir is not None else []
    if url:
        configured = inputs(config_file, files, settings, options=options, simulated=simulate)
        options += for_url(url, configured)
    if port:
        options.append(("coprocessor.port", port, "--port"))
    if bridge:
        options.append(("coprocessor.port", bridge.link, "--hci"))
    if interval:
        options.append(("http_period", str(interval), "--interval"))
    if debug:
        options.append(("log.level", "debug", "--debug"))
    what = inputs(
        *(config_file, files, settings),
        trust_clock=trust_clock,
        options=options,
        simulated=simulate,
    )

    def load(*, again: bool = True) -> Loaded:
        loaded = load_to_run(what)
        host = loaded.sources.host
        logs.adjust(host["log.level"], as_json=host["log.format"] == "json")
        return _checked(loaded, simulate=simulate, interval=interval, again=again)

    def attempt(text: str) -> Loaded:
        """As if the gateway's file said that; nothing is logged."""
        loaded = load_quietly(replace(what, gateway_text=text))
        return _checked(loaded, simulate=simulate, interval=interval, again=True)

    with recent.kept(), bridge or nullcontext():
        loaded = load(again=False)
        named = loaded.sources.path_of("state_dir")
        folder = state_directory(named, simulated=simulate)
        with (
            closing(StateDirectory.open(folder)) as state,
            _recording(capture_file, loaded, simulate=simulate) as taps,
        ):
            host = job.run(
                loaded,
                state,
                simulate=simulate,
                reload=load,
                attempt=attempt,
                taps=taps,
                bridge=bridge,
                in_terminal=in_terminal,
                debug=debug,
                recent=recent,
            )
            run_until_stopped(host)


def _bridge(transport: str | None) -> BridgeProcess | None:
    """The bridge for `--hci`, started at once: what it needs of us is given up before there are
    threads, each of which would keep it."""
    if transport is None:
        return None
    from ruuvi_host.bridge.capability import drop_net_admin
    from ruuvi_host.bridge.names import read_name
    from ruuvi_host.jobs.bridged import BridgeProcess

    read_name(transport)
    bridge = BridgeProcess(transport)
    bridge.start()
    drop_net_admin()
    return bridge


def _recording(
    path: str | None, loaded: Loaded, *, simulate: bool
) -> AbstractContextManager[Sequence[Tap]]:
    """Taps for the coprocessors; none without a path."""
    if path is None:
        return nullcontext(())
    from ruuvi_host.capture.recorder import recording
    from ruuvi_host.config.coprocessor import GATHER_MS

    coprocessors = () if simulate else loaded.config.coprocessors
    ports = [one.port for one in coprocessors] or ["simulated"]
    gather_ms = max((one.gather_ms for one in coprocessors), default=GATHER_MS)
    return recording(path, ports, gather_ms)


def _checked(loaded: Loaded, *, simulate: bool, interval: int | None, again: bool) -> Loaded:
    """The configuration for this command. Raises ConfigError when it makes no sense for it.

    interval: as an option. again: the host runs already, and can go on with the old one.
    """
    import logging
    from dataclasses import replace

    from ruuvi_host.config.addresses import refuse_ruuvi
    from ruuvi_host.config.advice import forgotten_switch
    from ruuvi_host.config.problems import Severity
    from ruuvi_host.config.targets import CUSTOM
    from ruuvi_host.errors import ConfigError

    config = loaded.config
    if simulate:
        config = replace(config.without_ruuvi(), trust_clock=True)
        for target in config.targets:
            refuse_ruuvi(target.address)
    elif not config.coprocessors:
        raise ConfigError("--port", "name the port of the coprocessor, or use --simulate")
    # A gateway's file never keeps a host from running: what cannot be used in it is an error in
    # log and health. One that runs already has a better one to go on with.
    faults = [p for p in loaded.problems if p.severity is Severity.FAULT]
    has_custom = any(target.name == CUSTOM for target in config.targets)
    if interval and not (again or has_custom or faults):
        raise ConfigError("--interval", "is for your own server: give --url too")
    # Whoever can ask for a target may, later; and one may be fetched.
    if not config.targets and not config.api and not config.remote:
        if faults and again:
            raise ConfigError(faults[0].key, faults[0].why)
        if not faults and (forgotten := forgotten_switch(loaded.problems)):
            raise ConfigError(forgotten.key, f"{forgotten.why}; {forgotten.instead}")
        if not faults:
            raise ConfigError("--url", "nowhere to send to: give --url, or --config with a target")
        logging.getLogger(__name__).error("no target can be used: nothing is sent")
    return replace(loaded, config=config)
