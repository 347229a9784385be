"""The other end of the wire: a coprocessor as the firmware makes it, its weaknesses included.

Bytes from the host, advertising events from the air and time go in; bytes on the wire come out.

    session.boot(now)                  power on: GET_ALL, then it waits for SET_ALL
    session.receive(data, now)         the host wrote something
    session.advertised(event, now)     a tag advertised
    session.tick(now)                  when session.deadline has come
    data = session.take_output(now)    what has left the line until now

Time never goes backwards. Each call first does what became due before it, at the time when it was
due, so what comes out depends on when things happened and not on how often anybody asked.

What a host has to live with, and can try here:

* Commands that arrive damaged; see command_reader.py.
* One pending reply, which the next command replaces; see reply_slot.py.
* Without a report for 42 s the watchdog resets it, and it forgets how it was configured.
* Reports and replies may be lost on the way out: see transmitter.py.

Left out: the event queue of ten; events are dealt with as they come, so it never fills.

Given a `radio` of its own, the session is what a product needs, and plays none of those faults:
commands are found in whatever else comes with them, each gets its answer, and no watchdog bites.
What such a radio has heard, and let pass, goes to `report`.

Source: ruuvi.gateway_nrf.c v2.0.0 and v1.0.0, read, not measured.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from firmware_protocol.command_reader import CommandReader
from firmware_protocol.command_stream import CommandStream
from firmware_protocol.commands import Command
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.firmwares import FIRMWARES, PRODUCT
from firmware_protocol.framing import Frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    LedCtrl,
    SetAll,
    SetFltrId,
)
from firmware_protocol.radio import SessionRadio
from firmware_protocol.reply_slot import TURN_TIME, ReplySlot
from firmware_protocol.scan import AdvertisingEvent, Radio, company_id
from firmware_protocol.transmitter import Transmitter

BOOT_LED_TIME = 4.0


class Cause(Enum):
    """Why the coprocessor booted."""

    POWER_ON = "power on"
    WATCHDOG = "watchdog"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Booted:
    """It started anew, asked for its configuration, and waits."""

    at: float
    cause: Cause


@dataclass(frozen=True, slots=True)
class Configured:
    """SET_ALL was applied, as far as possible."""

    at: float
    settings: SetAll
    """As stored: with the earlier channels if the host gave none."""
    refused: bool
    """What the ACK says."""


CoprocessorEvent = Booted | Configured


@dataclass(slots=True)
class CoprocessorCounters:
    """Since power was first on. advertisements = not_received + too_long + filtered + reports_*."""

    advertisements: int = 0
    not_received: int = 0
    """Not scanning, or on another PHY."""
    too_long: int = 0
    filtered: int = 0
    reports_sent: int = 0
    reports_lost: int = 0
    """Given up because of other frames on the line."""
    replies_sent: int = 0
    replies_lost: int = 0
    replies_replaced: int = 0
    """Never tried, because the next command came first."""
    commands: int = 0
    watchdog_resets: int = 0
    crashes: int = 0


_FLAGS = {
    Command.SET_FLTR_TAGS: "fltr_tags",
    Command.SET_CODED_PHY: "use_coded_phy",
    Command.SET_SCAN_1MB_PHY: "use_1m_phy",
    Command.SET_SCAN_2MB_PHY: "use_2m_phy",
    Command.SET_CH_37: "ch_37",
    Command.SET_CH_38: "ch_38",
    Command.SET_CH_39: "ch_39",
}


class CoprocessorSession:
    """One coprocessor. See the top of this file; `boot` comes first.

    device: who it says it is.
    transmitter: its way to the wire; one of transmitter.py's.
    firmware: "2.0.0" or "1.0.0".
    watchdog: seconds, in place of those of the firmware.
    has_coded_phy: False for chips like the nRF52832, which 2.0.0 serves badly.
    radio: what it hears with, in place of the firmware and its chip.
    """

    def __init__(
        self,
        device: DeviceId,
        transmitter: Transmitter,
        *,
        firmware: str = "2.0.0",
        watchdog: float | None = None,
        has_coded_phy: bool = True,
        radio: SessionRadio | None = None,
    ) -> None:
        if firmware not in FIRMWARES:
            raise LocalProtocolError(f"no firmware {firmware!r}; there are {', '.join(FIRMWARES)}")
        self.counters = CoprocessorCounters()
        self.led_off_at = 0.0
        """The LED is on until then."""
        self.device = device
        """Who it says it is. Whoever makes another of it has it boot."""
        self._transmitter = transmitter
        self._is_product = radio is not None
        self._firmware = PRODUCT if self._is_product else FIRMWARES[firmware]
        if watchdog is not None:
            self._firmware = replace(self._firmware, watchdog=watchdog)
        self._radio: SessionRadio = radio or Radio(has_coded_phy=has_coded_phy)
        self._events: list[CoprocessorEvent] = []
        self._next = inf  # nothing is due before
        self._forget()

    def _forget(self) -> None:
        """What a reset leaves of the memory."""
        self._waits_for_settings = True
        self._watchdog_at = inf
        self._radio.reset()
        self._commands = CommandReader(self._firmware)
        self._stream = CommandStream() if self._is_product else None
        has_room = self._is_product or self._firmware.is_v1
        self._replies = ReplySlot(self._transmitter, has_room=has_room)

    @property
    def deadline(self) -> float:
        """When `tick` or `take_output` is worth calling; inf: not before something comes in."""
        return min(self._next, self._transmitter.ready_at)

    @property
    def settings(self) -> SetAll | None:
        """How it is configured; None while it waits for SET_ALL."""
        return None if self._waits_for_settings else self._radio.settings

    def boot(self, now: float, cause: Cause = Cause.POWER_ON) -> None:
        """Start anew: by power, or by one of the two kinds of reset."""
        self._forget()
        self._transmitter.reset(now)
        self._events.append(Booted(now, cause))
        self.led_off_at = now + BOOT_LED_TIME
        self._feed_watchdog(now)
        self._next = self._watchdog_at
        self._transmitter.send(GetAll().to_frame(), now)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host, all of them at `now`."""
        self.tick(now)
        if self._stream:
            for frame in self._stream.feed(data, now):
                self._obey(frame, now)
            self._next = min(self._next, self._stream.deadline)
            return
        for byte in data:
            found = self._commands.feed(byte)
            if found:
                self._obey(found, now)
            elif self._commands.has_overflowed:
                self._crash(now)

    def advertised(self, event: AdvertisingEvent, now: float) -> None:
        """A tag advertised. The scan decides whether it is received; if it is, it is reported."""
        if self._next <= now:
            self.tick(now)
        radio = self._radio
        if not isinstance(radio, Radio):
            raise LocalProtocolError("this radio hears by itself: give what it heard to `report`")
        counters = self.counters
        counters.advertisements += 1
        if not radio.receives(event, now):
            counters.not_received += 1
            return
        settings = radio.settings
        if len(event.data) > (settings.max_adv_len or self._firmware.max_adv):
            counters.too_long += 1
            return
        if len(event.data) > self._firmware.max_adv:
            # The host allowed more than there is room for: memory is overwritten.
            counters.too_long += 1
            self._crash(now)
            return
        if settings.fltr_tags and company_id(event.data) != settings.fltr_id:
            counters.filtered += 1
            return
        self._watchdog_at = now + self._firmware.watchdog
        if not self._send_report(self._report(event, radio, now), now):
            self._replies.report_was_lost(now)
            self._next = min(self._next, self._replies.deadline)

    def report(self, heard: AdvRprt2, now: float) -> None:
        """A radio of its own has heard this, and all checks let it pass."""
        if self._next <= now:
            self.tick(now)  # an ACK that is due goes first
        self.counters.advertisements += 1
        self._send_report(heard.to_frame(), now)

    def _send_report(self, frame: bytes, now: float) -> bool:
        sent = self._transmitter.send(frame, now)
        if sent:
            self.counters.reports_sent += 1
        else:
            self.counters.reports_lost += 1
        return sent

    def tick(self, now: float) -> None:
        """Do what has become due: the watchdog, the end of a scan period, a reply."""
        while self._next <= now:
            due = self._next
            if self._watchdog_at <= due:
                self.counters.watchdog_resets += 1
                self.boot(due, Cause.WATCHDOG)
                continue
            if self._radio.scan_end <= due:
                self._start_scan(due)
            if self._stream and self._stream.deadline <= due:
                for frame in self._stream.flush():
                    self._obey(frame, due)
            if self._replies.deadline <= due:
                sent, lost = self._replies.send(due)
                self.counters.replies_sent += sent
                self.counters.replies_lost += lost
            self._next = min(self._watchdog_at, self._radio.scan_end, self._replies.deadline)
            if self._stream:
                self._next = min(self._next, self._stream.deadline)

    def take_output(self, now: float) -> bytes:
        """The bytes that have left the line since the last time; may be empty."""
        self.tick(now)
        return self._transmitter.take(now)

    def take_events(self) -> list[CoprocessorEvent]:
        """What has happened since the last time, for those who watch."""
        events, self._events = self._events, []
        return events

    # --- commands

    def _obey(self, frame: Frame, now: float) -> None:
        self.counters.commands += 1
        if self._firmware.is_v1:
            self._feed_watchdog(now)
        self._execute(frame, now)

    def _execute(self, frame: Frame, now: float) -> None:
        command = Command(frame.command)
        reply_at = now if self._is_product else now + TURN_TIME
        reply: DeviceId | LedCtrl | Ack
        if command == Command.GET_DEVICE_ID:
            reply = self.device
        elif command == Command.LED_CTRL:
            led = LedCtrl.from_payload(frame.payload)
            self.led_off_at = now + led.time_interval_ms / 1000
            reply = led if self._firmware.is_v1 else Ack(command, False)
        elif command == Command.SET_ALL:
            reply = Ack(command, self._set_all(SetAll.from_payload(frame.payload), now))
            reply_at = now + self._radio.start_time  # the scan is started first
        elif command == Command.SET_FLTR_ID:
            message = SetFltrId.from_payload(frame.payload)
            self._radio.set_company(message.id)
            reply = Ack(command, False)
        elif command in _FLAGS:
            refused = self._radio.set_flag(_FLAGS[command], bool(frame.payload[0] & 1))
            reply = Ack(command, refused)
        else:  # what only a coprocessor sends
            reply = Ack(command, True)
        self.counters.replies_replaced += self._replies.put(reply.to_frame(), reply_at)
        self._next = min(self._next, self._replies.deadline)

    def _set_all(self, settings: SetAll, now: float) -> bool:
        """The whole configuration. True: the ACK says 1."""
        refused = self._radio.configure(settings, now)
        self._scan_started(now)
        if self._waits_for_settings:
            # The main loop is entered, which starts the scan once more.
            self._waits_for_settings = False
            self._start_scan(now)
            self._feed_watchdog(now)
        elif self._radio.is_scanning:
            self._feed_watchdog(now)
        self._events.append(Configured(now, self._radio.settings, refused))
        return refused

    def _crash(self, now: float) -> None:
        self.counters.crashes += 1
        self.boot(now, Cause.CRASH)

    # --- scan and report

    def _start_scan(self, now: float) -> None:
        self._radio.start(now)
        self._scan_started(now)

    def _scan_started(self, now: float) -> None:
        if self._radio.is_scanning:
            self._next = min(self._next, self._radio.scan_end)
            if self._firmware.is_v1:
                self._feed_watchdog(now)

    def _report(self, event: AdvertisingEvent, radio: Radio, now: float) -> bytes:
        if self._firmware.is_v1:
            return AdvRprt(event.address, event.data, event.rssi).to_frame()
        return AdvRprt2(
            event.address,
            event.data,
            event.rssi,
            event.primary_phy,
            event.secondary_phy,
            radio.channel(event, now),
            radio.is_coded(),
            event.tx_power,
        ).to_frame()

    def _feed_watchdog(self, now: float) -> None:
        self._watchdog_at = now + self._firmware.watchdog
