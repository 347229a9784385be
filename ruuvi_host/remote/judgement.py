"""May a configuration that was fetched come into force, and does it need a trial?

It is compared with the present one, both as the host would run with them: what is wrong with the
present one already is no reason to refuse another.
"""

from collections.abc import Iterator

from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.relay.kinds import kind_of
from ruuvi_host.remote.request import credentials
from ruuvi_host.remote.text import Refused

_NO_RISK = (
    *("remote_cfg_refresh_interval_minutes", "http_period", "http_data_format"),
    *("mqtt_data_format", "mqtt_sending_interval"),
)
ON_TRIAL = tuple(
    name
    for name in BY_NAME
    if name.startswith(("remote_cfg_", "http_", "use_http", "mqtt_", "use_mqtt"))
    and "_stat" not in name
    and name not in _NO_RISK
)
"""Keys that can cut a host off from its server, or from those that it sends to."""


def refuse_if_bad(present: Loaded, candidate: Loaded) -> None:
    """Raises Refused. May block: certificates are read."""
    known = {(p.key, p.why) for p in present.problems}
    for problem in candidate.problems:
        is_bad = problem.severity is not Severity.WARNING
        if is_bad and (problem.key, problem.why) not in known:
            raise Refused(str(problem))
    known_faults = set(faults(present))
    for key, why in faults(candidate):
        if (key, why) not in known_faults:
            raise Refused(f"{key}: {why}")
    refuse_if_cut_off(present, candidate)


def refuse_if_cut_off(present: Loaded, candidate: Loaded) -> None:
    """Raises Refused."""
    remote = candidate.config.remote
    if remote is None:
        raise Refused("remote_cfg_url: with this file this host would not fetch again")
    if present.config.targets and not candidate.config.targets and not remote.allow_no_target:
        raise Refused(
            "use_http, use_http_ruuvi, use_mqtt: this file switches off every server that is on "
            "(remote_configuration.allow_no_target permits it)"
        )


def faults(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """What keeps its servers from being reached, as far as it can be seen without them: a key or
    the name of a file, and why. May block."""
    for target in loaded.config.targets:
        yield from kind_of(target).faults(target)
    if statistics := loaded.config.statistics:
        yield from kind_of(statistics).faults(statistics)
    if remote := loaded.config.remote:
        # Its certificates are looked at as those of any other server.
        as_target = HttpTarget("remote", remote.url, tls=remote.tls, proxy=remote.proxy)
        for key, why in kind_of(as_target).faults(as_target):
            yield ("remote_cfg_url" if key == "http_url" else key), why
        try:
            credentials(remote, "")
        except ValueError as error:  # nothing is asked with them
            key, _, why = str(error).partition(" ")
            yield key, why


def needs_trial(present: Loaded, candidate: Loaded) -> bool:
    """Is there a change that can cut this host off?"""
    before, after = present.sources.gateway, candidate.sources.gateway
    return any(before[name] != after[name] for name in ON_TRIAL)


def fixed(candidate: Loaded, saved: dict[str, object]) -> list[str]:
    """Names of keys that a file, a variable or an option of this host keeps at another value than
    the fetched one."""
    gateway = candidate.sources.gateway
    return [name for name in sorted(gateway.own) if name in saved and gateway[name] != saved[name]]
