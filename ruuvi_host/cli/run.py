"""`ruuvi-host run`: receive from a coprocessor and relay to a server."""

from pathlib import Path

import click

MIN_INTERVAL, MAX_INTERVAL = 1, 3600


@click.command(
    epilog="""\b
Examples:
  ruuvi-host run --port /dev/ttyACM0 --url http://my.server:8000/record
  ruuvi-host run --port /dev/ttyACM0 --config gw_cfg.json
  ruuvi-host run --simulate --url http://127.0.0.1:8000/"""
)
@click.option(
    "--port",
    metavar="PORT",
    help="Serial port of the coprocessor: a device such as "
    "/dev/ttyACM0 or /dev/serial/by-id/…, a pseudo-terminal, socket://host:port or "
    "rfc2217://host:port.",
)
@click.option(
    "--simulate",
    is_flag=True,
    help="Use a simulated coprocessor instead of a port. "
    "Implies --trust-clock; nothing is ever sent to Ruuvi.",
)
@click.option("--url", metavar="URL", help="Server to post to, in place of the one in --config.")
@click.option(
    "--interval",
    type=click.IntRange(MIN_INTERVAL, MAX_INTERVAL),
    metavar="S",
    help="Seconds between posts to your own server, 1 to 3600. [default: 10]",
)
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A gateway's gw_cfg.json: scanning, filters, servers. Ruuvi Cloud is on unless "
    "the file says otherwise, as on a gateway.",
)
@click.option(
    "--trust-clock",
    is_flag=True,
    help="Take the system clock as right, though the kernel does not call it synchronised.",
)
@click.option(
    "--state-dir",
    metavar="DIR",
    help="Where undelivered data is kept, for one "
    "instance each. [default: $STATE_DIRECTORY, else $XDG_STATE_HOME/ruuvi-host]",
)
def command(
    port: str | None,
    simulate: bool,
    url: str | None,
    interval: int | None,
    config_file: Path | None,
    trust_clock: bool,
    state_dir: str | None,
) -> None:
    """Receive from a coprocessor and relay to a server.

    Keeps the newest report of every sensor and posts what has changed at each interval, as the
    Ruuvi Gateway does. What a server does not take is kept and tried again. SIGTERM or Ctrl-C
    stops within five seconds, with the last batch delivered or kept.
    """
    from dataclasses import replace

    from ruuvi_host import app, logs
    from ruuvi_host.config import gw_cfg
    from ruuvi_host.config.model import (
        CUSTOM,
        DEFAULT_PERIOD,
        RUUVI,
        Config,
        Target,
        check_url,
        refuse_ruuvi,
        split_user,
        state_directory,
    )
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.lifetime import run_until_stopped
    from ruuvi_host.state import StateDirectory

    logs.configure()
    if bool(port) is simulate:
        raise ConfigError("--port", "name the port, or use --simulate (one of them)")
    config = gw_cfg.load(config_file) if config_file else Config()
    targets = {target.name: target for target in config.targets}
    if simulate:
        targets.pop(RUUVI, None)
    if url:
        bare, authorization = split_user(check_url("--url", url))
        period = targets[CUSTOM].period if CUSTOM in targets else DEFAULT_PERIOD
        targets[CUSTOM] = Target(CUSTOM, bare, period, authorization)
    if interval:
        if CUSTOM not in targets:
            raise ConfigError("--interval", "is for your own server: give --url too")
        targets[CUSTOM] = replace(targets[CUSTOM], period=interval)
        gw_cfg.warn_if_short("--interval", interval)
    if not targets:
        raise ConfigError("--url", "nowhere to send to: give --url, or --config with a server")
    if simulate:
        for target in targets.values():
            refuse_ruuvi(target.url)
    config = replace(config, targets=tuple(targets.values()))
    state = StateDirectory.open(state_directory(state_dir, simulated=simulate))
    try:
        run_until_stopped(app.run(port, config, state, trust_clock=trust_clock))
    finally:
        state.close()
