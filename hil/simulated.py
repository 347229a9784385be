"""The rig without anything: CoprocessorSession, the simulator's heart, in real time on a cable."""

import select
import socket
import threading
import time
from contextlib import suppress
from math import inf

from firmware_protocol.coprocessor import Booted, Cause, CoprocessorSession
from firmware_protocol.messages import DeviceId
from firmware_protocol.scan import PHY_1M, PHY_CODED, AdvertisingEvent
from firmware_protocol.transmitter import BITS_PER_BYTE, TRANSMIT_MODES

from .air import (
    AS_THE_LINE_CARRIES,
    COUNTED_SIZE,
    FRAME_IN_DATA,
    MARK,
    RATES,
    TAGS,
    Air,
    Pattern,
)
from .local import LocalRig
from .rig import Ability, Setup

DEVICE = DeviceId(b"RHIL" + bytes(4), bytes((0xC0, *b"HIL", 1, 0)))
AT_BOOT = Air(10, 31, Pattern.TAGS).word
LEAD = 0.01
DF5 = bytes.fromhex("0201061BFF9904 0512FC5394C37C0004FFFC040CAC364200CD")
DF5_SIZE = 31
LONGEST_WAIT = 0.5
LONGEST_STEP = 0.25
"""If this process stood still for longer, so did the board."""


class Generator:
    """Events as hil/firmware/generator.c makes them, byte for byte."""

    def __init__(self, word: int, now: float, *, baud: int, is_v1: bool) -> None:
        self.sent = 0
        self._begin = now + LEAD
        self._pattern = Pattern(word >> 12 & 7)
        self._size = DF5_SIZE if self._pattern is Pattern.TAGS else word & 0xFF
        self._events = self._steps = 0
        self._random = 0x48494C31
        index = word >> 8 & 15
        self._rate = RATES[index] if index < len(RATES) else 0
        self._period = 1 / self._rate if self._rate else inf
        if index == AS_THE_LINE_CARRIES:
            raw = self._size + (16 if is_v1 else 20)
            self._period = raw * BITS_PER_BYTE / baud
        if self._pattern is Pattern.RANDOM and self._rate:
            self._period = 0.001
            self._skip_to_chance()

    @property
    def deadline(self) -> float:
        """When the next event happens."""
        return inf if self._period == inf else self._begin + self._steps * self._period

    def postpone(self, now: float) -> None:
        """Nothing was scanned until now: what was due waits, so that no number is left out."""
        self._begin += max(now - self.deadline, 0.0)

    def next(self) -> AdvertisingEvent:
        """The event that is due."""
        number = self._events
        self._events += 1
        self._steps += 1
        if self._pattern is Pattern.RANDOM:
            self._skip_to_chance()
        rssi = -40 - number % 50
        address = TAGS[0]
        match self._pattern:
            case Pattern.TAGS:
                address = TAGS[number % len(TAGS)]
                data = DF5[:-2] + (number & 0xFFFF).to_bytes(2, "big") + address
                return AdvertisingEvent(address, data, rssi)
            case Pattern.MIXED:
                address = TAGS[number % 3]
            case Pattern.EXTENDED:
                data = self._counted(number)
                power = number % 127 - 63
                return AdvertisingEvent(address, data, rssi, PHY_1M, 2, number % 37, power)
            case Pattern.CODED:
                data = self._counted(number)
                return AdvertisingEvent(address, data, rssi, PHY_CODED, PHY_CODED, number % 37)
            case _:
                pass
        return AdvertisingEvent(address, self._counted(number), rssi)

    def _counted(self, number: int) -> bytes:
        if self._size < COUNTED_SIZE:
            return bytes(self._size)
        head = bytes.fromhex("FF9904")
        if self._pattern is Pattern.MIXED:
            head = bytes.fromhex(("FF9904", "FF4C00", "169904")[number % 3])
        counters = number.to_bytes(4, "big") + self.sent.to_bytes(4, "big")
        fill = FRAME_IN_DATA * 40 if self._pattern is Pattern.FRAMES else bytes(range(256))
        return bytes((self._size - 1,)) + head + b"H" + counters + fill[: self._size - COUNTED_SIZE]

    def _skip_to_chance(self) -> None:
        while self._draw() % 1000 >= self._rate:
            self._steps += 1

    def _draw(self) -> int:
        value = self._random
        value ^= value << 13 & 0xFFFFFFFF
        value ^= value >> 17
        value ^= value << 5 & 0xFFFFFFFF
        self._random = value
        return value


class SimulatedBoard:
    """A CoprocessorSession in generated air. Pure: times are the caller's."""

    def __init__(self, setup: Setup, *, has_coded_phy: bool = True) -> None:
        self.session = CoprocessorSession(
            DEVICE,
            TRANSMIT_MODES[setup.transmit](setup.baud),
            firmware=setup.firmware,
            watchdog=setup.watchdog_seconds,
            has_coded_phy=has_coded_phy,
        )
        self._baud = setup.baud
        self._is_v1 = setup.firmware == "1.0.0"
        self.session.boot(0.0)
        self._note()

    @property
    def deadline(self) -> float:
        """When something happens next."""
        return min(self._generator.deadline, self.session.deadline)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the host."""
        self._live_until(now)
        self.session.receive(data, now)
        self._note()

    def advance(self, now: float) -> bytes:
        """The bytes that have left the line."""
        self._live_until(now)
        return self.session.take_output(now)

    def restart(self, now: float) -> None:
        """Reset it."""
        self._live_until(now)
        self.session.boot(now, Cause.POWER_ON)
        self._note()

    def _live_until(self, now: float) -> None:
        while True:
            at = min(self._generator.deadline, now)
            self.session.tick(at)
            if self._note():
                continue
            if self._generator.deadline > now:
                return
            sent = self.session.counters.reports_sent
            self.session.advertised(self._generator.next(), at)
            if not self._note() and self.session.counters.reports_sent > sent:
                self._generator.sent += 1

    def _note(self) -> bool:
        """Set the air anew if that is what has happened."""
        changed = False
        for event in self.session.take_events():
            if isinstance(event, Booted):
                self._generate(AT_BOOT, event.at)
                changed = True
            elif not event.settings.fltr_tags and event.settings.fltr_id >= MARK:
                self._generate(event.settings.fltr_id, event.at)
                changed = True
        return changed

    def _generate(self, word: int, at: float) -> None:
        self._generator = Generator(word, at, baud=self._baud, is_v1=self._is_v1)


class SimulatedRig(LocalRig):
    """--rig sim."""

    name = "sim"
    description = "simulator of ruuvi-host, no hardware"
    abilities = LocalRig.abilities | {Ability.TRUTH}

    def boot(self, setup: Setup) -> socket.socket:
        ours, cable = socket.socketpair()
        ours.setblocking(False)
        self._board = SimulatedBoard(setup)
        self._lock = threading.Lock()
        self._now = 0.0
        self._socket = ours
        self._ends = False
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)
        self._thread.start()
        return cable

    def shut_down(self) -> None:
        self._ends = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def reset(self) -> None:
        with self._lock:
            self._board.restart(self._now)

    def led_is_on(self) -> bool:
        with self._lock:
            return self._board.session.led_off_at > self._now

    def _serve(self) -> None:
        then = time.monotonic()
        wait = 0.0
        while not self._ends:
            select.select([self._socket], [], [], wait)
            with self._lock:
                now = time.monotonic()
                self._now += min(now - then, LONGEST_STEP + wait)
                then = now
                try:
                    if data := self._socket.recv(4096):
                        self._board.receive(data, self._now)
                    else:
                        return
                except BlockingIOError:
                    pass
                except OSError:
                    return
                if output := self._board.advance(self._now):
                    with suppress(OSError):
                        self._socket.send(output)
                wait = min(max(self._board.deadline - self._now, 0.0005), LONGEST_WAIT)
