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

* A *chunk* ends with each 0x0A, wherever that stands, or after 212 bytes. It is a frame from its
  first byte on, or it joins the *ring* of earlier failures, which is then tried from its first
  byte on. Nothing ever searches for STX and no time-out clears the ring; a frame that decodes at
  once does. More than 64 bytes in the ring overflow the stack, which ends in a reset.
* One pending reply. The next command replaces it.
* Without a report for 42 s the watchdog resets it, and it forgets how it was configured.
* Reports and replies may be lost on the way out: see transmitter.py.

Left out: the event queue of ten; events are dealt with as they come, so it never fills.

Source: ruuvi.gateway_nrf.c v2.0.0 and v1.0.0, read, not measured.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, Command
from firmware_protocol.errors import LocalProtocolError, RemoteProtocolError
from firmware_protocol.framing import ETX, Frame, decode_frame
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
from firmware_protocol.scan import (
    PHY_1M,
    PHY_CODED,
    START_TIME,
    AdvertisingEvent,
    Scan,
    company_id,
    enabled_channels,
    start_scan,
)
from firmware_protocol.transmitter import Transmitter

CHUNK_SIZE = 212
"""The receive buffer: the longest frame of firmware 2.0.0."""
RING_SIZE = 127
"""A ring buffer of 128 bytes, one of which must stay free."""
DECODE_SIZE = 64
"""The buffer on the stack into which the ring is copied."""

BOOT_LED_TIME = 4.0
TURN_TIME = 0.0001
"""From an event to what it scheduled; about one byte on the line."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """What differs between the generations."""

    max_adv: int
    """Bytes of advertising data that it has room for."""
    watchdog: float
    """Seconds."""
    is_v1: bool
    """Reports as ADV_RPRT, knows the short SET_ALL only, echoes LED_CTRL, sends each reply at
    once whatever the line is doing, and is kept alive by commands and starts of a scan."""


FIRMWARES = {
    "2.0.0": Firmware(max_adv=FIRMWARE_MAX_ADV_LEN, watchdog=42.0, is_v1=False),
    "1.0.0": Firmware(max_adv=31, watchdog=20.0, is_v1=True),
}


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


_REPORTS = (Command.ADV_RPRT, Command.ADV_RPRT2)
_STATES = {
    Command.SET_FLTR_TAGS: "fltr_tags",
    Command.SET_CODED_PHY: "use_coded_phy",
    Command.SET_SCAN_1MB_PHY: "use_1m_phy",
    Command.SET_SCAN_2MB_PHY: "use_2m_phy",
    Command.SET_CH_37: "ch_37",
    Command.SET_CH_38: "ch_38",
    Command.SET_CH_39: "ch_39",
}
_CHANNELS = (Command.SET_CH_37, Command.SET_CH_38, Command.SET_CH_39)
_AT_BOOT = SetAll(
    use_1m_phy=False, use_2m_phy=False, ch_37=False, ch_38=False, ch_39=False, max_adv_len=0
)


class CoprocessorSession:
    """One coprocessor. See the top of this file; `boot` comes first.

    device: who it says it is.
    transmitter: its way to the wire; one of transmitter.py's.
    firmware: "2.0.0" or "1.0.0".
    has_coded_phy: False for chips like the nRF52832, which 2.0.0 serves badly.
    """

    def __init__(
        self,
        device: DeviceId,
        transmitter: Transmitter,
        *,
        firmware: str = "2.0.0",
        has_coded_phy: bool = True,
    ) -> None:
        if firmware not in FIRMWARES:
            raise LocalProtocolError(f"no firmware {firmware!r}; there are {', '.join(FIRMWARES)}")
        self.counters = CoprocessorCounters()
        self.led_off_at = 0.0
        """The LED is on until then."""
        self._device = device
        self._transmitter = transmitter
        self._firmware = FIRMWARES[firmware]
        self._has_coded_phy = has_coded_phy
        self._events: list[CoprocessorEvent] = []
        self._phy = PHY_1M
        self._next = inf  # nothing is due before
        self._forget()

    def _forget(self) -> None:
        """What a reset leaves of the memory."""
        self._settings = _AT_BOOT
        self._waits_for_settings = True
        self._scan: Scan | None = None
        self._watchdog_at = inf
        self._chunk = bytearray()
        self._ring = b""
        self._replies: list[bytes] = []
        self._reply_at = inf
        self._reply_waits = False

    @property
    def deadline(self) -> float:
        """When `tick` or `take_output` is worth calling; inf: not before something comes in."""
        return min(self._next, self._transmitter.ready_at)

    @property
    def settings(self) -> SetAll | None:
        """How it is configured; None while it waits for SET_ALL."""
        return None if self._waits_for_settings else self._settings

    def boot(self, now: float, cause: Cause = Cause.POWER_ON) -> None:
        """Start anew: by power, or by one of the two kinds of reset."""
        self._forget()
        self._transmitter.reset(now)
        self._events.append(Booted(now, cause))
        self.led_off_at = now + BOOT_LED_TIME
        self._phy = PHY_1M
        self._feed_watchdog(now)
        self._next = self._watchdog_at
        self._transmitter.send(GetAll().to_frame(), now)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host, all of them at `now`."""
        self.tick(now)
        for byte in data:
            self._chunk.append(byte)
            if byte == ETX or len(self._chunk) == CHUNK_SIZE:
                chunk = bytes(self._chunk)
                self._chunk.clear()
                self._parse(chunk, now)

    def advertised(self, event: AdvertisingEvent, now: float) -> None:
        """A tag advertised. The scan decides whether it is received; if it is, it is reported."""
        if self._next <= now:
            self.tick(now)
        counters = self.counters
        counters.advertisements += 1
        scan = self._scan
        settings = self._settings
        if scan is None or not scan.hears(event, now):
            counters.not_received += 1
            return
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
        if self._transmitter.send(self._report(event, scan, now), now):
            counters.reports_sent += 1
        else:
            counters.reports_lost += 1
            if self._reply_waits and self._transmitter.sent_at <= now:
                # The firmware's driver says "sent" of the frame that it has just thrown away.
                self._schedule_reply(now + TURN_TIME)

    def tick(self, now: float) -> None:
        """Do what has become due: the watchdog, the end of a scan period, a reply."""
        while self._next <= now:
            due = self._next
            if self._watchdog_at <= due:
                self.counters.watchdog_resets += 1
                self.boot(due, Cause.WATCHDOG)
                continue
            if self._scan and self._scan.end <= due:
                self._start_scan(due)
            if self._reply_at <= due:
                self._send_replies(due)
            scan_end = self._scan.end if self._scan else inf
            self._next = min(self._watchdog_at, scan_end, self._reply_at)

    def take_output(self, now: float) -> bytes:
        """The bytes that have left the line since the last time; may be empty."""
        self.tick(now)
        return self._transmitter.take(now)

    def take_events(self) -> list[CoprocessorEvent]:
        """What has happened since the last time, for those who watch."""
        events, self._events = self._events, []
        return events

    # --- receive

    def _parse(self, chunk: bytes, now: float) -> None:
        frame = self._decode(chunk)
        if frame is None:
            self._ring = (self._ring + chunk)[:RING_SIZE]
            if len(self._ring) > DECODE_SIZE:
                self._crash(now)
                return
            frame = self._decode(self._ring)
        if frame:
            self._ring = b""
            self.counters.commands += 1
            if self._firmware.is_v1:
                self._feed_watchdog(now)
            self._execute(frame, now)

    def _decode(self, raw: bytes) -> Frame | None:
        try:
            frame = decode_frame(raw, self._firmware.max_adv)
        except RemoteProtocolError as error:
            if error.reason != "bad_delimiter" or raw[2] in _REPORTS:
                return None
            # The C codec checks the delimiters of reports only.
            frame = Frame(raw[2], raw[3 : 3 + raw[1]])
        is_new = frame.command == Command.ADV_RPRT2 or (
            frame.command == Command.SET_ALL and len(frame.payload) == 7
        )
        return None if is_new and self._firmware.is_v1 else frame

    def _execute(self, frame: Frame, now: float) -> None:
        command = Command(frame.command)
        reply_at = now + TURN_TIME
        reply: DeviceId | LedCtrl | Ack
        if command == Command.GET_DEVICE_ID:
            reply = self._device
        elif command == Command.LED_CTRL:
            led = LedCtrl.from_payload(frame.payload)
            self.led_off_at = now + led.time_interval_ms / 1000
            reply = led if self._firmware.is_v1 else Ack(command, False)
        elif command == Command.SET_ALL:
            reply = Ack(command, self._set_all(SetAll.from_payload(frame.payload), now))
            reply_at = now + START_TIME  # the scan is started first
        elif command == Command.SET_FLTR_ID:
            message = SetFltrId.from_payload(frame.payload)
            self._settings = replace(self._settings, fltr_id=message.id)
            reply = Ack(command, False)
        elif command in _STATES:
            reply = Ack(command, self._set_state(command, bool(frame.payload[0] & 1)))
        else:  # what only a coprocessor sends
            reply = Ack(command, True)
        self._reply(reply.to_frame(), reply_at)

    def _set_state(self, command: Command, state: bool) -> bool:
        """One flag; what concerns the scan waits for its next start. True: refused."""
        settings = replace(self._settings, **{_STATES[command]: state})
        if command in _CHANNELS and not enabled_channels(settings):
            return True
        self._settings = settings
        return command == Command.SET_CODED_PHY and not self._has_coded_phy

    def _set_all(self, settings: SetAll, now: float) -> bool:
        """The whole configuration; the scan starts anew. True: the ACK says 1."""
        refused = not enabled_channels(settings) or not self._has_coded_phy
        if not enabled_channels(settings):
            old = self._settings
            settings = replace(settings, ch_37=old.ch_37, ch_38=old.ch_38, ch_39=old.ch_39)
        self._settings = settings
        self._start_scan(now)
        if self._waits_for_settings:
            # The main loop is entered, which starts the scan once more.
            self._waits_for_settings = False
            self._start_scan(now)
            self._feed_watchdog(now)
        elif self._scan:
            self._feed_watchdog(now)
        self._events.append(Configured(now, settings, refused))
        return refused

    def _crash(self, now: float) -> None:
        self.counters.crashes += 1
        self.boot(now, Cause.CRASH)

    # --- scan and report

    def _start_scan(self, now: float) -> None:
        settings = self._settings
        if not self._has_coded_phy:
            settings = replace(settings, use_coded_phy=False)
        self._scan = start_scan(settings, self._phy, now)
        if self._scan:
            self._phy = self._scan.phy
            self._next = min(self._next, self._scan.end)
            if self._firmware.is_v1:
                self._feed_watchdog(now)

    def _report(self, event: AdvertisingEvent, scan: Scan, now: float) -> bytes:
        if self._firmware.is_v1:
            return AdvRprt(event.address, event.data, event.rssi).to_frame()
        return AdvRprt2(
            event.address,
            event.data,
            event.rssi,
            event.primary_phy,
            event.secondary_phy,
            scan.channel(now) if event.is_legacy else event.secondary_channel,
            scan.phy == PHY_CODED,
            event.tx_power,
        ).to_frame()

    def _feed_watchdog(self, now: float) -> None:
        self._watchdog_at = now + self._firmware.watchdog

    # --- reply

    def _reply(self, frame: bytes, at: float) -> None:
        if self._replies:
            at = max(at, self._reply_at)
            if not self._firmware.is_v1:
                self.counters.replies_replaced += 1
                self._replies.clear()
        self._replies.append(frame)
        self._schedule_reply(at)

    def _schedule_reply(self, at: float) -> None:
        self._reply_at = at
        self._next = min(self._next, at)

    def _send_replies(self, now: float) -> None:
        sent_at = self._transmitter.sent_at
        if sent_at > now and not self._reply_waits and not self._firmware.is_v1:
            self._reply_waits = True
            self._reply_at = sent_at + TURN_TIME
            return
        self._reply_waits = False
        for frame in self._replies:
            if self._transmitter.send(frame, now, is_reply=True):
                self.counters.replies_sent += 1
            else:
                self.counters.replies_lost += 1
        self._replies.clear()
        self._reply_at = inf
