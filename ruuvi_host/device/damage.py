"""What damages the bytes of a line, in words for people, and what to do about it."""

from firmware_protocol.damage import Damage
from firmware_protocol.damage_causes import DamageCause
from ruuvi_host.config.coprocessor import BAUD
from ruuvi_host.device.port import LineErrors
from ruuvi_host.monitoring.link_status import LineDamage

_TELNET = (
    "the other end speaks telnet: it doubles each 0xFF, and puts commands in between",
    "make it a raw port (ser2net: `accepter: tcp,PORT` without telnet), or open it as rfc2217://",
)
_WORDS: dict[DamageCause, tuple[str, str]] = {
    DamageCause.UNKNOWN: (
        "noise, or bytes are missing",
        "see whether another program has the port open (`ruuvi-host doctor` looks for it); then "
        "look at the cable, the common ground, and the adapter",
    ),
    DamageCause.FOREIGN: (
        "not one frame of a coprocessor is in it",
        f"see whether this is its port, and whether the speed is right (`baud`, usually {BAUD}) at "
        "both ends, that of a bridge included",
    ),
    DamageCause.TELNET: _TELNET,
    DamageCause.JLINK: (
        'the J-Link of the board puts "USBS" and zeros in place of parts: its USB disk disturbs '
        "its serial port",
        "switch the disk off: type `msddisable` in JLinkExe, then switch the board off and on",
    ),
    DamageCause.LINE_ENDS: (
        "something in between changes the line ends (CR, LF)",
        "switch that off where the port is served: it must be raw, with no translation of CR or LF "
        "(socat: `rawer`; stty: `raw`)",
    ),
    DamageCause.FLOW_CONTROL: (
        "0x11 and 0x13 are missing: something in between takes them for XON and XOFF",
        "switch software flow control (XON/XOFF) off where the port is served",
    ),
    DamageCause.SEVEN_BITS: (
        "the highest bit of each byte is missing",
        "set the line to eight bits without parity (8N1) where the port is served",
    ),
    DamageCause.AS_TEXT: (
        "something in between takes the bytes for text",
        "let the bridge pass bytes as they are (raw, binary; no UTF-8, no hexadecimal)",
    ),
    DamageCause.NEW_FRAMES: (
        "they are intact frames of a kind that this version does not know",
        "see whether the firmware is newer than ruuvi-host, and update ruuvi-host",
    ),
    DamageCause.CONSOLE: (
        "it is the log or the login of a Linux machine",
        "see whether this is the port of the coprocessor; if it is, switch the console on it off "
        "(Raspberry Pi: raspi-config, Interface Options, Serial Port; else "
        "`systemctl disable --now serial-getty@…`, and `console=` in the kernel's command line)",
    ),
    DamageCause.BOOT_LOADER: (
        "it is the text of a boot loader or of another firmware",
        "see whether this is the port of the coprocessor, and whether it runs Ruuvi's firmware",
    ),
    DamageCause.TEXT: (
        "it is text",
        "see whether this is the port of the coprocessor, and what else writes to it",
    ),
}
_SPEED = (
    "bytes have wrong stop bits: the speed is wrong, or the wires are bad",
    f"set both ends to the same speed (`baud`, usually {BAUD}); then look at cable and ground",
)
_OVERRUN = (
    "this machine or its adapter lost bytes, because they were not fetched in time",
    "use an adapter with a larger buffer, or relieve this machine",
)
_GUESSES = frozenset({DamageCause.UNKNOWN, DamageCause.FOREIGN})


def explain(damage: Damage | None, errors: LineErrors | None = None) -> LineDamage | None:
    """errors: what the driver of the port has counted."""
    if damage is None:
        return None
    cause, (sentence, remedy) = damage.cause.value, _WORDS[damage.cause]
    if damage.cause in _GUESSES and errors and errors.framing:
        cause, (sentence, remedy) = "speed", _SPEED
    elif damage.cause is DamageCause.UNKNOWN and errors and errors.overruns:
        cause, (sentence, remedy) = "overruns", _OVERRUN
    return LineDamage(
        received=damage.received,
        skipped=damage.skipped,
        reads=damage.reads,
        seconds=round(damage.seconds, 1),
        at=damage.at,
        lasts=damage.lasts,
        cause=cause,
        is_guess=cause in {guess.value for guess in _GUESSES},
        sentence=f"{_share(damage)} damaged: {sentence}" if damage.skipped else sentence,
        remedy=remedy,
    )


def _share(damage: Damage) -> str:
    percent = 100 * damage.share
    told = f"{percent:.0f}" if percent >= 10 else f"{max(percent, 0.01):.2g}"
    return f"{told} % of the bytes received ({damage.skipped} of {damage.received}) are"
