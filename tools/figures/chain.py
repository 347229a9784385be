"""From bytes to JSON, in one process and without a port: throughput, stalls, memory."""

import asyncio
import gc
import json
import tracemalloc
from pathlib import Path
from time import perf_counter

from figures.figure import USB_FULL_SPEED, Round, cpu_seconds, set_aside_garbage
from figures.streams import chunks, reports
from firmware_protocol.events import Received
from firmware_protocol.messages import Ack, DeviceId, SetAll
from firmware_protocol.session import HostSession
from firmware_protocol.transitions import State
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.formats import decode, fields
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices
from ruuvi_host.relay.http.outcome import PostOutcome
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.http.sink import HttpSink
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.sink import Verdict
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes(8), bytes(6))
UTC = 1_800_000_000
SECOND = 24_000
"""Reports of 31 bytes that USB full speed brings in a second."""
READ_SIZE = 4096
"""Bytes per read: a host that is busy all the time finds as many as it asks for."""


def ready_session() -> HostSession:
    """A session that takes reports: identified and configured."""
    session = HostSession(SetAll())
    session.start(0.0)
    for answer in (GATEWAY, Ack(SetAll.command, state=False)):
        session.take_output()
        session.receive(answer.to_frame(), 0.0)
    if session.state is not State.READY:
        raise RuntimeError(f"the session is {session.state.value}")
    return session


def batches() -> Round:
    """A body per second of line time, from 100 tags that send each reading twice, as real ones."""
    stream = b"".join(report.to_frame() for report in reports(SECOND, repeats=2))
    pieces = chunks(stream, READ_SIZE)

    def chain() -> None:
        table = AdvertisementTable()
        intake, queue, session = Intake(table), table.queue(), ready_session()
        for piece in pieces:
            for event in session.receive(piece, 1.0):
                if isinstance(event, Received):
                    intake.receive(event.reports, 1.0, UTC)
        list(body_slices(Batch(1, GATEWAY, queue.take()), BodyFacts(), UTC))
        assert intake.counters.reports == SECOND

    return lambda: (len(stream) / cpu_seconds(chain) / USB_FULL_SPEED,)


def every_report() -> Round:
    """Nothing left out: each report decoded, and all of a read made into JSON."""
    stream = b"".join(report.to_frame() for report in reports(SECOND // 4, repeats=2))
    pieces = chunks(stream, READ_SIZE)

    def chain() -> None:
        session = ready_session()
        count = 0
        for piece in pieces:
            for event in session.receive(piece, 1.0):
                if isinstance(event, Received):
                    json.dumps([fields(decode(report.data)) for report in event.reports])
                    count += len(event.reports)
        assert count == SECOND // 4

    return lambda: (len(stream) / cpu_seconds(chain) / USB_FULL_SPEED,)


class _SigningPoster(Poster):
    """Takes a body as the real one does, up to the network."""

    def __init__(self) -> None:
        super().__init__(HttpTarget("bench", "http://127.0.0.1/"))
        self.delivered = asyncio.Event()
        self.size = 0

    async def post(self, body: bytes, gateway: DeviceId, *, hurried: bool = False) -> PostOutcome:
        Signer().sign(body, gateway)
        self.size = len(body)
        self.delivered.set()
        return PostOutcome(Verdict.ACCEPTED)


STALL_TAGS = 10_000


def stall() -> Round:
    """Longest time in ms for which a raw batch of 10,000 tags keeps the event loop from others."""
    heard = reports(STALL_TAGS, tags=STALL_TAGS)

    async def relay_once() -> float:
        clock = SystemClock()
        table = AdvertisementTable(max_sensors=STALL_TAGS)
        poster = _SigningPoster()
        # Nothing is written while the server answers, so no folder is needed.
        spool = Spool(Path("/nonexistent"), "bench", SpoolSettings(), RelayCounters(), clock)
        batcher = Batcher(table.queue(), 3600.0, clock.monotonic())
        source = BatchSource(batcher, lambda: GATEWAY, Nonces(), spool, clock)
        relay = HostRelay("bench", HttpSink(poster, BodyFacts()), source, spool, clock)
        Intake(table).receive(heard, 1.0, UTC)
        set_aside_garbage()
        running = asyncio.create_task(relay.run(), name="relay")
        longest, then = 0.0, perf_counter()
        while not poster.delivered.is_set():
            await asyncio.sleep(0)
            now = perf_counter()
            longest, then = max(longest, now - then), now
        running.cancel()
        assert poster.size > 100 * STALL_TAGS
        return longest * 1000

    return lambda: (asyncio.run(relay_once()),)


TABLE_SENSORS = 100_000


def table_memory() -> Round:
    """Bytes per sensor that tracemalloc counts, for the table with all that it refers to:
    between two batches of one relay, and before a batch, when its queue holds every sensor."""
    pieces = chunks(b"".join(r.to_frame() for r in reports(TABLE_SENSORS, tags=TABLE_SENSORS)))

    def once() -> tuple[float, float]:
        session = ready_session()
        tracemalloc.start()
        try:
            table = AdvertisementTable(max_sensors=TABLE_SENSORS)
            intake, queue = Intake(table), table.queue()
            for number, piece in enumerate(pieces):
                # Each read has a time of its own, as in `run`; the table keeps it.
                now = float(number)
                for event in session.receive(piece, now):
                    if isinstance(event, Received):
                        intake.receive(event.reports, now, UTC + number)
            before_batch = _traced_bytes() / len(table)
            queue.take()
            return _traced_bytes() / len(table), before_batch
        finally:
            tracemalloc.stop()

    return once


def _traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
