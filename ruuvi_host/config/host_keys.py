"""The host's own settings: what a Linux machine needs besides a gateway's configuration.

They stand in ruuvi-host.toml. `a.b` is key b of table [a]; the keys of a coprocessor stand in
[[coprocessor]], once for each.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class HostKind(Enum):
    """What a value must be."""

    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text"
    PATH = "a path"
    TEXTS = "a list of texts"


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key."""

    name: str
    kind: HostKind
    default: Any
    meaning: str
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False


def _flag(name: str, default: bool, meaning: str) -> HostKey:
    return HostKey(name, HostKind.FLAG, default, meaning)


def _whole(name: str, default: int, meaning: str, lowest: int, highest: int) -> HostKey:
    return HostKey(name, HostKind.WHOLE, default, meaning, lowest, highest)


def _text(name: str, default: str, meaning: str, *, secret: bool = False) -> HostKey:
    return HostKey(name, HostKind.TEXT, default, meaning, secret=secret)


def _path(name: str, default: str, meaning: str) -> HostKey:
    return HostKey(name, HostKind.PATH, default, meaning)


def _choice(name: str, choices: tuple[str, ...], meaning: str) -> HostKey:
    return HostKey(name, HostKind.TEXT, choices[0], meaning, choices=choices)


HOST_KEYS: tuple[HostKey, ...] = (
    _choice(
        "profile",
        ("host", "gateway"),
        "`gateway` repeats the official gateway also where ours is better: the data of a failed "
        "post is lost, the next try comes after 67 s, and there are 100 sensors at most.",
    ),
    _path(
        "gateway_config",
        "",
        "The gateway's own configuration; by default gw_cfg.json beside this file, if it is there.",
    ),
    _path(
        "files",
        "",
        "Folder with certificates (`http_cli_cert` …) and extra parts (`http_headers` …); by "
        "default that of this file.",
    ),
    _path("state_dir", "", "Where undelivered data and the like are kept, for one instance each."),
    _flag(
        "trust_clock",
        False,
        "Take the system clock as right, though the kernel does not call it synchronised.",
    ),
    _flag(
        "signed_tx_power",
        False,
        "Print a negative `ble_tx_power` signed. The gateway prints it as an unsigned 32-bit "
        "number, and servers know it so.",
    ),
    _whole(
        "max_sensors", 100, "Sensors in the table; the least recently changed leaves.", 1, 100_000
    ),
    _text(
        "nrf_firmware",
        "",
        "Version of the coprocessor's firmware for statistics, as v2.0.0; by default what its "
        "behaviour tells.",
    ),
    _flag(
        "http.keep_alive",
        False,
        "Keep the connection to your own server for the next post. The gateway opens a new one "
        "each time.",
    ),
    _text(
        "http.proxy",
        "",
        "URL of an HTTP proxy for all servers, as http://user:password@proxy:3128. Those of the "
        "environment are ignored.",
        secret=True,
    ),
    _text("http.client_key_password", "", "Password of an encrypted `http_cli_key`.", secret=True),
    _text(
        "statistics.client_key_password",
        "",
        "Password of an encrypted `stat_cli_key`.",
        secret=True,
    ),
    _choice(
        "spool.sync",
        ("after_failure", "always"),
        "When a batch goes to disk: when its first attempt was not accepted, which spares SD "
        "cards; or ahead of it.",
    ),
    _whole(
        "spool.max_mib",
        256,
        "Bound of each server's spool; the oldest batch leaves. A week's outage with 100 sensors "
        "at 10 s takes less.",
        1,
        1 << 20,
    ),
    _whole("spool.max_age_days", 7, "Older batches leave; 30 is the oldest Ruuvi takes.", 1, 365),
    _whole(
        "watchdog.network_minutes",
        60,
        "So long without any answer of a server to a batch is an error in the log. The gateway "
        "restarts itself then.",
        1,
        10_080,
    ),
    _flag(
        "watchdog.exit",
        False,
        "Leave with a non-zero status then, for systemd to restart.",
    ),
    _choice("log.level", ("info", "debug", "warning", "error"), "What is logged on stderr."),
    _choice("log.format", ("text", "json"), "Lines for people, or JSON lines for programs."),
)

COPROCESSOR_KEYS: tuple[HostKey, ...] = (
    _text(
        "port",
        "",
        "Serial port: a device such as /dev/serial/by-id/…, usb:VID:PID[:SERIAL], a "
        "pseudo-terminal, socket://host:port or rfc2217://host:port.",
    ),
    _whole("baud", 115200, "Every board of the firmware uses 115200.", 1200, 4_000_000),
    _text(
        "reset",
        "",
        "What its reset line is wired to: dtr, rts (!dtr, !rts behind an inverter), or "
        "gpio:CHIP:LINE, as gpio:/dev/gpiochip0:17.",
    ),
    HostKey(
        "reset_command",
        HostKind.TEXTS,
        [],
        "Program and arguments that reset it, or switch its power off and on, in place of a line. "
        "Run without a shell.",
    ),
    HostKey(
        "heartbeat",
        HostKind.NUMBER,
        10.0,
        "Seconds without any answer until it is asked for a sign of life; 0: never.",
        0,
        3600,
    ),
    _choice("probe", ("device_id", "led"), "What it is asked then; led lights its LED meanwhile."),
    HostKey(
        "ack_timeout",
        HostKind.NUMBER,
        0.0,
        "Seconds to wait for an answer; 0: 0.25 on a local port, 1 over a network.",
        0,
        60,
    ),
    _flag("dtr", True, "Level of DTR while the port is open."),
    _flag("rts", True, "Level of RTS while the port is open."),
)

HOST_BY_NAME = {key.name: key for key in HOST_KEYS}
COPROCESSOR_BY_NAME = {key.name: key for key in COPROCESSOR_KEYS}
