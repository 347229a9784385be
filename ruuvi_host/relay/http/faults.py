"""Is a target ready to be posted to? What can be told without the network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ruuvi_host.config.targets import ExtraFiles, HttpTarget, TlsFiles
from ruuvi_host.config.url import parse_address
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.proxy import parse_proxy
from ruuvi_host.relay.http.request import read_parts
from ruuvi_host.relay.http.tls import Tls


def faults_of(target: HttpTarget) -> Iterator[tuple[str, str]]:
    """What keeps posts from being sent: a key (a file's name, http.proxy or http_url) and half a
    sentence that names the file, for each. May block."""
    try:
        address = parse_address(target.url)
    except ValueError as error:
        yield "http_url", f"the address cannot be used: {error}"
        return
    if target.proxy:
        try:
            parse_proxy(target.proxy)
        except ValueError as error:
            yield "http.proxy", f"the proxy's address cannot be used: {error}"
    # One at a time, so that nothing hides behind the first fault; that extra parts and address go
    # together has been looked at with the keys.
    bare = replace(target, url=urlsplit(target.url)._replace(path="", query="").geturl())
    extra = target.extra
    for one in (
        ExtraFiles(path=extra.path),
        ExtraFiles(query=extra.query),
        ExtraFiles(headers=extra.headers),
    ):
        path = one.path or one.query or one.headers
        if path:
            try:
                read_parts(replace(bare, extra=one), address)
            except NotDelivered as error:
                yield path.name, str(error)
    if address.scheme == "https":
        files = target.tls
        yield from _tls_faults(TlsFiles(server_cert=files.server_cert), files.server_cert)
        yield from _tls_faults(replace(files, server_cert=None), files.client_cert)


def _tls_faults(files: TlsFiles, path: Path | None) -> Iterator[tuple[str, str]]:
    if path:
        try:
            Tls(files, resume=False)
        except NotDelivered as error:
            yield path.name, str(error)
