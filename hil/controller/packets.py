"""The scripted controller's side of H4: commands out of bytes; and what it says unasked."""

HEADERS = {0x01: 4, 0x02: 5, 0x05: 5}
"""Type: bytes of the packet before its data; command, ACL, ISO. Other bytes are skipped alone."""

CHATTER = (
    bytes.fromhex("04 FF 03 01 02 03"),  # a vendor's own event
    bytes.fromhex("02 40 00 04 00 01 02 03 04"),  # ACL data
    bytes.fromhex("04 13 05 01 40 00 01 00"),  # Number Of Completed Packets
    bytes.fromhex("03 40 00 03 01 02 03"),  # SCO data
    bytes.fromhex("05 40 40 02 00 01 02"),  # ISO data, with a flag in its length
    bytes.fromhex("04 3E 01 7F"),  # a subevent of a later Core
    bytes.fromhex("04 1A 00"),  # an event without parameters
)
NOISE = bytes(0x06 + i * 89 % 0xF8 for i in range(400))
"""None of them is a type of H4."""
_SAID = b"\xaasubsys/bluetooth/controller/ll_sw/ull.c\x00" + (2049).to_bytes(4, "little")
LAST_WORDS = bytes((0x04, 0xFF, len(_SAID))) + _SAID
"""What Zephyr's hci_uart says when its controller has asserted: file and line."""


def take_commands(received: bytearray) -> list[tuple[int, bytes]]:
    """Opcode and parameters of each whole command; what is left is the beginning of the next."""
    commands: list[tuple[int, bytes]] = []
    while received:
        header = HEADERS.get(received[0])
        if header is None:
            del received[0]
            continue
        if len(received) < header:
            break
        if received[0] == 0x01:
            size = header + received[3]
        else:
            size = header + (int.from_bytes(received[3:5], "little") & 0x3FFF)
        if len(received) < size:
            break
        if received[0] == 0x01:
            opcode = int.from_bytes(received[1:3], "little")
            commands.append((opcode, bytes(received[4:size])))
        del received[:size]
    return commands
