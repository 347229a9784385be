"""A session and a model of a controller, connected, under a clock that jumps ahead."""

from collections.abc import Callable

from hci_events import legacy_event, legacy_report
from hci_model import ControllerModel

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.happenings import Climbed, Happening, Started
from ruuvi_host.hci.ladder import Ladder
from ruuvi_host.hci.plan import ScanChoice, ScanKind
from ruuvi_host.hci.session import ControllerSession

ANSWER_TIME = 0.01
RANDOM = bytes.fromhex("1122334455C6")
REPORT = legacy_event(legacy_report())


class World:
    """A transport that may be opened again and again.

    host: what it says whenever the coprocessor boots; None: there is no host.
    """

    def __init__(
        self,
        model: ControllerModel | None = None,
        choice: ScanChoice = ScanChoice.AUTO,
        *,
        host: SetAll | None = None,
        flush: bool = False,
    ) -> None:
        self.model = model or ControllerModel()
        self.host = host
        self.now = 1000.0
        self.log: list[Happening] = []
        self.ladder = Ladder()
        self.counters = ControllerCounters()
        self.choice = choice
        self.flush = flush
        self.open()

    def open(self) -> None:
        """A new life."""
        self.session = ControllerSession(
            self.choice, RANDOM, ladder=self.ladder, counters=self.counters, flush=self.flush
        )
        self.session.start(self.now)
        self.settle()

    def settle(self) -> None:
        """Until the controller has nothing more to answer."""
        while output := self.session.take_output():
            answer = self.model.receive(output)
            self.now += ANSWER_TIME
            self.took(self.session.receive(answer, self.now))

    def took(self, happenings: list[Happening]) -> None:
        """What the session tells; a host configures whatever boots."""
        self.log += happenings
        if self.host and any(isinstance(each, Started) for each in happenings):
            self.took(self.session.set_scan(self.host, self.now))

    def run(self, until: float, *, each: Callable[[], None] | None = None) -> None:
        """Let time pass, in seconds from the beginning; ends early when the session is spent."""
        until += 1000.0
        while (at := self.session.deadline) <= until and not self.session.is_spent:
            self.now = max(self.now, at)
            self.took(self.session.tick(self.now))
            self.settle()
            if each:
                each()
        self.now = max(self.now, until) if not self.session.is_spent else self.now

    def says(self, data: bytes) -> None:
        """The controller sends something."""
        self.took(self.session.receive(data, self.now))
        self.settle()

    def hears(self, event: bytes = REPORT) -> None:
        """An advertisement is in the air; a controller that scans reports it."""
        self.says(self.model.hears(event))

    @property
    def kind(self) -> ScanKind:
        return self.session.kind

    def told(self, kind: type[Happening]) -> list[Happening]:
        """All of one kind."""
        return [each for each in self.log if isinstance(each, kind)]

    def climbed(self) -> list[tuple[float, int]]:
        """The rungs so far."""
        return [(0.0, each.rung.value) for each in self.log if isinstance(each, Climbed)]
