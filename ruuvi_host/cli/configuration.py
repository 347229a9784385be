"""The options that say where a configuration comes from, for all commands that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ruuvi_host.config.sources import Inputs

F = TypeVar("F", bound=Callable[..., Any])

A_FILE = click.Path(readable=False, path_type=Path)
"""One to read, or a folder. Not `readable`: click would leave out who may read it, and reading
tells that."""
CERTIFICATES = ("http_use_ssl_client_cert", "http_use_ssl_server_cert")

config_option, set_option = (
    click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=A_FILE,
        help="A ruuvi-host.toml, or a gateway's gw_cfg.json; the other one in the same folder "
        "counts too. [default: $RUUVI_HOST_CONFIG]",
    ),
    click.option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        help="Any key of either file, on top of both; may be repeated. KEY=@FILE takes the value "
        "from a file, which keeps a secret out of the list of processes.",
    ),
)
_OPTIONS = (
    config_option,
    click.option(
        "--files",
        metavar="DIR",
        type=A_FILE,
        help="Folder with certificates (http_cli_cert, http_srv_cert …) and extra parts "
        "(http_headers …). [default: that of --config]",
    ),
    set_option,
    click.option(
        "--trust-clock",
        is_flag=True,
        help="Take the system clock as right, though the kernel does not call it synchronised.",
    ),
)


def configuration_options(function: F) -> F:
    """Add --config, --files, --set and --trust-clock to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def inputs(
    config_file: Path | None,
    files: Path | None,
    settings: Iterable[str],
    *,
    trust_clock: bool = False,
    options: Iterable[tuple[str, str, str]] = (),
    simulated: bool = False,
    state: Path | None = None,
) -> Inputs:
    """What the options and the environment say.

    options: (key, text, option) of options that stand for a key; `--set` counts more.
    simulated: the state is that of a simulated coprocessor. state: its folder, if nothing names
    another; None: this user's.
    """
    import os

    from ruuvi_host.config.model import state_directory
    from ruuvi_host.config.sources import Inputs
    from ruuvi_host.errors import ConfigError

    with suppress(ConfigError):  # whoever needs one is told
        state = state or state_directory(None, simulated=simulated)
    overrides = list(options)
    if trust_clock:
        overrides.append(("trust_clock", "true", "--trust-clock"))
    overrides += [(*key_and_value(text), "--set") for text in settings]
    return Inputs(config_file, files, tuple(overrides), dict(os.environ), state)


def key_and_value(text: str, of: str = "--set") -> tuple[str, str]:
    """KEY=VALUE in two. of: the option or command behind which it was typed. Raises ConfigError."""
    from ruuvi_host.errors import ConfigError

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        from ruuvi_host.config.gateway_keys import BY_NAME
        from ruuvi_host.config.host_keys import HOST_BY_NAME

        # Else it may be a secret without its key.
        shown = key if key in BY_NAME or key in HOST_BY_NAME else "…"
        raise ConfigError(of, f"must be KEY=VALUE without spaces, and {shown} is not")
    return key.strip(), value


def for_url(url: str, configured: Inputs | None = None) -> list[tuple[str, str, str]]:
    """--url as keys: nothing that was configured for another server goes to this one.

    configured: all the other options. Certificates that they name for this very host stay.
    """
    from ruuvi_host.config.addresses import check_url, split_user

    _, authorization = split_user(check_url("--url", url))
    keys = {"use_http": "true", "http_url": url, "http_auth": "basic" if authorization else "none"}
    if not (configured and _is_for(url, configured)):
        for name in CERTIFICATES:
            keys[name] = "false"
    for name in ("path", "query", "headers"):
        keys[f"http_use_extra_http_{name}"] = "false"
    return [(key, text, "--url") for key, text in keys.items()]


def _is_for(url: str, configured: Inputs) -> bool:
    """Is a configuration for the host of this address?"""
    from ruuvi_host.config.load import load
    from ruuvi_host.config.url import parse_address

    try:
        known = parse_address(load(configured).sources.gateway["http_url"])
    except ValueError:
        return False
    return parse_address(url).host == known.host
