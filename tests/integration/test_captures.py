"""Every file in tests/captures/: ours, and those that come with a bug report.

A new one is copied there, and nothing else is to be done: it must be readable, lose nothing when
it is anonymized, and be heard by the real program when it is played to it.
"""

import json
import signal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from programs import Program, replayed, ruuvi_host

from firmware_protocol.commands import Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    Message,
    Report,
    parse,
)
from ruuvi_host.capture.anonymize import Anonymizer
from ruuvi_host.capture.masks import Masks
from ruuvi_host.capture.pcapng import Record
from ruuvi_host.capture.source import open_source
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import FORMATS, decode, fields

FOLDER = Path(__file__).parent.parent / "captures"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix == ".pcapng")
every_capture = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


def records_of(path: Path) -> list[Record]:
    source = open_source(str(path))
    records = list(source)
    assert source.is_capture
    assert not any("damaged" in remark for remark in source.remarks)
    return records


def ports_of(records: list[Record]) -> list[int]:
    """A host may have several coprocessors."""
    return sorted({record.interface for record in records})


def frames_of(records: list[Record], *, sent: bool, port: int) -> list[Frame]:
    scanner = FrameScanner(frames)
    line = (port, sent)
    found = [f for record in records if record.line == line for f in scanner.feed(record.data)]
    return [*found, *scanner.flush()]


def received(records: list[Record], port: int) -> list[Message]:
    return [parse(frame) for frame in frames_of(records, sent=False, port=port)]


def all_received(records: list[Record]) -> list[Message]:
    return [message for port in ports_of(records) for message in received(records, port)]


def test_there_are_captures() -> None:
    assert {"boot", "noise", "old-firmware", "crash"} <= {path.stem for path in FILES}


@every_capture
def test_it_is_readable(path: Path) -> None:
    records = records_of(path)
    assert all_received(records)
    times = [record.monotonic for record in records if record.section == 0]
    known = [time for time in times if time is not None]
    assert known == sorted(known)


@every_capture
def test_decode_finds_its_frames(path: Path) -> None:
    with ruuvi_host("decode", "uart", "--json", str(path)) as program:
        assert program.wait() == 0
    lines = [json.loads(line) for line in program.out]
    records = records_of(path)
    ways = (("device_to_host", False), ("host_to_device", True))
    for port, (way, sent) in product(ports_of(records), ways):
        found = [line for line in lines if (line["direction"], line["interface"]) == (way, port)]
        expected = frames_of(records, sent=sent, port=port)
        assert [line["offset"] for line in found] == [frame.offset for frame in expected]
    assert f"Records: {len(records)} in " in "".join(program.err)


@every_capture
def test_anonymized_it_says_the_same(path: Path) -> None:
    original = records_of(path)
    anonymizer = Anonymizer(original, Masks(b"test"))
    masked = list(anonymizer)
    for port in ports_of(original):
        assert [frame[:2] for frame in frames_of(original, sent=True, port=port)] == [
            frame[:2] for frame in frames_of(masked, sent=True, port=port)
        ]
    before, after = all_received(original), all_received(masked)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert type(old) is type(new)
        if isinstance(old, AdvRprt | AdvRprt2) and isinstance(new, AdvRprt | AdvRprt2):
            assert new.address != old.address
            assert new._replace(address=old.address, data=old.data) == old
            assert readings(new.data) == readings(old.data)
        elif isinstance(old, DeviceId) and isinstance(new, DeviceId):
            assert (new.id != old.id, new.addr != old.addr) == (True, True)
        else:
            assert new == old
    skipped = sum(len(record.data) for record in original) - sum(len(r.data) for r in masked)
    assert anonymizer.done.dropped == skipped


def readings(data: bytes) -> dict[str, Any] | None:
    """What is in advertising data, without what tells whose it is; None: no reading."""
    try:
        reading = decode(data)
    except FormatError:
        return None
    assert not FORMATS[reading.data_format].cipher
    found = fields(reading)
    return {k: v for k, v in found.items() if k not in ("mac", "mac_suffix", "tag_id")}


@every_capture
def test_nothing_of_anybody_is_left(path: Path) -> None:
    original = records_of(path)
    secrets = set[bytes]()
    for message in all_received(original):
        if isinstance(message, AdvRprt | AdvRprt2):
            secrets |= {message.address, message.address[::-1]}
        elif isinstance(message, DeviceId):
            secrets |= {message.id, message.addr, message.id[::-1], message.addr[::-1]}
    assert secrets
    masked = b"".join(record.data for record in Anonymizer(original, Masks(b"test")))
    assert [secret.hex() for secret in secrets if secret in masked] == []


def heard_when_played(path: Path, port: int) -> list[Report]:
    """The reports that a host takes, which it does from its configuration on."""
    messages = received(records_of(path), port)
    # A capture that was begun late has no handshake; the player makes it.
    ready = not any(isinstance(m, Ack) and m.acked_cmd == Command.SET_ALL for m in messages)
    heard: list[Report] = []
    for message in messages:
        if isinstance(message, GetAll):
            ready = False
        elif isinstance(message, Ack) and message.acked_cmd == Command.SET_ALL:
            ready = True
        elif ready and isinstance(message, AdvRprt | AdvRprt2):
            heard.append(message)
    return heard


def played(path: Path, port_number: int) -> tuple[Program, list[dict[str, Any]]]:
    expected = len(heard_when_played(path, port_number))
    options = ("--speed", "max", "--coprocessor", str(port_number + 1))
    with replayed(path, *options) as player:
        port = player.port
        with ruuvi_host("listen", "--port", port, "--json", "--all") as host:
            assert player.wait() == 0
            if expected:
                host.wait_for("^{", expected)
            assert host.stop(signal.SIGINT) == 0
    return player, [json.loads(line) for line in host.out]


@every_capture
def test_the_real_program_hears_it(path: Path) -> None:
    records = records_of(path)
    for port in ports_of(records):
        player, lines = played(path, port)
        expected = [report.data.hex().upper() for report in heard_when_played(path, port)]
        assert [line["adv"] for line in lines] == expected
        raw = sum(len(record.data) for record in records if record.line == (port, False))
        assert f"played {raw} of {raw} bytes" in player.err[-1]
        assert player.err[-1].endswith("0 bytes not read by it")
