"""`check_remote_cfg`: a configuration is fetched and read, and nothing is changed.

Source of the words: ruuvi.gateway_esp.c validate_url.c, http_server_cb.c.
"""

from firmware_protocol.messages import address_text
from ruuvi_host.api.check_words import BAD_GATEWAY, LONGEST_BODY, incorrect, no_network
from ruuvi_host.api.door import Door
from ruuvi_host.api.trial import permits
from ruuvi_host.api.validation import BadRequestError, Wish
from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.config.url import parse_address
from ruuvi_host.remote.addresses import problem_of
from ruuvi_host.remote.answer import Failed, Fetched
from ruuvi_host.remote.download import TIME_LIMIT, fetch
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.text import Refused, parse, read

OTHER_SERVER = (
    "The saved password is for another server: it is sent only where scheme, host and port are "
    "those that are saved. Enter it again"
)


async def try_remote(wish: Wish, door: Door, *, time_limit: float = TIME_LIMIT) -> tuple[int, str]:
    """Status and message of a gateway. time_limit: seconds for each file. Raises
    BadRequestError."""
    if problem_of(wish.url):
        return 400, incorrect(wish.url)
    saved = door.loaded.sources.gateway
    is_saved = _is_same_server(wish.url, saved["remote_cfg_url"])
    secret = wish.secret or ""
    if wish.uses_saved:
        if not is_saved:
            return 400, OTHER_SERVER
        secret = saved[wish.secret_key]
        if wish.auth != "basic" and not secret:
            raise BadRequestError
    settings = _settings(wish, door, secret)
    download = await fetch(
        settings,
        address_text(door.identity().device.addr),
        Memory(),
        permits=permits(door, is_saved=is_saved),
        time_limit=min(time_limit, TIME_LIMIT),
    )
    answer = download.answer
    if isinstance(answer, Failed):
        status, message = _of_failure(answer)
        return status, _public(message, settings.tls)
    assert isinstance(answer, Fetched)  # nothing was remembered, so there is no 304
    return of_text(answer.text)


def of_text(text: str) -> tuple[int, str]:
    """Status and message of a gateway, of what stands in the file."""
    first = text.encode("utf-8", "replace")[:1]
    if first != b"{":
        told = f"'{chr(first[0])}' ({first[0]})" if first else "'\\0' (0)"
        return BAD_GATEWAY, f"Invalid first byte of json, expected '{{', actual {told}"
    try:
        document = parse(text)
    except Refused:
        return BAD_GATEWAY, "Failed to parse gw_cfg.json or no memory"
    names = {name.lower(): value for name, value in document.items()}
    if names.get("remote_cfg_use") is not True:
        return BAD_GATEWAY, "Invalid gw_cfg.json: 'use_remote_cfg' is missing or 'false'"
    try:
        read(text)
    except Refused as error:  # a gateway would take it
        return BAD_GATEWAY, str(error)
    return 200, ""


def _of_failure(failed: Failed) -> tuple[int, str]:
    if failed.cause == "near":
        return 400, f"{failed.reason}: api.check_local allows such checks"
    if failed.cause == "file":
        return 400, failed.reason
    if failed.cause == "name":
        said = "Failed to resolve hostname"
    elif failed.cause == "time":
        said = "Timeout waiting for a response from the server"
    elif failed.result in ("unreachable", "tls"):
        said = no_network(failed.reason)
    elif failed.result in ("refused", "too_long"):
        said = failed.reason if failed.status == BAD_GATEWAY else ""
    else:
        body = failed.said.encode("utf-8", "replace")
        said = body[:LONGEST_BODY].decode("utf-8", "ignore")
    status = failed.status
    told = f"Download of gw_cfg failed, HTTP error code {status}, message: {said or '<NULL>'}"
    return status, told


def _settings(wish: Wish, door: Door, secret: str) -> RemoteSettings:
    """With the certificates that are saved."""
    sources = door.loaded.sources
    where = sources.places.where
    return RemoteSettings(
        wish.url,
        wish.auth,
        user=wish.user,
        password=secret,
        token=secret,
        tls=TlsFiles(
            where("rcfg_cli_cert") if wish.client_cert else None,
            where("rcfg_cli_key") if wish.client_cert else None,
            None,
            where("rcfg_srv_cert") if wish.server_cert else None,
        ),
        proxy=sources.host["http.proxy"] or None,
        public_key=sources.host["remote_configuration.public_key"],
    )


def _public(text: str, tls: TlsFiles) -> str:
    """Without paths of this machine: files have their names."""
    for path in filter(None, (tls.client_cert, tls.client_key, tls.server_cert)):
        text = text.replace(str(path), path.name)
    return text


def _is_same_server(url: str, saved: str) -> bool:
    try:
        return parse_address(url).origin == parse_address(saved).origin
    except ValueError:
        return False
