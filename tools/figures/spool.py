"""What a spool takes: opened, exported, and delivered to a server over HTTPS on this machine."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic, process_time, time

from figures.figure import Round, Unavailable
from figures.process import bytes_written, check_that_writes_are_counted
from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Config
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.jobs.drain import drain
from ruuvi_host.relay.body_line import BodyLines
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.reading import entries
from ruuvi_host.relay.spool.record import row_of
from ruuvi_host.relay.spool.schema import MARKS
from ruuvi_host.relay.spool.values import Entry

MANY = 50_000
DELIVERED = 1500
REPORTS = 10
"""In each batch that is delivered; one in those that are only read."""
_PLACE = "/var/tmp"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def reading() -> Round:
    """CPU seconds to open a million batches, and microseconds to export one."""
    folder = TemporaryDirectory()
    path = Path(folder.name, "custom.spool")
    _fill(path, MANY, 1)

    def once() -> tuple[float, ...]:
        begun = process_time()
        SpoolFile.open(path, SpoolSettings(), time()).abandon()
        opened = process_time() - begun
        line, begun = BodyLines("custom").line, process_time()
        with open(Path(folder.name, "out"), "w", encoding="utf-8") as out:
            for entry in entries(path):
                assert isinstance(entry, Entry)
                out.write(line(entry.batch, round(entry.made)))
        return opened / MANY * 1e6, (process_time() - begun) / MANY * 1e6

    return once


def draining() -> Round:
    """Batches a second, and bytes written to the disk for each."""
    try:
        import trustme
    except ImportError as error:
        raise Unavailable("trustme is not installed") from error
    check_that_writes_are_counted(_PLACE)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context))
    port = server.sockets[0].getsockname()[1]
    Thread(target=loop.run_forever, daemon=True).start()

    def once() -> tuple[float, ...]:
        with TemporaryDirectory(dir=_PLACE) as place:
            certificate, folder = Path(place, "ca.pem"), Path(place, "state")
            authority.cert_pem.write_to_path(certificate)
            folder.mkdir()
            _fill(folder / "custom.spool", DELIVERED, REPORTS)
            tls = TlsFiles(server_cert=certificate)
            target = HttpTarget("custom", f"https://127.0.0.1:{port}/record", tls=tls)
            written, begun = bytes_written("self"), monotonic()
            told = asyncio.run(drain(folder, "custom", target, Config(targets=(target,))))
            took = monotonic() - begun
            if told.left:
                raise Unavailable(f"the server did not accept all: {told}")
            return DELIVERED / took, (bytes_written("self") - written) / DELIVERED

    return once


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            writer.write(_OK)
    writer.close()


def _fill(path: Path, count: int, reports: int) -> None:
    gateway, now = DeviceId(bytes(8), bytes(6)), time()
    data = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")

    def batch(number: int) -> Batch:
        tags = [
            Advertisement(n.to_bytes(6, "big"), data, -60, 1, 15, 37, None, 0.0, int(now) - 60)
            for n in range(reports)
        ]
        return Batch(number, gateway, tuple(tags))

    file = SpoolFile.open(path, SpoolSettings(), now)
    rows = (tuple(row_of(n, now - 60, batch(n))) for n in range(1, count + 1))
    database = file._database  # all at once: to add each would take minutes
    database.transaction(lambda: database.each(f"INSERT INTO batch VALUES ({MARKS})", rows))
    file.abandon()
