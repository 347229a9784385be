"""A controller as far as scanning goes: it keeps the rules that real ones keep. Pure.

What makes it fail is set as an attribute, at any time.
"""

from dataclasses import dataclass, field

from hci_events import complete, h4, status

DISALLOWED, INVALID, UNKNOWN = 0x0C, 0x12, 0x01

LENGTHS = {
    0x0C01: 8,
    0x0C03: 0,
    0x0C6D: 2,
    0x1001: 0,
    0x1002: 0,
    0x1009: 0,
    0x2001: 8,
    0x2003: 0,
    0x2005: 6,
    0x200B: 7,
    0x200C: 2,
    0x2042: 6,
    0xFC09: 0,
}
LEGACY = (0x200B, 0x200C)
EXTENDED = (0x2041, 0x2042)


@dataclass
class ControllerModel:
    """One controller. Commands go in, what it sends comes out."""

    features: int = 1 << 8 | 1 << 11 | 1 << 12
    company: int = 0x05F1
    version: int = 12
    address: bytes = bytes(6)
    """BD_ADDR, most significant byte first."""
    static: bytes = bytes.fromhex("C60504030201")
    has_extended_commands: bool = True
    refusals: dict[int, int] = field(default_factory=dict)
    """Opcode → status, whatever the command says."""
    by_status: set[int] = field(default_factory=set)
    """Opcodes whose refusal comes as Command Status."""
    deaf_to: set[int] = field(default_factory=set)
    """Opcodes that are not answered."""
    deaf: bool = False
    commands: list[tuple[int, bytes]] = field(default_factory=list)
    """Everything that was understood."""
    zeros: int = 0
    """Bytes skipped."""
    scanning: bool = False
    _rest: bytes = b""
    _kind: tuple[int, int] | None = None
    _parameters: bytes = b""
    _meta: bool = False
    _reports: int = 0
    _random: bytes | None = None

    def receive(self, data: bytes) -> bytes:
        """Bytes from the host; what is answered at once."""
        self._rest += data
        output = b""
        while self._rest:
            if self._rest[0] != 1:
                self._rest = self._rest[1:]
                self.zeros += 1
            elif len(self._rest) < 4 or len(self._rest) < 4 + self._rest[3]:
                break
            else:
                length = self._rest[3]
                opcode = int.from_bytes(self._rest[1:3], "little")
                parameters = self._rest[4 : 4 + length]
                self._rest = self._rest[4 + length :]
                output += self._command(opcode, parameters)
        return output

    def hears(self, event: bytes) -> bytes:
        """An event with reports, if it is scanning and they are wanted."""
        if not self.scanning or not self._meta:
            return b""
        bit = 1 if event[2] == 0x02 else 12
        return h4(event) if self._reports >> bit & 1 else b""

    def names(self) -> list[int]:
        """The opcodes so far, in order."""
        return [opcode for opcode, _ in self.commands]

    def _command(self, opcode: int, parameters: bytes) -> bytes:
        self.commands.append((opcode, parameters))
        if self.deaf or opcode in self.deaf_to:
            return b""
        refusal = self.refusals.get(opcode)
        code, returned = (refusal, b"") if refusal else self._do(opcode, parameters)
        if code and opcode in self.by_status:
            return h4(status(opcode, code))
        return h4(complete(opcode, code, b"" if code else returned))

    def _do(self, opcode: int, parameters: bytes) -> tuple[int, bytes]:
        if opcode in EXTENDED and not self.has_extended_commands:
            return UNKNOWN, b""
        if opcode == 0x2041:
            phys = bin(parameters[2] & 5).count("1")
            if len(parameters) != 3 + 5 * phys:
                return INVALID, b""
        elif opcode not in LENGTHS:
            return UNKNOWN, b""
        elif len(parameters) != LENGTHS[opcode]:
            return INVALID, b""
        for kind in (LEGACY, EXTENDED):
            if opcode in kind:
                return self._scan(kind, opcode, parameters), b""
        return self._set_up(opcode, parameters)

    def _set_up(self, opcode: int, parameters: bytes) -> tuple[int, bytes]:
        match opcode:
            case 0x0C03:
                self.scanning = self._meta = False
                self._kind, self._random, self._parameters, self._reports = None, None, b"", 0x1F
            case 0x0C01:
                self._meta = bool(int.from_bytes(parameters, "little") >> 61 & 1)
            case 0x2001:
                self._reports = int.from_bytes(parameters, "little")
            case 0x2005:
                if self.scanning:
                    return DISALLOWED, b""
                self._random = parameters
            case 0x1001:
                company = self.company.to_bytes(2, "little")
                return 0, bytes((self.version, 0, 0, self.version)) + company + bytes(2)
            case 0x1002:
                commands = bytearray(64)
                commands[26] = 0x0C
                commands[37] = 0x60 if self.has_extended_commands else 0
                commands[24] = 0x40
                return 0, bytes(commands)
            case 0x2003:
                return 0, self.features.to_bytes(8, "little")
            case 0x1009:
                return 0, self.address[::-1]
            case 0xFC09:
                return 0, b"\x01" + self.static[::-1] + bytes(16)
        return 0, b""

    def _scan(self, kind: tuple[int, int], opcode: int, parameters: bytes) -> int:
        if self._kind not in (None, kind):
            return DISALLOWED  # the other kind since the last reset
        self._kind = kind
        if opcode == kind[0]:
            if self.scanning:
                return DISALLOWED
            self._parameters = parameters
            return 0
        if parameters[0]:
            own = self._parameters[5 if kind is LEGACY else 0] if self._parameters else 0
            has = self._random if own == 1 else self.address.strip(b"\0")
            if not self._parameters or not has:
                return INVALID
        self.scanning = bool(parameters[0])
        return 0
