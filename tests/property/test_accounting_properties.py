"""Nothing is lost without a count: what goes through the real classes, in any order, adds up."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from firmware_protocol.events import Received
from firmware_protocol.messages import Ack, AdvRprt2, DeviceId, Report, SetAll
from firmware_protocol.session import HostSession
from firmware_protocol.transitions import State
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.filter import AddressFilter
from ruuvi_host.intake.intake import MAX_ADV_LEN, Intake
from ruuvi_host.intake.table import AdvertisementTable, ChangeQueue
from ruuvi_host.monitoring.accounting import accounts, unaccounted
from ruuvi_host.monitoring.counters import (
    LinkCounters,
    QueueCounters,
    RelayCounters,
    TargetCounters,
    add,
)

DEVICE = DeviceId(bytes(8), bytes(6))
SENSORS = [bytes([1, 2, 3, 4, 5, n]) for n in range(6)]
REFUSED = SENSORS[0]

datas = st.one_of(
    st.sampled_from([b"", b"\x02\x01\x06", bytes(31), bytes(MAX_ADV_LEN), bytes(MAX_ADV_LEN + 1)]),
    st.binary(max_size=60),
)
reports = st.builds(
    AdvRprt2,
    st.sampled_from(SENSORS),
    datas,
    st.integers(-100, -30),
    st.just(1),
    st.sampled_from([15, 1, 2, 4]),
    st.just(37),
    st.just(False),
    st.just(-64),
)


class Host(RuleBasedStateMachine):
    """Two lines, one table, two targets that take batches when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.utc: int | None = 1_800_000_000
        self.past = [LinkCounters(), LinkCounters()]
        self.sessions = [self._session(), self._session()]
        self.table = AdvertisementTable(max_sensors=3)
        self.intake = self._intake()
        self.targets: dict[str, tuple[QueueCounters, ChangeQueue, Batcher, RelayCounters]] = {}
        self.add_target("ruuvi")
        self.add_target("custom")
        self.configure(0)

    def _session(self) -> HostSession:
        session = HostSession(SetAll())
        session.start(self.now)
        return session

    def _intake(self) -> Intake:
        return Intake(self.table, AddressFilter(frozenset([REFUSED])), coprocessors=2)

    def add_target(self, name: str) -> None:
        counters, _, _, relay = self.targets.get(
            name, (QueueCounters(), None, None, RelayCounters())
        )
        queue = self.table.queue(counters)
        self.targets[name] = counters, queue, Batcher(queue, 10.0, self.now), relay

    def feed(self, line: int, data: bytes) -> None:
        for event in self.sessions[line].receive(data, self.now):
            if isinstance(event, Received):
                self.intake.receive(event.reports, self.now, self.utc, line)

    # -- what can happen

    @rule(line=st.integers(0, 1), heard=st.lists(reports, max_size=5), cut=st.integers(0, 30))
    def hear(self, line: int, heard: list[Report], cut: int) -> None:
        data = b"".join(report.to_frame() for report in heard)
        self.feed(line, data[:cut])
        self.feed(line, data[cut:])

    @rule(line=st.integers(0, 1), data=st.binary(max_size=40))
    def noise(self, line: int, data: bytes) -> None:
        self.feed(line, data)

    @rule(
        line=st.integers(0, 1), heard=reports, place=st.integers(0, 20), wrong=st.integers(1, 255)
    )
    def damage(self, line: int, heard: Report, place: int, wrong: int) -> None:
        frame = bytearray(heard.to_frame())
        frame[place % len(frame)] ^= wrong
        self.feed(line, bytes(frame))

    @rule(line=st.integers(0, 1))
    def configure(self, line: int) -> None:
        session = self.sessions[line]
        session.take_output()
        if session.state is State.IDENTIFYING:
            self.feed(line, DEVICE.to_frame())
            session.take_output()
        if session.state is State.CONFIGURING:
            self.feed(line, Ack(SetAll().command, False).to_frame())
        session.take_output()

    @rule(line=st.integers(0, 1))
    def lose_the_line(self, line: int) -> None:
        session = self.sessions[line]
        for event in session.end(self.now):
            if isinstance(event, Received):
                self.intake.receive(event.reports, self.now, self.utc, line)
        add(self.past[line], LinkCounters(session=session.counters))
        self.sessions[line] = self._session()

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(right=st.booleans())
    def clock(self, right: bool) -> None:
        self.utc = 1_800_000_000 if right else None

    @rule(name=st.sampled_from(["ruuvi", "custom"]))
    def take_a_batch(self, name: str) -> None:
        _, _, batcher, relay = self.targets[name]
        taken = batcher.take(self.now)
        relay.batches += 1
        relay.batch_reports += len(taken)

    @rule()
    def empty_the_table(self) -> None:
        self.table.clear()

    @rule()
    def configuration(self) -> None:
        self.table.reset(3)
        self.intake = self._intake()
        for name in self.targets:
            self.add_target(name)

    # -- what always holds

    def counters(self, line: int) -> LinkCounters:
        session, total = self.sessions[line], LinkCounters()
        add(total, self.past[line])
        add(total, LinkCounters(session=session.counters, bytes_pending=session.pending))
        return total

    @invariant()
    def it_adds_up(self) -> None:
        links = [(f"line {line}", self.counters(line)) for line in (0, 1)]
        # All batches wait: no relay is here that delivers them.
        targets = [
            (
                name,
                TargetCounters(
                    *(queue.changed, counters, len(queue)),
                    *(relay, relay.batches, relay.batch_reports),
                ),
            )
            for name, (counters, queue, _, relay) in self.targets.items()
        ]
        assert unaccounted(accounts(links, self.intake.counters, targets)) == []


Host.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAccounting = Host.TestCase
