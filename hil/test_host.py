"""Our host on this board: it gets ready, notices what happens, and gets ready again."""

import time

from firmware_protocol.commands import Command
from firmware_protocol.messages import SetAll, address_text

from .air import Air, Pattern
from .cable import Faults
from .figures import Figures
from .host import TIMEOUT, Host
from .marks import needs, with_setup
from .plugin import Board, open_wire
from .rig import Ability

pytestmark = needs("answer")
SETTINGS = SetAll()
DEAF = SetAll(fltr_id=0x1234)
"""Nobody is of this company: nothing is reported, and the watchdog bites."""


def host(board: Board, settings: SetAll = SETTINGS) -> Host:
    board.must_answer(Command.GET_DEVICE_ID, Command.SET_ALL)
    return Host(board.rig.path, settings, board.rig.baud)


def test_gets_ready(board: Board, figures: Figures) -> None:
    """Identified and configured, whichever generation it is."""
    begin = time.monotonic()
    with host(board) as us:
        ready = us.wait("ready")
        assert us.device
        address = address_text(us.device.addr)
        assert address == board.identity.address, f"now its address is {address}"
        figures.measure("open to ready", ready.at - begin, "s", high=TIMEOUT)
        figures.exactly("CRC errors", us.counters.session.scanner.crc_errors, 0)


@needs("generate")
def test_delivers_reports(board: Board, figures: Figures) -> None:
    """With the gateway's own settings the tags in the air are received."""
    with open_wire(board.rig) as wire:
        wire.command(Air(20, pattern=Pattern.TAGS).settings())
    with host(board) as us:
        us.wait("ready")
        us.wait_for_reports(10)
        figures.measure("bytes in no frame", us.counters.session.scanner.bytes_skipped)


@needs("reset")
def test_notices_a_reboot(board: Board, figures: Figures) -> None:
    """GET_ALL at any time is a reboot: it is configured again at once."""
    with host(board) as us:
        us.wait("ready")
        before = us.counters.session.reboots
        for _ in range(2):
            begin = time.monotonic()
            board.rig.reset()
            us.wait("rebooted")
            ready = us.wait("ready")
            figures.measure("reset to ready", ready.at - begin, "s", high=TIMEOUT)
        figures.exactly("reboots", us.counters.session.reboots - before, 2)


@needs("setup")
@with_setup(watchdog=2.0)
def test_lives_with_the_watchdog(board: Board, figures: Figures) -> None:
    """Nothing passes the filter: the board resets itself each time, and is configured again."""
    with host(board, DEAF) as us:
        us.wait("ready")
        times = []
        for _ in range(3):
            times.append(us.wait("rebooted").at)
            us.wait("ready")
        figures.measure("between reboots", times[2] - times[1], "s", low=1.5, high=TIMEOUT)
        assert us.counters.disconnects == 0, "the link was given up"


@needs("unplug")
def test_unplugged_and_plugged_in(board: Board, figures: Figures) -> None:
    """The port vanishes and comes back: opened, identified, configured as before."""
    with host(board) as us:
        us.wait("ready")
        for _ in range(2):
            board.rig.unplug()
            before = us.counters.opened
            time.sleep(0.2)  # how long it is away
            begin = time.monotonic()
            board.rig.replug()
            ready = us.wait("ready")
            figures.measure("plugged in to ready", ready.at - begin, "s", high=TIMEOUT)
            assert us.counters.opened > before


def test_finds_a_poisoned_buffer(board: Board) -> None:
    """Somebody left half a frame in the board's buffer: the host gets ready all the same."""
    with open_wire(board.rig) as wire:
        wire.send(bytes.fromhex("ca 07 0f 99"))
        wire.listen(0.1)
    with host(board) as us:
        us.wait("ready")


@needs("inject_faults")
def test_copes_with_a_bad_line(board: Board, figures: Figures) -> None:
    """Bytes lost, flipped and inserted in both directions: nothing hangs, every byte is
    accounted for, and on a good line it is ready again."""
    with host(board) as us:
        us.wait("ready")
        board.rig.set_faults(Faults(lost=0.003, flipped=0.003, inserted=0.003))
        time.sleep(3)  # how long the line is bad
        board.rig.set_faults(None)
        before = us.counters.session
        damaged = before.scanner.crc_errors + before.scanner.etx_errors
        figures.measure("frames damaged", damaged, low=1)
        figures.measure("commands repeated", before.lost_acks)
        if Ability.RESET in board.rig.abilities:
            board.rig.reset()
            us.wait("rebooted")
        else:
            board.rig.unplug()
            board.rig.replug()
        us.wait("ready")
        us.wait_for_reports(5)
        after = us.counters.session.scanner
        pending = after.bytes_received - after.bytes_in_frames - after.bytes_skipped
        figures.measure("bytes not accounted for", pending, low=0, high=260)
