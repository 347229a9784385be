"""Looks for bytes that ruuvi-host cannot take. Leave it running; it ends when it has found some.

    python tools/fuzz.py                     all targets, until Ctrl-C
    python tools/fuzz.py decode --seconds 60
    python tools/fuzz.py --list              what the targets are
    python tools/fuzz.py decode --hex 0201…  one input again

With atheris installed (`pip install atheris`) new paths through the code lead the search; without
it hypothesis does it, which the test extra installs, and which makes what it finds as short as it
can. What is found is printed as hex: such bytes belong into tests/vectors/, with a test.
"""

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

atheris: Any
try:
    atheris = import_module("atheris")  # so it needs neither to be there nor to be typed
except ModuleNotFoundError:
    atheris = None

with atheris.instrument_imports() if atheris else nullcontext():
    from firmware_protocol.framing import FrameScanner, frames
    from firmware_protocol.messages import SetAll, messages, parse
    from firmware_protocol.session import HostSession
    from ruuvi_host.formats import FORMATS, FormatError, Keys, decode, encode, fields
    from ruuvi_host.formats import ad as advertising
    from ruuvi_host.formats.derived import derive
    from ruuvi_host.formats.gateway import gateway_members
    from ruuvi_host.formats.json_text import json_members
    from ruuvi_host.formats.summary import summary
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.kinds import KEY, KINDS

CODES = {
    *("malformed_ad", "not_ruuvi", "bad_length", "bad_encoding"),
    *("unknown_format", "key_required", "decrypt_failed", "bad_crc"),
}
KEYS = Keys([(None, KEY)])
EXAMPLES = 5000
"""For hypothesis, between two looks at the clock."""


def decoding(data: bytes) -> None:
    """Advertising data: a reading that everything can be done with, or one of eight codes."""
    members = ",".join(f'"{name}":{value}' for name, value in gateway_members(data))
    json.loads(f"{{{members}}}")
    try:
        reading = decode(data, KEYS)
    except FormatError as error:
        if error.code in CODES:
            return
        raise
    named = fields(reading)
    assert json.loads(f"{{{json_members(reading)}}}") == named
    json.dumps(derive(named), allow_nan=False)
    summary(reading)
    encode(reading, KEY if FORMATS[reading.data_format].cipher else None)


def structures(data: bytes) -> None:
    """AD structures: what is found is what is there, up to the first thing that is wrong."""
    found = advertising.parse(data)
    rebuilt = b"".join(bytes((len(d) + 1, type_)) + d for type_, d in found.structures)
    assert data.startswith(rebuilt)
    assert found.malformed == (data[len(rebuilt) :][:1] not in (b"", b"\0"))
    assert found.local_name is None or isinstance(found.local_name, str)


def scanning(data: bytes) -> None:
    """Bytes of the UART: every one is accounted for, and how they are cut does not matter."""
    whole, cut = FrameScanner(frames), FrameScanner(frames)
    size = data[0] % 40 + 1 if data else 1
    at_once = whole.feed(data)
    in_pieces = [f for at in range(0, len(data), size) for f in cut.feed(data[at : at + size])]
    assert at_once == in_pieces
    assert whole.counters == cut.counters
    for frame in at_once + whole.flush():
        message = parse(frame)
        assert parse(frame) == message
        message.fields()
        FrameScanner(messages).feed(message.to_frame())
    counters = whole.counters
    assert counters.bytes_received == counters.bytes_in_frames + counters.bytes_skipped


def listening(data: bytes) -> None:
    """A session that hears anything at any time.

    Two bytes are the length of a piece, and the pause before it in hundredths of a second.
    """
    session = HostSession(SetAll())
    now = position = 0
    session.start(0.0)
    while position + 2 <= len(data):
        length, pause = data[position], data[position + 1]
        piece = data[position + 2 : position + 2 + length]
        position += 2 + length
        now += pause
        while session.deadline <= now / 100:
            before = session.deadline
            session.tick(max(before, 0.0))
            session.take_output()
            assert session.deadline > before
        session.receive(piece, now / 100)
        session.take_output()
    session.end(now / 100)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decode": decoding,
    "ad": structures,
    "scanner": scanning,
    "session": listening,
}


def seeds(target: str) -> list[bytes]:
    """Good input to begin with, from the simulator: a kind of tag each."""
    boards = [Board(tags=2, kinds=(kind,), baud=0) for kind in KINDS]
    if target in ("decode", "ad"):
        return [tag.advertise().data for board in boards for tag in board.tags for _ in range(2)]
    streams = []
    for board in boards:
        host = HostSession(SetAll(fltr_tags=False))
        host.start(0.0)
        pieces = []
        for step in range(12):
            board.receive(host.take_output(), step / 4)
            piece = board.advance(step / 4 + 0.2)
            host.receive(piece, step / 4 + 0.2)
            pieces += [piece[at : at + 255] for at in range(0, len(piece), 255)]
        if target == "session":
            pieces = [bytes((len(piece), 25)) + piece for piece in pieces]
        streams.append(b"".join(pieces))
    return streams


def run(target: str, data: bytes) -> None:
    """One input; when it goes wrong, how to repeat it."""
    try:
        TARGETS[target](data)
    except BaseException:
        print(f"\npython tools/fuzz.py {target} --hex {data.hex()}\n", file=sys.stderr)
        raise


def fuzz_with_atheris(targets: list[str], seconds: int) -> None:
    """All targets at once: the first byte chooses one."""

    def one(data: bytes) -> None:
        if data:
            run(targets[data[0] % len(targets)], data[1:])

    with TemporaryDirectory() as folder:
        for number, target in enumerate(targets):
            for index, seed in enumerate(seeds(target)):
                Path(folder, f"{target}-{index}").write_bytes(bytes([number]) + seed)
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=2048", folder], one)
        atheris.Fuzz()


def fuzz_with_hypothesis(targets: list[str], seconds: int) -> None:
    """The targets in turn, with good input that is put together, cut and exchanged."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    @st.composite
    def damaged(draw: st.DrawFn, good: list[bytes]) -> bytes:
        data = bytearray(b"".join(draw(st.lists(st.sampled_from(good), max_size=2))))
        for _ in range(draw(st.integers(0, 4))):
            at, raw = draw(st.integers(0, len(data))), draw(st.binary(max_size=4))
            data[at : at + draw(st.integers(0, 4))] = raw
        return bytes(data)

    limits = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    inputs = {target: damaged(seeds(target)) | st.binary(max_size=300) for target in targets}
    end = monotonic() + seconds if seconds else inf
    count = 0
    while monotonic() < end:
        for target in targets:
            worst = b""

            def one(data: bytes, target: str) -> None:
                nonlocal worst
                try:
                    TARGETS[target](data)
                except Exception:
                    worst = data  # the last one is the shortest
                    raise

            try:
                limits(given(inputs[target], st.just(target))(one))()
            except Exception:
                run(target, worst)
                raise
        count += EXAMPLES * len(targets)
        print(f"{count:,} inputs, all is well", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=0, metavar="N", help="default: no end")
    parser.add_argument("--hypothesis", action="store_true", help="even if there is atheris")
    parser.add_argument("--hex", help="this one input, for one target")
    parser.add_argument("--list", action="store_true", help="describe the targets, and stop")
    options = parser.parse_args()
    targets: list[str] = options.target or list(TARGETS)
    for target in targets:
        if target not in TARGETS:
            parser.error(f"there is no target {target!r}; --list names them")
    if options.list:
        for name in targets:
            first_line = (TARGETS[name].__doc__ or "").partition("\n")[0]
            print(f"{name:<10}{first_line}")
    elif options.hex is not None:
        for name in targets:
            run(name, bytes.fromhex(options.hex))
    elif atheris and not options.hypothesis:
        fuzz_with_atheris(targets, options.seconds)
    else:
        fuzz_with_hypothesis(targets, options.seconds)


if __name__ == "__main__":
    main()
