"""The device in C beside the simulator, both in simulated time: byte for byte the same, and each
at the same time. Hours of it in seconds, so that what takes long is seen as well: the watchdog, the
turns of channels and PHYs, the LED, the losses of the official transmitter.

What is compared here on a line in real time is in hil/test_differential.py.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from firmware_protocol.framing import FrameScanner, encode_frame
from firmware_protocol.messages import (
    GetDeviceId,
    LedCtrl,
    Message,
    SetAll,
    SetFltrId,
    SetFltrTags,
    messages,
)
from hil.air import Air, Pattern
from hil.firmware import build
from hil.firmware.build import Options, build_timeless, missing
from hil.rig import Setup
from hil.sequences import STATES, damaged, frames, misfits, raw_frames
from hil.simulated import SimulatedBoard

MOST_LATE = 2
"""Bytes that one may be ahead of the other: microseconds are whole ones in C."""

rates = st.sampled_from([1, 2, 10, 20, 50])
airs = st.builds(
    Air,
    rates,
    st.sampled_from([0, 12, 13, 30, 31, 32, 48, 49, 192]),
    st.sampled_from([p for p in Pattern if p is not Pattern.RANDOM]),
)
noise = st.binary(min_size=1, max_size=40)
long_noise = st.integers(60, 215).map(lambda size: b"\x55" * size)
pauses = st.builds(
    lambda about, more: about + more,
    st.sampled_from([200, 3_000, 60_000, 60_000, 1_000_000, 7_400_000, 15_000_000, 45_000_000]),
    st.integers(1, 999),
)
"""Microseconds."""
raw = st.one_of(
    frames,
    frames,
    st.lists(frames, min_size=2, max_size=3).map(b"".join),
    damaged(),
    misfits,
    raw_frames,
    noise,
    long_noise,
)


class Both:
    """The two, given the same bytes at the same times."""

    def __init__(self, program: Path, setup: Setup, *, has_coded_phy: bool) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._model = SimulatedBoard(setup, has_coded_phy=has_coded_phy)
        self._now = 0
        self._ours = self._theirs = b""
        self._told: list[str] = []
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        if not error:
            assert self._process.returncode == 0, "a sanitizer has found something"

    def wait(self, microseconds: int) -> None:
        """Compare what is said in this time."""
        self._now += microseconds
        said = self._ask(f"until {self._now}").split(" ")
        self._theirs += bytes.fromhex(said[0])
        self._ours += self._model.advance(self._now / 1e6)
        size = min(len(self._ours), len(self._theirs))
        assert self._ours[:size] == self._theirs[:size], self._difference()
        assert abs(len(self._ours) - len(self._theirs)) <= MOST_LATE, self._difference()
        self._ours, self._theirs = self._ours[size:], self._theirs[size:]
        self.size += size
        led = "on" if self._model.session.led_off_at > self._now / 1e6 else "off"
        assert said[1] == led, f"{self._story()}\nLED: firmware {said[1]}, simulator {led}"

    def send(self, data: bytes) -> None:
        self._told.append(f"{self._now / 1e6:.6f} s: {data.hex()}")
        self._ask(f"receive {data.hex()}")
        self._model.receive(data, self._now / 1e6)

    def hear(self, air: Air, flags: int, limit: int, *, is_v1: bool) -> None:
        """Set what is in the air, then how it is listened to. In two steps: the periods of the
        scan must not begin with one of the events, of which nobody could say if it was heard."""
        self.send(air.settings().to_frame())
        self.wait(6_543)
        everything = SetAll.from_payload(bytes((0x99, 0x04, 0x2C, flags & 0x7F, 0x2C)))
        limited = everything if is_v1 else replace(everything, max_adv_len=limit)
        self.send(limited.to_frame())

    def _ask(self, question: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{self._story()}\na sanitizer has found something"
        return answer.rstrip("\n")

    def _difference(self) -> str:
        """In words: the messages, and the bytes that led to them."""
        at = next(
            (n for n, (a, b) in enumerate(zip(self._ours, self._theirs, strict=False)) if a != b),
            min(len(self._ours), len(self._theirs)),
        )
        told = []
        for name, data in (("firmware", self._theirs), ("simulator", self._ours)):
            scanner: FrameScanner[Message] = FrameScanner(messages)
            found = [m for m in scanner.feed(data) + scanner.flush() if m.to_frame() in data[at:]]
            told.append(f"{name} {data[at : at + 40].hex() or 'nothing'}, {found[:2]}")
        return f"{self._story()}\nby {self._now / 1e6:.6f} s: " + "\n".join(told)

    def _story(self) -> str:
        return "\n".join(self._told[-6:])


@pytest.fixture(scope="module", params=["2.0.0", "1.0.0"])
def firmware(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["ideal", "faithful"])
def transmit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[True, False], ids=["coded", "no-coded"])
def has_coded_phy(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, firmware: str, transmit: str, has_coded_phy: bool
) -> Path:
    if absent := missing(["gcc"]):
        text = f"not installed: {', '.join(absent)}"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    options = Options(firmware, faithful=transmit == "faithful")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "WARNINGS", (*build.WARNINGS, "-Werror"))
        output = tmp_path_factory.mktemp("device") / "timeless"
        return build_timeless(options, output, has_coded_phy=has_coded_phy)


@pytest.fixture
def _always_the_same_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """hypothesis also draws numbers that stand in the modules of the project that are loaded: what
    it tries would depend on which tests run beside this one. (Private, and new in 6.131.)"""
    if hasattr(providers, "_get_local_constants"):
        empty = type(providers._get_local_constants())()
        monkeypatch.setattr(providers, "_get_local_constants", lambda: empty)
        providers.CONSTANTS_CACHE.cache.clear()
        yield
        providers.CONSTANTS_CACHE.cache.clear()
    else:
        yield


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("_always_the_same_examples")
def test_they_are_the_same(
    program: Path, firmware: str, transmit: str, has_coded_phy: bool
) -> None:
    setup = Setup(firmware, transmit=transmit)
    air = st.tuples(airs, st.integers(0, 127), st.sampled_from([0, 10, 31, 48, 192]))

    # Always the same: at the very moment at which something else happens it may be either.
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.lists(st.tuples(st.one_of(raw, air), pauses), max_size=25))
    def same(steps: list[tuple[bytes | tuple[Air, int, int], int]]) -> None:
        with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
            pair.wait(1_000)
            for step, pause in steps:
                if isinstance(step, bytes):
                    pair.send(step)
                else:
                    pair.hear(*step, is_v1=firmware == "1.0.0")
                pair.wait(pause)

    same()


def test_every_setting(program: Path, firmware: str, transmit: str, has_coded_phy: bool) -> None:
    """Each flag is turned over while scanning, and two periods are listened to, in each air."""
    setup = Setup(firmware, transmit=transmit)
    bases = (0x7C, 0x1C, 0x7E, 0x74, 0x78, 0x7D, 0x0C)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        for pattern in (Pattern.PLAIN, Pattern.MIXED, Pattern.EXTENDED, Pattern.CODED):
            for base in bases:
                for bit, kind in enumerate(STATES):
                    pair.hear(Air(2, 31, pattern), base, 0, is_v1=firmware == "1.0.0")
                    pair.wait(100_321)
                    pair.send(kind(not base >> bit & 1).to_frame())
                    pair.wait(43_000_000)


def test_a_crash_forgets_the_settings(
    program: Path, firmware: str, transmit: str, has_coded_phy: bool
) -> None:
    """Afterwards it has no channel: the first one cannot be switched off, nothing is scanned."""
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        pair.hear(Air(10), 0x7C, 0, is_v1=firmware == "1.0.0")
        for data in (
            b"\x55" * 70 + b"\n",
            encode_frame(0x0A, b"\x00,"),
            SetAll(ch_37=False, ch_38=False, ch_39=False, max_adv_len=0).to_frame(),
        ):
            pair.wait(300_321)
            pair.send(data)
        pair.wait(1_000_000)


def test_of_a_state_only_one_bit_counts(
    program: Path, firmware: str, transmit: str, has_coded_phy: bool
) -> None:
    """Off is refused for the last channel: so it is told what was taken for off."""
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        for number, command in ((37, 0x0A), (38, 0x0B), (39, 0x0C)):
            channels = {f"ch_{n}": n == number for n in (37, 38, 39)}
            pair.send(SetAll(fltr_id=0xFFFF, max_adv_len=0, **channels).to_frame())
            for state in (0, 1, 2, 3, 0xFE, 0xFF):
                pair.wait(20_000)
                pair.send(encode_frame(command, bytes((state, 0x2C))))
            pair.wait(20_000)


@pytest.mark.parametrize("pattern", [Pattern.PLAIN, Pattern.CODED])
def test_first_scan_after_boot(
    pattern: Pattern, program: Path, firmware: str, transmit: str, has_coded_phy: bool
) -> None:
    """It is started twice, so that of two kinds of PHY it is the second's turn."""
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        for _ in range(3):
            pair.send(Air(10, pattern=pattern).settings(use_coded_phy=True).to_frame())
            pair.wait(3_000_000)


NOTHING = b""
WATCHDOG_CASES: dict[str, tuple[Air, int, int, bytes]] = {
    "reports": (Air(1), 0x7C, 0, NOTHING),
    "filtered": (Air(1), 0x7D, 0, NOTHING),
    "too long": (Air(1, 48), 0x7C, 31, NOTHING),
    "not heard": (Air(1, pattern=Pattern.CODED), 0x7C, 0, NOTHING),
    "silence": (Air(0), 0x7C, 0, NOTHING),
    "not scanning": (Air(1), 0x70, 0, NOTHING),
    "GET_DEVICE_ID": (Air(0), 0x7C, 0, GetDeviceId().to_frame()),
    "LED_CTRL": (Air(0), 0x7C, 0, LedCtrl(1500).to_frame()),
    "SET_FLTR_ID": (Air(0), 0x7C, 0, SetFltrId(0x0499).to_frame()),
    "SET_ALL": (Air(0), 0x7C, 0, SetAll(max_adv_len=0).to_frame()),
    "SET_ALL, not scanning": (
        *(Air(0), 0x7C, 0),
        SetAll(use_1m_phy=False, use_2m_phy=False, max_adv_len=0).to_frame(),
    ),
    "SET_ALL without a channel": (
        *(Air(0), 0x7C, 0),
        SetAll(ch_37=False, ch_38=False, ch_39=False, max_adv_len=0).to_frame(),
    ),
    "nonsense": (Air(0), 0x7C, 0, b"\x55\n"),
}


@pytest.mark.parametrize("name", WATCHDOG_CASES)
def test_what_feeds_the_watchdog(
    name: str, program: Path, firmware: str, transmit: str, has_coded_phy: bool
) -> None:
    """In its own time: 42 s, or 20."""
    air, flags, limit, frame = WATCHDOG_CASES[name]
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        pair.hear(air, flags, limit, is_v1=firmware == "1.0.0")
        if name == "filtered":
            pair.wait(60_000)
            pair.send(SetFltrId(0x1234).to_frame())
        for _ in range(30):
            pair.wait(6_500_000)
            if frame:
                pair.send(frame)


def test_every_filter(program: Path, firmware: str, transmit: str, has_coded_phy: bool) -> None:
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        pair.hear(Air(10, 31, Pattern.MIXED), 0x7C, 0, is_v1=firmware == "1.0.0")
        for company in (0x0499, 0x9904, 0x004C, 0x0000, 0x0A0A):
            for state in (True, False):
                pair.wait(1_000_321)
                pair.send(SetFltrId(company).to_frame())
                pair.wait(1_000_321)
                pair.send(SetFltrTags(state).to_frame())
        pair.wait(1_000_000)


def test_every_limit(program: Path, firmware: str, transmit: str, has_coded_phy: bool) -> None:
    """Of the length of the data: one less, just as long, and one more."""
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        for size in (2, 12, 13, 30, 31, 32, 48, 191, 192, 193):
            for limit in (0, size - 1, size, size + 1):
                pair.hear(Air(10, size), 0x7C, limit, is_v1=firmware == "1.0.0")
                pair.wait(500_000)


def test_every_length(program: Path, firmware: str, transmit: str, has_coded_phy: bool) -> None:
    """Of every command: neither takes a frame for one that it is not."""
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        for command in range(256):
            for length in range(18):
                pair.send(encode_frame(command, (b"\x01," * 9)[:length]))
                pair.wait(6_000)
                pair.send(GetDeviceId().to_frame())  # empties the ring
                pair.wait(3_000)


def test_crc_of_zero(program: Path, firmware: str, transmit: str, has_coded_phy: bool) -> None:
    """The official encoder leaves it out, so the official transmitter's frame is too short. Here
    it is the echo of an LED_CTRL, which only firmware 1.0.0 sends."""
    value = next(v for v in range(1 << 16) if LedCtrl(v).to_frame()[-3:-1] == b"\0\0")
    setup = Setup(firmware, transmit=transmit)
    with Both(program, setup, has_coded_phy=has_coded_phy) as pair:
        pair.wait(1_000)
        pair.send(LedCtrl(value).to_frame())
        before = pair.size
        pair.wait(10_000)
        echo = 7 if transmit == "faithful" else 9
        assert pair.size - before == (echo if firmware == "1.0.0" else 10)
