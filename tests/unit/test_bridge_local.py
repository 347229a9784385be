"""What a machine adds to a bridge's identity."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ruuvi_host.bridge.local import AddressLock, identify, machine_id
from ruuvi_host.bridge.names import AdapterName
from ruuvi_host.bridge.settings import BridgeSettings
from ruuvi_host.errors import ConfigError, RuuviHostError
from ruuvi_host.hci.facts import ControllerFacts

ADDRESS = bytes.fromhex("c00000000001")
OTHER = bytes.fromhex("c00000000002")


def test_machine_id(tmp_path: Path) -> None:
    first, second = tmp_path / "machine-id", tmp_path / "other"
    names = (str(first), str(second))
    for unusable in (None, "", "uninitialized\n", "0123"):
        if unusable is not None:
            first.write_text(unusable)
        assert machine_id(names) == b""
    second.write_text("0123456789abcdef0123456789abcdef\n")
    assert machine_id(names) == b"0123456789abcdef0123456789abcdef"


def test_without_one_what_would_be_made_of_it_must_be_given() -> None:
    settings = BridgeSettings(AdapterName("hci0", 0))
    public, nameless = ControllerFacts(public_address=ADDRESS), ControllerFacts()
    for facts in (public, nameless):
        with pytest.raises(ConfigError, match=r"--device-id: this machine has no /etc/machine-id"):
            identify(settings, facts, b"")
    settings = replace(settings, device_id=bytes(8))
    assert identify(settings, public, b"").device.addr == ADDRESS
    with pytest.raises(ConfigError, match=r"and --address yourself"):
        identify(settings, nameless, b"")
    settings = replace(settings, address=OTHER)
    assert identify(settings, nameless, b"").device.addr == OTHER


HOLD = """
import sys
from ruuvi_host.bridge.local import AddressLock
lock = AddressLock()
lock.take(bytes.fromhex("c00000000001"))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_address_is_one_bridge_of_this_machine() -> None:
    lock = AddressLock()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RuuviHostError, match=r"another bridge .* is C0:00:00:00:00:01") as told:
            lock.take(ADDRESS)
        assert "--address" in str(told.value)
        lock.take(OTHER)
        other.kill()
    lock.take(ADDRESS)  # who was killed holds nothing
    lock.take(ADDRESS)
    another = AddressLock()
    another.take(OTHER)
    for held in (lock, another):
        held.release()
    another.take(ADDRESS)
    another.release()
