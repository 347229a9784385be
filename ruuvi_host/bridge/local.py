"""What this machine adds to the identity of a bridge: its own, and that no other bridge has it."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.messages import address_text
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.errors import ConfigError, RuuviHostError
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.identity import Identity, identity

MACHINE_ID = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def machine_id(files: tuple[str, ...] = MACHINE_ID) -> bytes:
    """The secret number that this installation has had since its first boot; empty: it has none."""
    for name in files:
        with suppress(OSError):
            text = Path(name).read_bytes().strip()
            if len(text) == 32 and all(c in b"0123456789abcdefABCDEF" for c in text):
                return text
    return b""


def identify(settings: BridgeSettings, facts: ControllerFacts, number: bytes) -> Identity:
    """Who a bridge on this controller is. number: of `machine_id`. Raises ConfigError."""
    try:
        return identity(
            facts,
            number,
            settings.name.text,
            address=settings.address,
            device_id=settings.device_id,
        )
    except LocalProtocolError as error:
        raise ConfigError(
            "--device-id",
            f"this machine has no {MACHINE_ID[0]}, from which it would be made. Make one (`sudo "
            "systemd-machine-id-setup`; in a container, mount the machine's), or give --device-id "
            "and --address yourself",
        ) from error


class AddressLock:
    """No two bridges of one machine are the same gateway.

    The lock is a name that the kernel keeps for as long as the process lives; no file is left
    behind. Containers with a network of their own do not see it.
    """

    def __init__(self) -> None:
        self._address = b""
        self._held: socket.socket | None = None

    def take(self, address: bytes) -> None:
        """Be this one, and no longer the one before. Raises RuuviHostError when another is it."""
        if address == self._address:
            return
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            held.bind(f"\0ruuvi-host bridge {address.hex()}")
        except OSError as error:
            held.close()
            if error.errno != errno.EADDRINUSE:
                raise RuuviHostError(
                    f"no name for a lock: {os.strerror(error.errno or 0)}"
                ) from error
            raise RuuviHostError(
                f"another bridge on this machine is {address_text(address)} already. Two sticks of "
                "one make may have one address: give one of the bridges its own with --address"
            ) from error
        self.release()
        self._address, self._held = address, held

    def release(self) -> None:
        """Another bridge may have it."""
        if self._held:
            self._held.close()
            self._address, self._held = b"", None
