"""`ruuvi-host bridge` on a scripted controller: what it costs and loses, and bumble beside it.

The controller is a process of its own, and is reached over TCP by whoever is measured.
"""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from figures.figure import Round, Unavailable, cpu_seconds
from figures.parsing import COUNT, missing
from figures.process import PATIENCE, Child, console_script, resident_mib
from figures.streams import chunks, reports
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import AdvRprt2, Message, SetAll, messages
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.h4 import PacketSplitter
from ruuvi_host.hci.reports import ReportReader

SETTLE, WATCH = 1.0, 4.0
"""Seconds after the first report, and seconds of watching then."""
DRAIN = 0.5
"""Seconds without anything after which nothing more is on its way."""
TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[2]
BUMBLE_HOST = Path(__file__).with_name("bumble_host.py")


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Reader:
    """A host that takes what the bridge reports, and does nothing with it."""

    def __init__(self, path: str) -> None:
        self.reports = 0
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        self._port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(self._port, SetAll(fltr_tags=False, max_adv_len=0).to_frame())

    def read(self, timeout: float) -> bool:
        """False: nothing has come in so long."""
        if not select.select([self._port], [], [], timeout)[0]:
            return False
        found = self._scanner.feed(os.read(self._port, 65536))
        self.reports += sum(isinstance(message, AdvRprt2) for message in found)
        return True

    def read_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def close(self) -> None:
        os.close(self._port)


@contextmanager
def controller(rate: int) -> Iterator[Child]:
    """50 tags that send format 5, together so often."""
    command = [sys.executable, "-m", "hil.controller", "--tcp", "--tags", "50"]
    with Child(*command, "--rate", str(rate), stdin=True, folder=str(ROOT)) as child:
        yield child


def serving(rate: int) -> Round:
    """Lost reports, CPU in % of a core, RSS in MiB, and ms from the start of the process to the
    first report."""
    script = console_script()

    def once() -> tuple[float, ...]:
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory())
            radio = stack.enter_context(controller(rate))
            way = radio.read_line()
            begin = time.monotonic()
            link = f"{folder}/port"
            bridge = stack.enter_context(Child(script, "bridge", "--hci", way, "--link", link))
            bridge.read_line()
            reader = Reader(link)
            stack.callback(reader.close)
            while not reader.reports:
                if not reader.read(PATIENCE):
                    raise Unavailable("the bridge reports nothing")
            first = time.monotonic() - begin
            reader.read_for(SETTLE)
            before, then = cpu_of(bridge.pid), time.monotonic()
            reader.read_for(WATCH)
            used = (cpu_of(bridge.pid) - before) / (time.monotonic() - then)
            memory = resident_mib(bridge.pid)
            radio.write_line("quiet-for-good")
            while reader.read(DRAIN):
                pass
            radio.write_line("stop")
            told = json.loads(radio.read_line())
            lost = told["reports"] - reader.reports
        return lost, 100 * used, memory, 1000 * first

    return once


def bumble_host(rate: int) -> Round:
    """CPU in % of a core and RSS in MiB of bumble's host that does nothing but count."""

    def once() -> tuple[float, float]:
        with controller(rate) as radio:
            place = radio.read_line().removeprefix("socket://")
            with Child(sys.executable, str(BUMBLE_HOST), place) as host:
                if (said := host.read_line()) != "ready":
                    raise Unavailable(said)
                time.sleep(SETTLE)
                before, then = cpu_of(host.pid), time.monotonic()
                time.sleep(WATCH)
                used = (cpu_of(host.pid) - before) / (time.monotonic() - then)
                return 100 * used, resident_mib(host.pid)

    return once


def parser() -> Round:
    """How many times as long bumble's parser takes for the same events, legacy and extended, and
    us for each report of ours."""
    try:
        from bumble.hci import HCI_Packet
        from bumble.transport.common import PacketParser
    except ModuleNotFoundError as error:
        raise missing(error) from error
    adverts = [(r.address[::-1], r.data, r.rssi & 0xFF) for r in reports(COUNT)]
    kinds = [
        # H4 event, LE meta event, its length; one report: ADV_IND from a random address.
        [b"\x04\x3e\x2b\x02\x01\x00\x01%b\x1f%b%c" % advert for advert in adverts],
        [
            b"\x04\x3e\x39\x0d\x01\x13\x00\x01%b\x01\x00\xff\x7f%c%b\x1f%b"
            % (address, rssi, bytes(9), data)
            for address, data, rssi in adverts
        ],
    ]
    streams = [chunks(b"".join(packets)) for packets in kinds]

    def ours(stream: list[bytes]) -> int:
        counters = ControllerCounters()
        splitter, reader = PacketSplitter(counters), ReportReader(counters)
        reader.configure(SetAll())
        reader.host_present = True
        return sum(len(reader.read(splitter.feed(piece), 1.0)) for piece in stream)

    def theirs(stream: list[bytes]) -> int:
        class Sink:
            found = 0

            def on_packet(self, packet: bytes) -> None:
                event = HCI_Packet.from_bytes(packet)
                self.found += sum(len(report.data) == 31 for report in event.reports)

        sink = Sink()
        parser = PacketParser(sink)
        for piece in stream:
            parser.feed_data(piece)
        return sink.found

    for stream in streams:
        if (ours(stream), theirs(stream)) != (COUNT, COUNT):
            raise RuntimeError("not all reports were parsed: the comparison is unfair")

    def once() -> tuple[float, ...]:
        figures: list[float] = []
        for stream in streams:
            mine = cpu_seconds(lambda stream=stream: ours(stream), 8)  # type: ignore[misc]
            others = cpu_seconds(lambda stream=stream: theirs(stream))  # type: ignore[misc]
            figures += [others / mine, 1e6 * mine / COUNT]
        return tuple(figures)

    return once
