"""A board and what is around it: one coprocessor, and the tags that it can hear.

Pure, in simulated time that begins with 0 when the board boots. Each event happens at its own
time, however seldom `advance` is called: the same seed and the same input at the same times give
the same bytes, always.

    board = Board(tags=5, seed=7)
    board.receive(SetAll().to_frame(), 0.5)
    bytes = board.advance(60.0)
"""

from collections.abc import Sequence
from heapq import heapify, heapreplace
from math import inf
from random import Random

from firmware_protocol.coprocessor import Cause, CoprocessorEvent, CoprocessorSession
from firmware_protocol.messages import DeviceId
from firmware_protocol.transmitter import TRANSMIT_MODES
from ruuvi_host.simulator.kinds import kind_of
from ruuvi_host.simulator.tags import ADVERTISING_INTERVAL, Tag


class Board:
    """A simulated coprocessor among simulated tags. See the top of this file.

    tags: how many.
    kinds: what they are, dealt out in turn; see simulator/kinds.py.
    rate: advertising events per second of all tags together; None: about 0.8 per tag.
    seed: decides the tags, their readings, and who the board is.
    firmware: "2.0.0" or "1.0.0".
    transmit: "ideal", "drop-if-busy" or "faithful"; see firmware_protocol/transmitter.py.
    baud: speed of the line; 0 takes no time.
    has_coded_phy: False simulates a chip without it.
    """

    def __init__(
        self,
        *,
        tags: int = 10,
        kinds: Sequence[str] = ("5",),
        rate: float | None = None,
        seed: int = 1,
        firmware: str = "2.0.0",
        transmit: str = "ideal",
        baud: int = 115200,
        has_coded_phy: bool = True,
    ) -> None:
        random = Random(f"ruuvi-host {seed}")  # as text, because Random(-1) is Random(1)
        address = random.getrandbits(48) | 0xC000_0000_0000  # random static: top two bits 1
        self.device = DeviceId(random.randbytes(8), address.to_bytes(6, "big"))
        """Who the coprocessor says it is."""
        interval = tags / rate if rate else ADVERTISING_INTERVAL
        dealt = [kind_of(name) for name in kinds]
        self.tags = [
            Tag(random, index, interval, dealt[index % len(dealt)]) for index in range(tags)
        ]
        self.session = CoprocessorSession(
            self.device,
            TRANSMIT_MODES[transmit](baud),
            firmware=firmware,
            has_coded_phy=has_coded_phy,
        )
        self.counters = self.session.counters
        self._agenda = [(tag.next_at, index) for index, tag in enumerate(self.tags)]
        heapify(self._agenda)
        self.session.boot(0.0)

    @property
    def deadline(self) -> float:
        """When something happens next; inf: never, unless the host writes."""
        tag_at = self._agenda[0][0] if self._agenda else inf
        return min(tag_at, self.session.deadline)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self._let_tags_advertise(now)
        self.session.receive(data, now)

    def advance(self, now: float) -> bytes:
        """Let everything happen that happens until now; the bytes that have left the line."""
        self._let_tags_advertise(now)
        return self.session.take_output(now)

    def take_events(self) -> list[CoprocessorEvent]:
        """What the coprocessor did since the last time: booted, was configured."""
        return self.session.take_events()

    def restart(self, now: float) -> None:
        """Power off and on."""
        self._let_tags_advertise(now)
        self.session.boot(now, Cause.POWER_ON)

    def _let_tags_advertise(self, now: float) -> None:
        agenda = self._agenda
        if not agenda:
            return
        tags = self.tags
        advertised = self.session.advertised
        while agenda[0][0] <= now:
            at, index = agenda[0]
            tag = tags[index]
            advertised(tag.advertise(), at)
            heapreplace(agenda, (tag.next_at, index))
