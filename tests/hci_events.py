"""HCI events for tests, byte by byte as the Core specification lays them out.

Nothing here is ours: it is what ours is judged by.
"""

ADDRESS = bytes.fromhex("CBB8334C884F")
"""As people write it, most significant byte first."""
FORMAT_5 = bytes.fromhex("0201061BFF99040514644725C44100340000041CA936110158C6A5B9E0AD06")
OTHER_COMPANY = bytes.fromhex("0201060BFF4C001007721F1A2B3C4D")
COMPLETE, MORE, TRUNCATED = 0, 1, 2
"""Data status of an extended report."""


def signed(value: int) -> bytes:
    return value.to_bytes(1, "little", signed=True)


def legacy_report(
    data: bytes = FORMAT_5,
    *,
    kind: int = 0,
    address_type: int = 1,
    address: bytes = ADDRESS,
    rssi: int = -67,
) -> bytes:
    """One report of event 0x3E, subevent 0x02."""
    head = bytes((kind, address_type)) + address[::-1]
    return head + bytes((len(data),)) + data + signed(rssi)


def extended_report(
    data: bytes = FORMAT_5,
    *,
    bits: int = 0,
    status: int = COMPLETE,
    address_type: int = 1,
    address: bytes = ADDRESS,
    primary: int = 1,
    secondary: int = 2,
    sid: int = 1,
    tx_power: int = 127,
    rssi: int = -67,
) -> bytes:
    """One report of event 0x3E, subevent 0x0D. `bits`: 0..4 of the event type."""
    kind = (bits | status << 5).to_bytes(2, "little")
    phys = bytes((primary, secondary, sid))
    periodic_and_direct = bytes(2) + bytes(1) + bytes(6)
    head = kind + bytes((address_type,)) + address[::-1] + phys + signed(tx_power) + signed(rssi)
    return head + periodic_and_direct + bytes((len(data),)) + data


def event(code: int, parameters: bytes) -> bytes:
    """An event as it stands behind the H4 type."""
    return bytes((code, len(parameters))) + parameters


def legacy_event(*reports: bytes) -> bytes:
    return event(0x3E, bytes((0x02, len(reports))) + b"".join(reports))


def extended_event(*reports: bytes) -> bytes:
    return event(0x3E, bytes((0x0D, len(reports))) + b"".join(reports))


def complete(opcode: int, status: int = 0, returned: bytes = b"") -> bytes:
    """Command Complete."""
    return event(0x0E, b"\x01" + opcode.to_bytes(2, "little") + bytes((status,)) + returned)


def status(opcode: int, status: int) -> bytes:
    """Command Status."""
    return event(0x0F, bytes((status, 1)) + opcode.to_bytes(2, "little"))


def h4(*events: bytes) -> bytes:
    """As they stand in the stream."""
    return b"".join(b"\x04" + each for each in events)
