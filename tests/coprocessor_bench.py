"""A coprocessor's end of the wire on a bench, at times that the test sets."""

from firmware_protocol.coprocessor import Booted, CoprocessorSession
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    HostMessage,
    Message,
    SetAll,
    messages,
)
from firmware_protocol.scan import AdvertisingEvent
from firmware_protocol.transmitter import Ideal, Transmitter

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
ADDRESS = bytes.fromhex("cbb8334c884f")
RUUVI = bytes.fromhex(
    "0201061bff99040514644725c44100340000041ca936110158c6a5b9e0ad06"
)  # 31 bytes, company 0x0499
APPLE = bytes.fromhex("0201061aff4c000215") + bytes(21)
TAG = AdvertisingEvent(ADDRESS, RUUVI, -67)
GATEWAY = SetAll()  # what a gateway sends


class Bench:
    """A booted coprocessor on a line that takes no time unless a transmitter is given."""

    def __init__(
        self,
        transmitter: Transmitter | None = None,
        *,
        firmware: str = "2.0.0",
        has_coded_phy: bool = True,
    ) -> None:
        self.session = CoprocessorSession(
            DEVICE, transmitter or Ideal(0), firmware=firmware, has_coded_phy=has_coded_phy
        )
        self.scanner: FrameScanner[Message] = FrameScanner(messages)
        self.counters = self.session.counters
        self.session.boot(0.0)
        self.at_boot = self.received(0.001)

    def received(self, now: float) -> list[Message]:
        """What the host has received until now, since the last time."""
        return self.scanner.feed(self.session.take_output(now))

    def send(self, what: HostMessage | bytes, now: float) -> None:
        data = what if isinstance(what, bytes) else what.to_frame()
        self.session.receive(data, now)

    def ask(self, what: HostMessage | bytes, now: float) -> list[Message]:
        """The answers that come within 10 ms."""
        self.send(what, now)
        return self.received(now + 0.01)

    def configure(self, settings: SetAll = GATEWAY, now: float = 0.0) -> None:
        [ack] = self.ask(settings, now)
        assert isinstance(ack, Ack)

    def hears(self, event: AdvertisingEvent, now: float) -> bool:
        """Does this event lead to a report?"""
        self.session.advertised(event, now)
        return any(isinstance(m, AdvRprt | AdvRprt2) for m in self.received(now))

    def boots(self) -> list[float]:
        """When it has booted since the last time."""
        return [e.at for e in self.session.take_events() if isinstance(e, Booted)]
