"""Faults of a controller, end to end: a real bridge on a real pty, and a host that goes on after.

What takes minutes is in tests/unit/test_hci_scripted.py, under a clock that jumps.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import OnLine

from firmware_protocol.messages import SetAll
from hil.controller.__main__ import ODD, tags
from hil.controller.adverts import Cycle
from hil.controller.habits import Fault, Habits
from hil.controller.serving import ServedController, on_pty
from hil.identity import clear
from hil.wire import Wire

ALL = SetAll(max_adv_len=0)


@contextmanager
def bridged(
    folder: Path, habits: Habits | None = None
) -> Iterator[tuple[ServedController, OnLine]]:
    """A controller among tags, and a bridge on it whose address no other has."""
    air = Cycle(tags(5, is_extended=False), 50)
    address = "C2:" + os.urandom(5).hex(":").upper()
    with (
        ServedController(habits, air, on_pty(str(folder / "controller"))) as controller,
        OnLine("bridge", "--hci", controller.path, "--address", address) as bridge,
    ):
        yield controller, bridge


def hears(port: str) -> None:
    """A host that opens it configures it, and is told of the tags."""
    with Wire(port) as wire:
        clear(wire)
        wire.command(ALL)
        wire.forget()
        wire.wait_for_report()


def test_every_odd_habit_at_once(tmp_path: Path) -> None:
    with bridged(tmp_path, ODD) as (controller, bridge):
        hears(bridge.port)
        assert bridge.stop() == 0
        bridge.wait_for("unanswered 0, refused 0; rungs 0 0 0 0; bytes skipped 0")
        # HCI_Reset may be sent at any time, and here it comes behind half a command of others.
        assert controller.seen.counts["early"] <= 1, "no command before it was asked for one"


def test_noise(tmp_path: Path) -> None:
    """400 bytes that begin no packet: opened anew, and heard as before."""
    with bridged(tmp_path) as (controller, bridge):
        hears(bridge.port)
        controller.fail(Fault.NOISE)
        bridge.wait_for("rung 3, .*H4 desynchronized")
        controller.wait_for_command(0x0C03, 2)
        bridge.wait_for("booted", 2)
        hears(bridge.port)


@pytest.mark.parametrize("fault", [Fault.DEAF, Fault.DIES])
def test_the_port_is_gone_while_it_is_dead(fault: Fault, tmp_path: Path) -> None:
    """As if the cable had been pulled; and back under its name when the controller is."""
    with bridged(tmp_path) as (controller, bridge):
        with Wire(bridge.port) as wire:
            clear(wire)
            wire.command(ALL)
            wire.forget()
            wire.wait_for_report()
            controller.fail(fault)
            wire.send(ALL.to_frame())  # a deaf one is found out when it is told something
            wire.lost(40)
        controller.heal()
        bridge.wait_for("booted", 2)
        hears(bridge.port)


def test_a_wrong_order_is_refused_and_found_out(tmp_path: Path) -> None:
    """A controller loses its power for a moment: it has forgotten its address, and refuses."""
    with bridged(tmp_path) as (controller, bridge):
        hears(bridge.port)
        controller.do(controller.controller.heal)
        with Wire(bridge.port) as wire:
            clear(wire)
            wire.command(ALL)
            wire.wait_for_boot()
        bridge.wait_for("refused")
        hears(bridge.port)
        assert controller.seen.opcodes().count(0x0C03) == 2
