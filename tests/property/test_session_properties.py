"""HostSession against a coprocessor, in simulated time, under faults: promises that always hold."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from random import Random

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.coprocessor import CoprocessorSession
from firmware_protocol.events import Event, Failed, Ready, Rebooted, Received, Replied
from firmware_protocol.framing import decode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetAll,
    SetFltrTags,
    parse,
)
from firmware_protocol.scan import AdvertisingEvent
from firmware_protocol.session import HostSession
from firmware_protocol.timers import Timing
from firmware_protocol.transitions import State
from firmware_protocol.transmitter import TRANSMIT_MODES

TIMING = Timing()
DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
ADVERT = AdvertisingEvent(bytes(6), bytes.fromhex("020106 0303aafe 05ff99040501"), -60)

LONGEST_WAIT = 12.0
"""Seconds until a session that is not ready is READY or FAILED, whatever the other end does: ten
time-outs while identifying and ten while configuring, between which up to four answers may lie,
and once the wait for the rate limit."""


def is_answer(message: Message) -> bool:
    return isinstance(message, Ack | DeviceId | LedCtrl)


class Host:
    """A session and what must be true of it at every step."""

    def __init__(self, settings: SetAll, now: float = 0.0) -> None:
        self.session = HostSession(settings, TIMING)
        self.written: list[tuple[float, Message]] = []
        self.events: list[Event] = []
        self.fed = 0
        self.commands_given = 0
        self._free_at = -inf  # when the command that was written last is out of flight
        self._answers = 0
        self._unready_since: float | None = now
        self._set_all_in_a_row = 0
        self.session.start(now)
        self._after([], now)

    @property
    def is_open(self) -> bool:
        return self.session.state not in (State.FAILED, State.ENDED)

    @property
    def wakes_at(self) -> float:
        return self.session.deadline

    def receive(self, data: bytes, now: float) -> None:
        self.fed += len(data)
        self._after(self.session.receive(data, now), now)

    def tick(self, now: float) -> None:
        self._after(self.session.tick(now), now)
        assert self.wakes_at > now, "it would be called again and again"

    def command(self, command: HostMessage, now: float) -> None:
        self.commands_given += 1
        self.session.command(command, now)
        self._after([], now)

    def end(self, now: float) -> None:
        self._after(self.session.end(now), now)
        counters = self.session.counters
        frames = counters.scanner.frames
        assert counters.scanner.bytes_received == self.fed
        assert self.fed == counters.scanner.bytes_in_frames + counters.scanner.bytes_skipped
        reports = frames[Command.ADV_RPRT] + frames[Command.ADV_RPRT2]
        assert reports == counters.reports + counters.reports_unconfigured
        assert counters.reports == sum(
            len(e.reports) for e in self.events if isinstance(e, Received)
        )
        assert self.commands_given == sum(isinstance(e, Replied) for e in self.events)
        assert self.wakes_at == inf

    def _matched_answers(self) -> int:
        counters = self.session.counters
        frames = counters.scanner.frames
        seen = sum(frames) - frames[Command.ADV_RPRT] - frames[Command.ADV_RPRT2]
        others = counters.unmatched_replies + counters.unexpected_messages
        return seen - others - frames[Command.GET_ALL]

    def _after(self, events: list[Event], now: float) -> None:
        self.events += events
        answers, self._answers = self._answers, self._matched_answers()
        if self._answers > answers or any(isinstance(e, Rebooted) for e in events):
            self._free_at = now
        if self._answers > answers:
            self._set_all_in_a_row = 0
        output = self.session.take_output()
        if output:
            message = parse(decode_frame(output))
            assert message.to_frame() == output, "more than one command in one write"
            assert now >= self._free_at - 1e-9, "a second command in flight"
            self._free_at = now + TIMING.ack_timeout
            self.written.append((now, message))
            if isinstance(message, SetAll):
                self._set_all_in_a_row += 1
                assert self._set_all_in_a_row <= 4, "a fifth would overflow old firmware's stack"
            else:
                self._set_all_in_a_row = 0
        self._check_patience(now)

    def _check_patience(self, now: float) -> None:
        if self.session.state is State.READY or not self.is_open:
            self._unready_since = None
        elif self._unready_since is None:
            self._unready_since = now
        else:
            assert now - self._unready_since <= LONGEST_WAIT
        assert self.session.state is not State.READY or any(
            isinstance(e, Ready) for e in self.events
        )
        failed = [e for e in self.events if isinstance(e, Failed)]
        assert (self.session.state is State.FAILED) == bool(failed) or not self.is_open
        assert len(failed) <= 1


@dataclass(frozen=True)
class Faults:
    """What a wire does to bytes, as probabilities for each piece of a stream."""

    loss: float = 0.0
    flip: float = 0.0
    noise: float = 0.0
    split: float = 0.0
    delay: float = 0.0
    """Longest, in seconds."""


CLEAN = Faults()


class Wire:
    """One direction: pieces arrive in order, at their times, and not always as they were sent."""

    def __init__(self, faults: Faults, random: Random) -> None:
        self.faults = faults
        self._random = random
        self._pieces: list[tuple[float, bytes]] = []
        self._last = 0.0

    @property
    def arrives_at(self) -> float:
        return self._pieces[0][0] if self._pieces else inf

    def send(self, data: bytes, now: float) -> None:
        faults, random = self.faults, self._random
        while data:
            size = random.randint(1, len(data)) if random.random() < faults.split else len(data)
            piece, data = bytearray(data[:size]), data[size:]
            if random.random() < faults.loss:
                continue
            if random.random() < faults.flip:
                piece[random.randrange(size)] ^= 1 << random.randrange(8)
            if random.random() < faults.noise:
                piece[:0] = random.choice([b"\xca", b"\xca\xf9\x12", b"\n", random.randbytes(9)])
            self._last = max(self._last, now + random.random() * faults.delay)
            self._pieces.append((self._last, bytes(piece)))

    def take(self, now: float) -> bytes:
        arrived = [piece for at, piece in self._pieces if at <= now]
        del self._pieces[: len(arrived)]
        return b"".join(arrived)


class Bench:
    """A host and a coprocessor, wired to each other, with tags around and a plan of mishaps."""

    def __init__(
        self,
        *,
        settings: SetAll,
        coprocessor: CoprocessorSession,
        down: Faults,
        up: Faults,
        seed: int,
        report_rate: float,
        mishaps: list[tuple[float, Callable[["Bench"], None]]],
    ) -> None:
        random = Random(seed)
        self.now = 0.0
        self.coprocessor = coprocessor
        self.down = Wire(down, random)
        self.up = Wire(up, random)
        self.lives: list[Host] = []
        self._settings = settings
        self._mishaps = sorted(mishaps, key=lambda m: m[0])
        self._interval = 1 / report_rate if report_rate else inf
        self._advert_at = self._interval
        coprocessor.boot(0.0)
        self._open()

    @property
    def host(self) -> Host:
        return self.lives[-1]

    def run(self, until: float) -> None:
        while True:
            self._exchange()
            at = min(
                self.host.wakes_at,
                self.coprocessor.deadline,
                self.up.arrives_at,
                self.down.arrives_at,
                self._advert_at,
                self._mishaps[0][0] if self._mishaps else inf,
            )
            if at > until:
                return
            self.now = max(at, self.now)
            if self._mishaps and self._mishaps[0][0] <= self.now:
                self._mishaps.pop(0)[1](self)
            if self._advert_at <= self.now:
                self.coprocessor.advertised(ADVERT, self.now)
                self._advert_at += self._interval

    def _open(self) -> None:
        """The supervisor's work, without its pause."""
        self.lives.append(Host(self._settings, self.now))
        self._read_up_to = 0

    def _exchange(self) -> None:
        """All that happens at this moment."""
        host, now = self.host, self.now
        data = self.up.take(now)
        if data:
            host.receive(data, now)
        if host.wakes_at <= now:
            host.tick(now)
        if not host.is_open:
            host.end(now)
            self._open()
            host = self.host
        for _, message in host.written[self._read_up_to :]:
            self.down.send(message.to_frame(), now)
        self._read_up_to = len(host.written)
        data = self.down.take(now)
        if data:
            self.coprocessor.receive(data, now)
        self.up.send(self.coprocessor.take_output(now), now)

    # --- mishaps

    def reboot(self) -> None:
        self.coprocessor.boot(self.now)

    def forge_get_all(self) -> None:
        self.up.send(GetAll().to_frame(), self.now)

    def give_command(self) -> None:
        if self.host.session.can_command:
            self.host.command(SetFltrTags(True), self.now)
            self._exchange()


PROBABILITY = st.sampled_from([0.0, 0.02, 0.2, 0.6])
FAULTS = st.builds(
    Faults,
    loss=PROBABILITY,
    flip=PROBABILITY,
    noise=PROBABILITY,
    split=PROBABILITY,
    delay=st.sampled_from([0.0, 0.03, 0.2, 0.6]),
)
MISHAPS = st.lists(
    st.tuples(
        st.floats(0, 10),
        st.sampled_from([Bench.reboot, Bench.forge_get_all, Bench.give_command]),
    ),
    max_size=12,
)
SETTINGS = st.sampled_from(
    [
        SetAll(),
        SetAll(max_adv_len=0),
        SetAll(max_adv_len=10),  # an inner 0x0A: it reaches the parser in pieces
        SetAll(use_coded_phy=True),
        SetAll(ch_37=False, ch_38=False, ch_39=False),
    ]
)


@st.composite
def coprocessors(draw: st.DrawFn, transmit: str | None = None) -> CoprocessorSession:
    mode = transmit or draw(st.sampled_from(sorted(TRANSMIT_MODES)))
    return CoprocessorSession(
        DEVICE,
        TRANSMIT_MODES[mode](115200),
        firmware=draw(st.sampled_from(["2.0.0", "1.0.0"])),
        has_coded_phy=draw(st.booleans()),
    )


@given(
    coprocessor=coprocessors(),
    settings=SETTINGS,
    down=FAULTS,
    up=FAULTS,
    seed=st.integers(0, 2**32),
    report_rate=st.sampled_from([0.0, 10.0, 60.0]),
    mishaps=MISHAPS,
)
def test_every_promise_holds_under_every_fault(
    coprocessor: CoprocessorSession,
    settings: SetAll,
    down: Faults,
    up: Faults,
    seed: int,
    report_rate: float,
    mishaps: list[tuple[float, Callable[[Bench], None]]],
) -> None:
    """Host checks them at each step. Afterwards, on a clean line, it becomes ready."""
    bench = Bench(
        settings=settings,
        coprocessor=coprocessor,
        down=down,
        up=up,
        seed=seed,
        report_rate=report_rate,
        mishaps=mishaps,
    )
    bench.run(until=12.0)
    event(f"lives: {min(len(bench.lives), 4)}")
    bench.up.faults = bench.down.faults = CLEAN
    bench.run(until=12.0 + 2 * LONGEST_WAIT)
    if report_rate == 0.0:  # with traffic, an answer may be lost at any time
        assert bench.host.session.state is State.READY
        assert bench.host.session.device == DEVICE
    assert any(isinstance(e, Ready) for life in bench.lives for e in life.events)
    bench.host.end(bench.now)


@given(
    coprocessor=coprocessors(),
    settings=SETTINGS,
    up=FAULTS,
    seed=st.integers(0, 2**32),
    report_rate=st.sampled_from([0.0, 10.0, 60.0]),
    mishaps=MISHAPS,
)
def test_a_host_whose_bytes_arrive_crashes_no_firmware(
    coprocessor: CoprocessorSession,
    settings: SetAll,
    up: Faults,
    seed: int,
    report_rate: float,
    mishaps: list[tuple[float, Callable[[Bench], None]]],
) -> None:
    """However many answers are lost or forged."""
    bench = Bench(
        settings=settings,
        coprocessor=coprocessor,
        down=CLEAN,
        up=up,
        seed=seed,
        report_rate=report_rate,
        mishaps=mishaps,
    )
    bench.run(until=15.0)
    assert coprocessor.counters.crashes == 0


@given(coprocessor=coprocessors(transmit="ideal"), settings=SETTINGS, seed=st.integers(0, 2**32))
def test_on_a_clean_line_it_is_ready_at_once(
    coprocessor: CoprocessorSession, settings: SetAll, seed: int
) -> None:
    """At once: before any time-out, but for old firmware, which first has to be recognised."""
    bench = Bench(
        settings=settings,
        coprocessor=coprocessor,
        down=CLEAN,
        up=replace(CLEAN, split=0.6, delay=0.004),
        seed=seed,
        report_rate=20.0,
        mishaps=[],
    )
    bench.run(until=1.5)
    assert len(bench.lives) == 1
    assert bench.host.session.state is State.READY
    time_outs = bench.host.session.counters.lost_acks
    assert time_outs == 0 or (time_outs == 4 and settings.max_adv_len)


FORGED_MESSAGES: list[Message] = [
    GetAll(),
    DEVICE,
    Ack(Command.SET_ALL, False),
    Ack(Command.SET_ALL, True),
    Ack(Command.SET_FLTR_TAGS, False),
    Ack(0x55, False),
    LedCtrl(1500),
    SetAll(),
    GetDeviceId(),
    AdvRprt(bytes(6), b"", -1),
    AdvRprt2(bytes(6), b"\xca" * 40, -1, 1, 15, 37, False, -64),
]
FORGED = st.binary(max_size=40) | st.sampled_from(FORGED_MESSAGES).map(lambda m: m.to_frame())


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.06, 0.3, 4.0]), FORGED), max_size=60),
    SETTINGS,
)
def test_nothing_that_is_received_breaks_a_promise(
    received: list[tuple[float, bytes]], settings: SetAll
) -> None:
    """Neither noise nor messages in any order, at any time, many of them in one read."""
    now = 0.0
    host = Host(settings)
    for pause, raw in received:
        while host.wakes_at <= now + pause:
            now = host.wakes_at
            host.tick(now)
        now += pause
        host.receive(raw, now)
        if host.session.can_command:
            host.command(LedCtrl(1500), now)
    host.end(now)


@pytest.mark.parametrize("interval", [0.004, 0.05, 0.2, 0.7])
@pytest.mark.parametrize("firmware", ["2.0.0", "1.0.0"])
def test_floods_of_get_all_are_answered_at_a_limited_rate(firmware: str, interval: float) -> None:
    coprocessor = CoprocessorSession(DEVICE, TRANSMIT_MODES["ideal"](115200), firmware=firmware)
    bench = Bench(
        settings=SetAll(),
        coprocessor=coprocessor,
        down=CLEAN,
        up=CLEAN,
        seed=1,
        report_rate=0.0,
        mishaps=[(5 + n * interval, Bench.forge_get_all) for n in range(int(10 / interval))],
    )
    bench.run(until=20.0)
    assert len(bench.lives) == 1
    assert bench.host.session.state is State.READY
    answers = [at for at, message in bench.host.written if isinstance(message, SetAll) and at > 4]
    assert len(answers) >= 10
    for first, fourth in zip(answers, answers[3:], strict=False):
        assert fourth - first >= TIMING.reboot_window - 1e-9
