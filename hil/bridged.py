"""The rig `hci`: `ruuvi-host bridge`, as a process of its own, with a Bluetooth controller behind.

The controller is the scripted one, whose air the tests set as they do on other rigs, or the one
given with --hci. Between the bridge's pty and the cable stands a tap: it reads in the SET_ALLs of
the host what is to be in the air.
"""

import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import AdvRprt2, Message, SetAll, address_text, messages
from firmware_protocol.scan import PHY_CODED as CA_CODED
from firmware_protocol.scan import AdvertisingEvent

from .air import MARK
from .board import kind_of
from .controller.adverts import NO_TX_POWER, PHY_CODED, Advert
from .controller.serving import ServedController
from .local import LocalRig
from .rig import Ability, RigError, Setup
from .simulated import AT_BOOT, DEVICE, Generator

TIMEOUT = 30.0
"""Seconds until a bridge must have its pty."""
LEGACY_SIZE = 31
DRAIN = 0.25
"""Seconds that the last report of the air before may take to the host, unless a filter drops it."""
LAST = Advert(bytes.fromhex("C00000000000"), bytes.fromhex("03FF9904"))
"""It closes an air: what comes behind it is of the next one."""


class GeneratedAir:
    """The generator of the other rigs, as a controller hears it."""

    def __init__(self) -> None:
        self._word: int | None = AT_BOOT
        self._generator: Generator | None = None

    @property
    def deadline(self) -> float:
        """inf: what was set is not scanned yet."""
        return self._generator.deadline if self._generator and self._word is None else inf

    def set(self, word: int) -> None:
        """From the next start of scanning on, this is in the air; until then, nothing is."""
        self._word = word

    def begin(self, now: float) -> None:
        if self._word is not None:
            self._generator = Generator(self._word, now, baud=115200, is_v1=False)
            self._word = None
        elif self._generator:
            self._generator.postpone(now)

    def next(self) -> Advert:
        assert self._generator
        advert = as_heard(self._generator.next())
        self._generator.sent += 1
        return advert


def as_heard(event: AdvertisingEvent) -> Advert:
    """The event as HCI tells it: without a channel, and what is long is extended."""
    is_extended = event.secondary_phy != 15 or len(event.data) > LEGACY_SIZE
    if not is_extended:
        return Advert(event.address, event.data, event.rssi)
    secondary = event.secondary_phy if event.secondary_phy != 15 else 1
    to_hci = {CA_CODED: PHY_CODED}
    return Advert(
        event.address,
        event.data,
        event.rssi,
        is_extended=True,
        primary=to_hci.get(event.primary_phy, event.primary_phy),
        secondary=to_hci.get(secondary, secondary),
        sid=0,
        tx_power=NO_TX_POWER if event.tx_power is None else event.tx_power,
    )


class Tap:
    """Carries bytes between a bridge's pty and a socket, in a thread, until one of them ends.

    change: called with what the host wants in the air; True: LAST will come.
    """

    def __init__(self, path: str, line: socket.socket, change: Callable[[int], bool]) -> None:
        self._pty = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._line = line
        self._change = change
        self._from_hosts: FrameScanner[Message] = FrameScanner(messages)
        self._from_bridges: FrameScanner[Message] = FrameScanner(messages)
        self._last_seen = False
        self._thread = threading.Thread(target=self._carry, name="tap", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Whatever is on its way is lost."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _carry(self) -> None:
        try:
            while True:
                both: list[int | socket.socket] = [self._pty, self._line]
                ready, _, _ = select.select(both, [], [])
                if self._line in ready and not self._from_host(self._line.recv(4096)):
                    return
                if self._pty in ready and not self._from_bridge():
                    return
        except OSError:
            return  # the pty has been taken away, or the cable has let go
        finally:
            self._line.close()
            os.close(self._pty)

    def _from_host(self, data: bytes) -> bool:
        for message in self._from_hosts.feed(data):
            if isinstance(message, SetAll) and not message.fltr_tags and message.fltr_id >= MARK:
                self._last_seen = not self._change(message.fltr_id)
                self._drain()
        left = data
        while left and select.select([], [self._pty], [], TIMEOUT)[1]:
            left = left[os.write(self._pty, left) :]
        return bool(data) and not left

    def _drain(self) -> None:
        """What is still on its way of the air before must not be taken for the next one."""
        until = time.monotonic() + DRAIN
        while not self._last_seen and (left := until - time.monotonic()) > 0:
            if select.select([self._pty], [], [], left)[0]:
                self._from_bridge()

    def _from_bridge(self) -> bool:
        try:
            data = os.read(self._pty, 4096)
        except BlockingIOError:  # _drain was faster
            return True
        self._line.sendall(data)
        for message in self._from_bridges.feed(data):
            self._last_seen |= isinstance(message, AdvRprt2) and message.address == LAST.address
        return bool(data)


class BridgedRig(LocalRig):
    """--rig hci. transport: what `ruuvi-host bridge --hci` is given; None: the scripted one."""

    name = "hci"
    description = "ruuvi-host bridge and a scripted controller, no hardware"
    is_hardware = False
    abilities = frozenset(
        {Ability.ANSWER, Ability.UNPLUG, Ability.FAULTS, Ability.GENERATE, Ability.STATIC}
    )

    def __init__(self, transport: str | None = None) -> None:
        super().__init__()
        self._said = self.directory / "said"
        self._link = str(self.directory / "bridge")
        self._process: subprocess.Popen[bytes] | None = None
        self._tap: Tap | None = None
        self._air = GeneratedAir()
        self._transport = transport or ""
        self._controller: ServedController | None = None
        if transport:
            kind = kind_of(transport)
            self.is_hardware = kind == "board"
            self.description = f"ruuvi-host bridge on {transport}"
            self.abilities = self.abilities - {Ability.GENERATE, Ability.STATIC} | {Ability.RADIO}
        else:
            self._controller = self._resources.enter_context(ServedController(air=self._air))
            self._transport = self._controller.path

    def start(self, setup: Setup) -> None:
        """One bridge for all tests; another one if it has ended."""
        if self._process and not self.trouble():
            self.set_faults(None)
            return
        super().start(setup)

    def boot(self, setup: Setup) -> socket.socket:
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command = [*guard, sys.executable, "-m", "ruuvi_host", "bridge", "--hci", self._transport]
        command += ["--link", self._link]
        if Ability.GENERATE in self.abilities:
            command += ["--address", address_text(DEVICE.addr), "--device-id", DEVICE.id.hex()]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
        self._wait_for_pty()
        line, cable = socket.socketpair()
        self._tap = Tap(self._link, line, self._change_air)
        return cable

    def shut_down(self) -> None:
        if self._tap:
            self._tap.end()
            self._tap = None
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _change_air(self, word: int) -> bool:
        if self._controller is None:
            return False
        self._controller.do(lambda: self._air.set(word))
        self._controller.hear(LAST)
        return self._controller.controller.registers.is_scanning

    def trouble(self) -> str:
        """That the bridge has ended by itself."""
        code = self._process.poll() if self._process else None
        if code is None:
            return ""
        return f"ruuvi-host bridge: has ended with {code}: {self._told()}"

    def _wait_for_pty(self) -> None:
        until = time.monotonic() + TIMEOUT
        while not os.path.exists(self._link):
            if problem := self.trouble():
                self._process = None
                raise RigError(problem)
            if time.monotonic() > until:
                self.shut_down()
                raise RigError(f"ruuvi-host bridge has no pty after {TIMEOUT:g} s: {self._told()}")
            time.sleep(0.02)

    def _told(self) -> str:
        return self._said.read_text("utf-8", "replace").strip() or "it has said nothing"
