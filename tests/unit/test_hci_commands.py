"""Commands byte by byte, and their names."""

import pytest

from ruuvi_host.hci import commands
from ruuvi_host.hci.commands import (
    HciCommand,
    Opcode,
    command_name,
    error_name,
    scan_enable,
    scan_parameters,
    set_le_event_mask,
    set_random_address,
)
from ruuvi_host.hci.plan import ScanKind, ScanPlan

LEGACY, EXTENDED = ScanKind.LEGACY, ScanKind.EXTENDED


@pytest.mark.parametrize(
    ("command", "packet"),
    [
        (commands.RESET, "01 03 0C 00"),
        (commands.READ_LOCAL_VERSION, "01 01 10 00"),
        (commands.READ_LOCAL_COMMANDS, "01 02 10 00"),
        (commands.READ_LOCAL_FEATURES, "01 03 20 00"),
        (commands.READ_BD_ADDR, "01 09 10 00"),
        (commands.READ_STATIC_ADDRESSES, "01 09 FC 00"),
        (commands.SET_EVENT_MASK, "01 01 0C 08 00 80 00 00 00 00 00 20"),
        (set_le_event_mask(extended=False), "01 01 20 08 02 00 00 00 00 00 00 00"),
        (set_le_event_mask(extended=True), "01 01 20 08 02 10 00 00 00 00 00 00"),
        (commands.WRITE_LE_HOST_SUPPORT, "01 6D 0C 02 01 00"),
        (set_random_address(bytes(range(6))), "01 05 20 06 00 01 02 03 04 C5"),
        # Passive, 100 ms of 100 ms, own address random, all.
        (scan_parameters(ScanPlan(LEGACY, True, False)), "01 0B 20 07 00 A0 00 A0 00 01 00"),
        (scan_parameters(ScanPlan(EXTENDED, True, False)), "01 41 20 08 01 00 01 00 A0 00 A0 00"),
        (scan_parameters(ScanPlan(EXTENDED, False, True)), "01 41 20 08 01 00 04 00 A0 00 A0 00"),
        (
            scan_parameters(ScanPlan(EXTENDED, True, True)),
            "01 41 20 0D 01 00 05 00 40 01 A0 00 00 40 01 A0 00",
        ),
        (scan_enable(LEGACY, on=True), "01 0C 20 02 01 00"),
        (scan_enable(LEGACY, on=False), "01 0C 20 02 00 00"),
        (scan_enable(EXTENDED, on=True), "01 42 20 06 01 00 00 00 00 00"),
        (scan_enable(EXTENDED, on=False), "01 42 20 06 00 00 00 00 00 00"),
    ],
)
def test_bytes(command: HciCommand, packet: str) -> None:
    assert command.packet() == bytes.fromhex(packet)


def test_every_command_has_a_name() -> None:
    assert command_name(Opcode.LE_SET_SCAN_ENABLE) == "LE Set Scan Enable (0x200C)"
    assert all("command" not in command_name(opcode) for opcode in Opcode)
    assert command_name(0xFC99) == "command 0xFC99"


def test_errors_have_names() -> None:
    assert error_name(0x0C) == "0x0C, command disallowed"
    assert error_name(0xEE) == "error 0xEE"
