"""Bytes to values: our parsers against those of others, and against damage and malice."""

from collections.abc import Callable
from functools import partial
from typing import Any

from figures.figure import USB_FULL_SPEED, Round, Unavailable, cpu_seconds
from figures.streams import chunks, damaged, reports, scan
from ruuvi_host.formats import decode

COUNT, CALLS = 2000, 8
GARBAGE_SIZE = 200_000


def missing(error: ModuleNotFoundError) -> Unavailable:
    return Unavailable(f"no {error.name} here: pip install 'ruuvi-host[bench]'")


def against(theirs: Callable[[], int]) -> Round:
    """How many times as long `theirs` takes, which returns how many of COUNT frames it found."""
    ours = chunks(b"".join(report.to_frame() for report in reports(COUNT)))
    for found in (theirs(), scan(ours)):
        if found != COUNT:
            raise RuntimeError(f"{found} of {COUNT} frames were parsed: the comparison is unfair")
    return lambda: (cpu_seconds(theirs) / cpu_seconds(lambda: scan(ours), CALLS),)


def bellows() -> Round:
    """ASH data frames with the same 45 bytes, already cut at their flags."""
    try:
        from bellows.ash import AshProtocol, DataFrame, parse_frame
    except ModuleNotFoundError as error:
        raise missing(error) from error
    frames = [
        bytes(
            AshProtocol._stuff_bytes(
                DataFrame(number % 8, False, 0, ezsp_frame=report.payload()).to_bytes()
            )
        )
        for number, report in enumerate(reports(COUNT))
    ]
    unstuff = AshProtocol._unstuff_bytes

    def theirs() -> int:
        return sum(len(parse_frame(unstuff(frame)).ezsp_frame) == 45 for frame in frames)

    return against(theirs)


def zigpy_znp() -> Round:
    """MT frames with the same 45 bytes, through `data_received`."""
    try:
        from zigpy_znp.frames import GeneralFrame, TransportFrame
        from zigpy_znp.types import Bytes, CommandHeader
        from zigpy_znp.uart import ZnpMtProtocol
    except ModuleNotFoundError as error:
        raise missing(error) from error
    header = CommandHeader(0x0041)
    pieces = chunks(
        b"".join(
            TransportFrame(GeneralFrame(header, Bytes(report.payload()))).serialize()
            for report in reports(COUNT)
        )
    )

    class Api:
        found = 0

        def frame_received(self, frame: Any) -> None:
            self.found += 1

    def theirs() -> int:
        api = Api()
        protocol = ZnpMtProtocol(api)
        for piece in pieces:
            protocol.data_received(piece)
        return api.found

    return against(theirs)


def bumble() -> Round:
    """HCI advertising reports with the same 31 bytes of data, through the H4 parser."""
    try:
        from bumble.hci import HCI_LE_Advertising_Report_Event, HCI_Packet
        from bumble.transport.common import PacketParser
    except ModuleNotFoundError as error:
        raise missing(error) from error
    # H4 event packet, LE meta event, its length; one report: ADV_IND from a random address.
    pieces = chunks(
        b"".join(
            b"\x04\x3e\x2b\x02\x01\x00\x01%b\x1f%b%c"
            % (report.address[::-1], report.data, report.rssi & 0xFF)
            for report in reports(COUNT)
        )
    )

    class Sink:
        found = 0

        def on_packet(self, packet: bytes) -> None:
            event = HCI_Packet.from_bytes(packet)
            if isinstance(event, HCI_LE_Advertising_Report_Event):
                self.found += len(event.reports[0].data) == 31

    def theirs() -> int:
        sink = Sink()
        parser = PacketParser(sink)
        for piece in pieces:
            parser.feed_data(piece)
        return sink.found

    return against(theirs)


def damage() -> Round:
    """Time for a stream with 1 % damaged frames, against the same without damage."""
    frames = [report.to_frame() for report in reports(COUNT)]
    clean, dirty = chunks(b"".join(frames)), chunks(b"".join(damaged(frames, 100)))
    return lambda: (
        cpu_seconds(lambda: scan(dirty), CALLS) / cpu_seconds(lambda: scan(clean), CALLS),
    )


def garbage() -> Round:
    """The slowest of several crafted streams, in multiples of USB full speed."""
    crafted = (
        b"\xca",  # every byte begins a frame
        b"\xca\xff\x0a",
        b"\xca\xf9\x12",  # the longest report, ETX missing
        b"\xca\xf6\x12\x0a",  # a report whose ETX is in its place: costs a CRC of 248 bytes
        b"\xca\x02\x0a\x0a",  # the same with the shortest command
    )
    streams = [chunks(pattern * (GARBAGE_SIZE // len(pattern))) for pattern in crafted]

    def once() -> tuple[float]:
        slowest = max(cpu_seconds(partial(scan, stream)) for stream in streams)
        return (GARBAGE_SIZE / slowest / USB_FULL_SPEED,)

    return once


def format_5() -> Round:
    """Advertising data to a reading, both from the same bytes."""
    try:
        from ruuvitag_sensor.data_formats import DataFormats
        from ruuvitag_sensor.decoder import get_decoder
    except ModuleNotFoundError as error:
        raise missing(error) from error
    adverts = [report.data for report in reports(COUNT)]

    def ours() -> None:
        for advert in adverts:
            decode(advert)

    def theirs() -> None:
        for advert in adverts:
            # It takes text: the length of all structures, then the structures.
            number, data = DataFormats.convert_data(f"{len(advert):02X}{advert.hex().upper()}")
            get_decoder(number).decode_data(data)

    return lambda: (cpu_seconds(theirs) / cpu_seconds(ours, CALLS),)
