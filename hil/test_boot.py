"""Boot: what the board says by itself, who it is, and when it starts anew."""

import time

import pytest

from firmware_protocol.messages import DeviceId, GetAll, GetDeviceId, SetAll, address_text

from .figures import Figures
from .identity import UNKNOWN
from .marks import needs, with_setup
from .plugin import Board
from .rig import Ability, Setup
from .wire import TIMEOUT, NoAnswerError, Wire

WATCHDOG = 1.5
NOBODY = 0x7A5B
"""Not a company that anybody is of."""
BOOT_BOUND = 0.5
"""Seconds in which the official host expects GET_ALL after the release of the reset."""


@needs("reset")
def test_reset_brings_get_all(board: Board, wire: Wire, figures: Figures) -> None:
    """A reset: GET_ALL comes by itself, once, and within the official host's time."""
    times = []
    for _ in range(3):
        wire.forget()
        begin = time.monotonic()
        board.rig.reset()
        times.append(wire.wait_for_boot().at - begin)
        wire.command(GetDeviceId())  # by now a second GET_ALL would have come
        boots = sum(isinstance(received.message, GetAll) for received in wire.received)
        assert boots == 1, f"{boots} times GET_ALL after one reset"
    bound = BOOT_BOUND if board.rig.reply_bound < BOOT_BOUND else TIMEOUT
    figures.latencies("GET_ALL after reset", times, bound)


@needs("answer")
def test_tells_who_it_is(board: Board, wire: Wire) -> None:
    """GET_DEVICE_ID is answered with the same id and address each time; the address is random
    static, as a coprocessor's is."""
    first, second = (wire.command(GetDeviceId()).message for _ in range(2))
    assert isinstance(first, DeviceId)
    assert isinstance(second, DeviceId)
    addresses = {board.identity.address, address_text(first.addr), address_text(second.addr)}
    assert len(addresses) == 1, f"each DEVICE_ID has another address: {', '.join(addresses)}"
    assert first.id == second.id, "each DEVICE_ID has another device id, which is the signing key"
    turned = ": is it from back to front?" if first.addr[-1] >> 6 == 3 else ""
    is_static = first.addr[0] >> 6 == 3 or Ability.STATIC not in board.rig.abilities
    assert is_static, f"{board.identity.address} is no random static address{turned}"


@needs("reset")
def test_handshake_after_boot(board: Board, wire: Wire, figures: Figures) -> None:
    """Identified before it is configured, and configured with one SET_ALL."""
    board.rig.reset()
    booted = wire.wait_for_boot()
    wire.command(GetDeviceId())
    wire.command(SetAll(max_adv_len=0))
    seconds = time.monotonic() - booted.at
    figures.measure("GET_ALL to configured", 1000 * seconds, "ms", high=1000 * TIMEOUT)


@needs("reset", "generate")
def test_silent_until_configured(board: Board, wire: Wire) -> None:
    """Freshly booted it reports nothing; after SET_ALL it does."""
    board.rig.reset()
    wire.wait_for_boot()
    wire.listen(1.0)
    assert wire.reports() == [], "reports before SET_ALL"
    wire.command(SetAll(max_adv_len=0))
    wire.wait_for_report()


@needs("reset")
def test_reset_forgets_the_settings(board: Board, wire: Wire) -> None:
    """After a reboot it waits to be configured again: nothing is reported until then."""
    wire.command(SetAll(max_adv_len=0))
    board.rig.reset()
    wire.wait_for_boot()
    wire.forget()
    wire.listen(1.0)
    assert wire.reports() == []


@needs("setup", "generate")
@with_setup(watchdog=WATCHDOG)
def test_watchdog_without_reports(board: Board, wire: Wire, figures: Figures) -> None:
    """Configured and hearing nothing it resets itself, again and again, and asks each time.

    The watchdog is shortened by a build flag; on a real board it takes 42 s (20 s).
    """
    del board
    silence = SetAll(fltr_id=0x8000, fltr_tags=False, max_adv_len=0)
    wire.command(silence)
    begin = time.monotonic()
    boots = []
    for _ in range(2):
        boots.append(wire.wait_for_boot(10 * WATCHDOG).at)
        wire.command(silence)
    figures.measure("watchdog", boots[0] - begin, "s", low=0.8 * WATCHDOG, high=10 * WATCHDOG)
    figures.measure("and again", boots[1] - boots[0], "s", low=0.8 * WATCHDOG, high=10 * WATCHDOG)


@needs("answer", "official_receiver")
def test_watchdog_of_a_board(board: Board, wire: Wire, figures: Figures) -> None:
    """The same on a board that is as it is, in its own time: 42 s, or 20 s for firmware 1.0.0."""
    if Ability.SETUP in board.rig.abilities:
        pytest.skip(f"rig {board.rig.name} can shorten it, which other tests do")
    if board.identity.generation == UNKNOWN:
        pytest.skip("this board does not tell its generation, so nobody knows how long it takes")
    expected = Setup(board.identity.generation).watchdog_seconds
    wire.command(SetAll(fltr_id=NOBODY, max_adv_len=0))
    begin = time.monotonic()
    try:
        boot = wire.wait_for_boot(expected + TIMEOUT)
    except NoAnswerError as error:
        raise NoAnswerError(
            f"nothing was reported, and {error}: it has not reset itself, or it says no GET_ALL "
            "when it boots"
        ) from None
    figures.measure("watchdog", boot.at - begin, "s", low=expected - 2, high=expected + 5)


@needs("setup", "generate")
@with_setup(watchdog=WATCHDOG)
def test_reports_feed_the_watchdog(wire: Wire) -> None:
    """As long as there is something to report it does not reset itself."""
    wire.command(SetAll(fltr_id=0x8200 | 31, fltr_tags=False, max_adv_len=0))
    wire.listen(2 * WATCHDOG)
    assert not any(isinstance(received.message, GetAll) for received in wire.received)
    assert wire.reports()


@needs("setup", "generate")
@with_setup(watchdog=WATCHDOG)
def test_commands_do_not_feed_the_watchdog(board: Board, wire: Wire) -> None:
    """GET_DEVICE_ID keeps firmware 1.0.0 alive, but not 2.0.0."""
    wire.command(SetAll(fltr_id=0x8000, fltr_tags=False, max_adv_len=0))
    end = time.monotonic() + 2 * WATCHDOG
    while time.monotonic() < end:
        wire.send(GetDeviceId().to_frame())
        wire.listen(0.2)
    rebooted = any(isinstance(received.message, GetAll) for received in wire.received)
    assert rebooted is not board.is_v1
