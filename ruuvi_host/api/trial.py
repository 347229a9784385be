"""A target as it would be with settings that are not saved, and a post to it.

What is posted, and how, is what the relay does: the same values, files, proxy, certificates and
signature. What a client of the API may not have done for it: a saved secret goes to no other server
than the one it is saved for, and this machine and its neighbours on the wire are asked only at an
address that is saved, or where `[api] check_local` allows it. No redirect is followed.
"""

from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruuvi_host.api.door import Door
from ruuvi_host.api.unsaved import TrialPlaces
from ruuvi_host.config.addresses import is_ruuvi
from ruuvi_host.config.build import target_of
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import CREDENTIALS
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Problem, Problems, Severity
from ruuvi_host.config.targets import CUSTOM, RUUVI, STATISTICS, HttpTarget
from ruuvi_host.config.url import parse_address
from ruuvi_host.errors import ConfigError
from ruuvi_host.relay.http.check import attempt, empty_batch, empty_status
from ruuvi_host.relay.http.near import is_near
from ruuvi_host.relay.http.outcome import PostOutcome
from ruuvi_host.relay.http.signing import Signer

ADDRESSES = {CUSTOM: "http_url", STATISTICS: "http_stat_url"}
"""Target → the key of its address. Ruuvi Cloud has one that cannot be changed."""
_SWITCHES = {CUSTOM: "use_http", STATISTICS: "use_http_stat"}
_SECRETS = {
    CUSTOM: ("http_pass", "http_bearer_token", "http_api_key"),
    STATISTICS: ("http_stat_pass",),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A target to be tried, and where it may be."""

    target: HttpTarget
    is_saved: bool
    """Scheme, host and port are those that are saved for this target."""
    unsaved: Mapping[str, Path] = field(default_factory=dict)
    """Files that are only tried, by name."""

    async def post(self, door: Door, *, time_limit: float) -> PostOutcome:
        """Post a batch without reports, or a status, to it. Raises ConfigError."""
        target, config, gateway = self.target, door.loaded.config, door.identity().device
        if target.name == STATISTICS:
            body = empty_status(gateway, config)
        else:
            body = empty_batch(gateway, config, int(door.clock.wall()))
        # A key that the server gave the relay is the one that it expects.
        signer = door.remembered.of(target.name, Signer) if self.is_saved else None
        allowed = permits(door, is_saved=self.is_saved)
        return await attempt(target, gateway, body, signer, permits=allowed, time_limit=time_limit)

    def public(self, text: str) -> str:
        """As a client gets to see it: without paths of this machine. Files have their names."""
        tls, extra = self.target.tls, self.target.extra
        files = (tls.client_cert, tls.client_key, tls.server_cert)
        paths = filter(None, (*files, extra.path, extra.query, extra.headers))
        names = {str(path): path.name for path in paths}
        names |= {str(path): name for name, path in self.unsaved.items()}
        for path in sorted(names, key=len, reverse=True):  # one may begin with another one
            text = text.replace(path, names[path])
        return text


def permits(door: Door, *, is_saved: bool) -> Callable[[str], bool]:
    """Which IP addresses a check may connect to."""
    api = door.loaded.config.api
    if is_saved or (api and api.check_local):
        return lambda address: True
    return lambda address: not is_near(address)


def trial(
    door: Door,
    name: str,
    document: Mapping[str, Any],
    unsaved: Mapping[str, Path] | None = None,
) -> Trial:
    """The target `name` with the values of `document` (keys of a gateway) in place of the present
    ones, switched on. unsaved: files in place of the stored ones, by name.

    Raises ConfigError naming the key: it would not work, or is not allowed.
    """
    sources = copy(door.loaded.sources)
    sources.gateway = deepcopy(sources.gateway)
    sources.problems = Problems()
    stored, unsaved = sources.places, unsaved or {}
    sources.places = TrialPlaces(stored.reading, stored.writing, unsaved)
    is_saved = True
    if name != RUUVI:
        is_saved = _change(sources.gateway, name, document, sources.problems)
        if name == CUSTOM and not sources.gateway["use_http"]:  # its address is the cloud's
            name, is_saved = RUUVI, True
    target = target_of(sources, name)
    if target is None:
        raise _error(name, sources.problems.found)
    refuse_ruuvi(door, ADDRESSES.get(name, "use_http_ruuvi"), target.url)
    return Trial(replace(target, keep_alive=False, redirect_get=False), is_saved, unsaved)


def refuse_ruuvi(door: Door, key: str, url: str) -> None:
    """Nothing of a simulated coprocessor gets to Ruuvi. Raises ConfigError naming `key`."""
    if door.simulated and is_ruuvi(parse_address(url).host):
        raise ConfigError(key, "simulated data is never sent to Ruuvi")


def is_saved_server(loaded: Loaded, name: str, url: str) -> bool:
    """Are scheme, host and port of `url` those that are saved for the target `name`?"""
    return _is_same_server(url, loaded.sources.gateway[ADDRESSES[name]])


def _change(
    gateway: GatewayConfig, name: str, document: Mapping[str, Any], problems: Problems
) -> bool:
    """Take over what `document` says. Returns whether it is the server that is saved. Raises
    ConfigError: the secret that is needed is saved for another one."""
    address = ADDRESSES[name]
    url = document.get(address, gateway[address])
    is_saved = isinstance(url, str) and _is_same_server(url, gateway[address])
    had = {key for key in _SECRETS[name] if gateway[key]}
    if not is_saved:
        gateway.values |= dict.fromkeys(had, "")
    gateway.update({**document, _SWITCHES[name]: True}, problems, own=True)
    for key in _needed(gateway, name):
        if key in had and not is_saved and key not in document:
            raise ConfigError(key, "the saved one is for another server: enter it again")
    return is_saved


def _needed(gateway: GatewayConfig, name: str) -> tuple[str, ...]:
    """The secrets that a post to this target needs."""
    if name == STATISTICS:
        return ("http_stat_pass",) if gateway["http_stat_user"] else ()
    return tuple(key for key in CREDENTIALS[gateway["http_auth"]] if key in _SECRETS[CUSTOM])


def _is_same_server(url: str, saved: str) -> bool:
    try:
        return parse_address(url).origin == parse_address(saved).origin
    except ValueError:
        return False


def _error(name: str, problems: list[Problem]) -> ConfigError:
    """Why there is no target: the first of what is said about it."""
    bad = [p for p in problems if p.severity is not Severity.WARNING]
    own = [p for p in bad if p.key.startswith("http_") and ("_stat_" in p.key) == (name != CUSTOM)]
    first = next(iter(own or bad))
    return ConfigError(first.key, first.why)
