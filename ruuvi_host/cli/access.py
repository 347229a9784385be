"""`ruuvi-host config password` and `config key`: who may ask the local API."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ruuvi_host.cli.changing import CONFIG, STATE, change_keys, present, to_change

if TYPE_CHECKING:
    from ruuvi_host.config.sources import Sources

_STDIN = ("-", "@-")
_GATEWAY_NAME = re.compile("RuuviGateway(?:[0-9A-F]{4}|XXXX)")


@click.command()
@click.argument("source", metavar="[@FILE]", required=False)
@CONFIG
@STATE
@click.option("--user", metavar="NAME", help="[default: the present one, else Admin]")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["ruuvi", "digest", "basic"]),
    default="ruuvi",
    show_default=True,
    help="ruuvi: the page and Ruuvi's own tools log in. digest, basic: browsers and scripts send "
    "the password with each request.",
)
@click.option(
    "--gateway-name",
    metavar="NAME",
    help="As RuuviGatewayEEFF: the password is kept so that it fits this gateway only. "
    "[default: of the coprocessor that the host has heard last]",
)
def password(
    source: str | None,
    config_file: Path | None,
    state_dir: Path | None,
    user: str | None,
    kind: str,
    gateway_name: str | None,
) -> None:
    """Set the password of the local API and its page.

    Asks for it twice, or takes it from @FILE or from standard input: never from the command line,
    which all users of a machine can read. It is kept as a hash. All sessions end.

    A running host takes it up at once.
    """
    from ruuvi_host.api.access.passwords import SHORT, kept_password
    from ruuvi_host.api.access.settings import DEFAULT_USER, AccessType

    _refuse_plain(source)
    path, sources = to_change(config_file, state_dir)
    named = AccessType(f"lan_auth_{kind}")
    if user is None:
        present = sources.gateway["lan_auth_user"]
        user = str(present) or DEFAULT_USER
    realm = "" if named is AccessType.BASIC else _name(gateway_name) or _known_name(sources)
    text = _secret(source)
    kept = kept_password(named, user, realm, text)
    if len(text) < SHORT:
        click.echo(f"warning: shorter than {SHORT} characters: it can be guessed", err=True)
    pairs = [("lan_auth_type", named.value), ("lan_auth_user", user), ("lan_auth_pass", kept)]
    _change(path, sources, state_dir, pairs)
    click.echo(
        f"The password of {user} is set. Whoever was logged in has to log in again.", err=True
    )


@click.command()
@CONFIG
@STATE
@click.option("--write", is_flag=True, help="The key that may also change settings.")
@click.option("--off", is_flag=True, help="No key in its place: the present one opens nothing.")
def key(config_file: Path | None, state_dir: Path | None, write: bool, off: bool) -> None:
    """Make a key for the local API, and print it: for Home Assistant, Prometheus, scripts.

    It is sent as `Authorization: Bearer KEY`. The key that was there before opens nothing any
    longer. Without --write it is for reading only: measurements, metrics, settings without secrets.
    """
    import secrets

    from ruuvi_host.api.access.passwords import new_key

    made = "" if off else new_key(secrets.token_bytes)
    path, sources = to_change(config_file, state_dir)
    name = "lan_auth_api_key_rw" if write else "lan_auth_api_key"
    _change(path, sources, state_dir, [(name, made)])
    if made:
        click.echo(made)
        click.echo("It is shown this once.", err=True)


def _refuse_plain(source: str | None) -> None:
    """Raises ConfigError for a password that stands where everybody can read it."""
    from ruuvi_host.errors import ConfigError

    if source is not None and source not in _STDIN and not source.startswith("@"):
        problem = "is not taken from the command line; leave it out to be asked, or name @FILE"
        raise ConfigError("the password", problem)


def _secret(source: str | None) -> str:
    """The password. Raises ConfigError."""
    from ruuvi_host.config.files import Unreadable, read_text
    from ruuvi_host.errors import ConfigError

    if source is None and sys.stdin.isatty():
        text: str = click.prompt(
            "Password", hide_input=True, confirmation_prompt="Once more", err=True
        )
        return text
    if source is None or source in _STDIN:
        text = sys.stdin.read(10_000)
    else:
        path = source[1:]
        try:
            text = read_text(Path(path))
        except Unreadable as error:
            raise ConfigError(path, str(error)) from error
    return text.removesuffix("\n").removesuffix("\r")


def _name(given: str | None) -> str:
    """A gateway name. Raises ConfigError."""
    from ruuvi_host.errors import ConfigError

    if given and not _GATEWAY_NAME.fullmatch(given):
        raise ConfigError("--gateway-name", "must be as RuuviGatewayEEFF")
    return given or ""


def _known_name(sources: Sources) -> str:
    """The gateway name. Raises ConfigError: it is not known."""
    from ruuvi_host.api.door import Identity
    from ruuvi_host.errors import ConfigError
    from ruuvi_host.jobs.state import StateDirectory

    folder = _folder(sources)
    device = StateDirectory.look_into(folder).load_gateway()
    if device is None:
        raise ConfigError(
            "--gateway-name",
            f"is needed: no coprocessor has been heard yet, as far as {folder} tells. Start the "
            "host once, or name its folder with --state-dir (of the service: /var/lib/ruuvi-host), "
            "or give the name, which ends with the end of the coprocessor's address",
        )
    return Identity(device, "", "").name


def _folder(sources: Sources) -> Path:
    """Of the state. Raises ConfigError."""
    from ruuvi_host.config.model import state_directory

    return sources.state or state_directory(None, simulated=False)


def _change(
    config_file: Path, sources: Sources, state_dir: Path | None, pairs: list[tuple[str, str]]
) -> None:
    """Write keys, tell what keeps them from counting, and have a running host take them up."""
    change_keys(config_file, sources, pairs)
    if config_file.exists():
        _, after = present(config_file, state_dir)
        for name, value in pairs:
            if after.gateway[name] != value:
                where = after.gateway.origins[name]
                click.echo(f"warning: {name} keeps its value, which {where} sets", err=True)
        if not after.host["api.listen"]:
            off = "the local API is off; on: config set api.listen=127.0.0.1:8080"
            click.echo(f"warning: {off}", err=True)
    click.echo(_tell(_folder(sources)), err=True)


def _tell(folder: Path) -> str:
    """Have the running host read its configuration again. Returns what became of that."""
    import os
    import signal

    from ruuvi_host.monitoring.socket import owner

    try:
        process = owner(folder)
        if process is None:
            return f"No host runs with {folder}: it counts from the next start on."
        os.kill(process, signal.SIGHUP)
    except OSError:
        return "A running ruuvi-host takes it after SIGHUP."
    return "The running ruuvi-host takes it now."
