"""The bridge on a controller that others have written: bumble's, on its virtual radio link."""

from random import Random

from bumble_world import SCANNER, BumbleWorld
from programs import OnLine

from firmware_protocol.messages import AdvRprt2, DeviceId, GetDeviceId, SetAll, address_text
from hil.identity import clear
from hil.wire import Wire
from ruuvi_host.formats import decode
from ruuvi_host.simulator.kinds import KINDS
from ruuvi_host.simulator.tags import Tag

FORMATS = ("3", "5", "6", "c5", "e1")


def report_of(address: bytes, wire: Wire) -> AdvRprt2:
    """The next one."""
    found = wire.wait(
        lambda m: isinstance(m, AdvRprt2) and m.address == address,
        f"report of {address_text(address)}",
    ).message
    assert isinstance(found, AdvRprt2)
    wire.forget()
    return found


def test_every_format_from_a_foreign_radio() -> None:
    """Each is heard with its own address and decoded; the scan responses that bumble adds are
    dropped, and all of it adds up."""
    events = {name: Tag(Random(name), kind=KINDS[name]).advertise() for name in FORMATS}
    tags = [(address_text(e.address), e.data, not e.is_legacy) for e in events.values()]
    with BumbleWorld(tags) as world, OnLine("bridge", "--hci", world.transport) as bridge:
        with Wire(bridge.port) as wire:
            clear(wire)
            device = wire.command(GetDeviceId()).message
            assert isinstance(device, DeviceId)
            assert address_text(device.addr) == SCANNER
            wire.command(SetAll(max_adv_len=0))
            for event in events.values():
                found = report_of(event.address, wire)
                assert (found.data, found.rssi, found.channel) == (event.data, -50, 255)
                decode(found.data)
        assert bridge.stop() == 0
        told = bridge.wait_for(r"HCI reports (\d+): sent (\d+), joined 0, dropped (\d+)")
        reports, sent, dropped = map(int, told.groups())
        assert reports == sent + dropped
        bridge.wait_for(r"scan responses \d+.*unanswered 0.*rungs 0 0 0 0; bytes skipped 0")
