"""`ruuvi-host doctor` looks through a bridge: at the controller, the adapter, and who has it."""

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bluetooth import StandIn
from programs import ruuvi_host

from hil.controller.adverts import Advert, Cycle
from hil.controller.habits import RASPBERRY_PI, Fault, Habits
from hil.controller.serving import ServedController, on_pty
from ruuvi_host.bridge.kernel import Adapter, Kernel
from ruuvi_host.bridge.names import read_name
from ruuvi_host.bridge.telling import BridgeStatus, ask
from ruuvi_host.doctor.bridges import adapter, of_bridge
from ruuvi_host.doctor.judgement import Level
from ruuvi_host.simulator.board import Board

ADDRESS = "DC:A6:32:01:02:03"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path)
    yield stand_in
    stand_in.close()


class Told(Kernel):
    """A kernel that says whether an adapter is switched on, which a folder cannot."""

    def __init__(self, kernel: StandIn, *, is_up: bool) -> None:
        self._kernel = kernel
        self._is_up = is_up
        self.open = kernel.open  # type: ignore[method-assign]
        self.holders = kernel.holders  # type: ignore[method-assign]

    def adapters(self) -> list[Adapter]:
        return [replace(adapter, is_up=self._is_up) for adapter in self._kernel.adapters()]


def findings(kernel: Kernel, text: str = "hci0", *, is_ours: bool = False) -> list[str]:
    return [str(finding) for finding in adapter(read_name(text), kernel, is_ours=is_ours)]


def test_a_free_adapter(kernel: StandIn) -> None:
    kernel.add(0, ADDRESS)
    kernel.hold(612, "bluetoothd")
    expected = (
        f"ok       adapter hci0: is there, and free ({ADDRESS}); HCI sockets are open in "
        "bluetoothd (process 612)"
    )
    assert findings(kernel) == findings(kernel, f"hci:{ADDRESS}") == [expected]


@pytest.mark.parametrize(
    ("switch", "told"),
    [
        ({"soft": "1"}, "is blocked by software; `sudo rfkill unblock bluetooth`"),
        ({"hard": "1", "soft": "1"}, "is blocked by a switch or key of this machine; turn it"),
    ],
)
def test_a_blocked_adapter(kernel: StandIn, switch: dict[str, str], told: str) -> None:
    kernel.add(0, **switch)
    assert findings(kernel) == [f"fault    adapter hci0: {told}"]


def test_an_adapter_that_somebody_has(kernel: StandIn) -> None:
    kernel.add(0, ADDRESS)
    [told] = findings(Told(kernel, is_up=True))
    assert told.startswith("fault    adapter hci0: is switched on, so a bridge cannot have it")
    assert "`bluetoothctl power off`" in told
    kernel.hold(41, "ruuvi-host")
    [told] = findings(Told(kernel, is_up=True), is_ours=True)
    assert told == (
        "ok       adapter hci0: a bridge has it; HCI sockets are open in ruuvi-host (process 41)"
    )


def test_an_adapter_that_is_not_there(kernel: StandIn) -> None:
    assert findings(kernel) == ["fault    adapter hci0: there is no such adapter; there is none"]
    kernel.add(3)
    [told] = findings(kernel)
    assert told.endswith("there is hci3")


def test_no_bluetooth(tmp_path: Path) -> None:
    [told] = findings(StandIn(tmp_path, no_socket=errno.EAFNOSUPPORT))
    assert told.startswith("fault    Bluetooth: ")
    assert "modprobe bluetooth" in told


def test_a_serial_port_has_no_adapter(kernel: StandIn) -> None:
    assert findings(kernel, "/dev/ttyACM0") == []


TOLD: dict[str, Any] = {
    "transport": "hci0",
    "pty": "/dev/pts/3",
    "link": "",
    "controller": "hci0: Bluetooth 5.0",
    "disappointments": ["no E1"],
    "reports": 9,
    "sent": 5,
    "rungs": [2, 0, 1, 0],
}


def test_what_a_bridge_tells_is_judged() -> None:
    told = BridgeStatus.from_document(TOLD, 7)
    assert told
    fine, less, helped = of_bridge(told)
    assert str(fine) == "ok       bridge hci0: process 7: Bluetooth 5.0; 5 of 9 reports handed on"
    assert str(less) == "warning  bridge hci0: no E1"
    assert "(rung 1: 2, rung 3: 1)" in str(helped)
    [lost] = of_bridge(replace(told, pty=""))
    assert lost.level is Level.FAULT


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        "text",
        TOLD | {"rungs": None},
        TOLD | {"sent": "many"},
        TOLD | {"pty": 3},
        TOLD | {"disappointments": [4]},
    ],
    ids=repr,
)
def test_who_answers_may_be_anybody(document: object) -> None:
    assert BridgeStatus.from_document(document, 7) is None
    harmful = TOLD | {"controller": "\x1b[2J" * 500, "disappointments": ["\n"] * 1000}
    told = BridgeStatus.from_document(harmful, 7)
    assert told
    assert len(told.disappointments) == 20
    assert all(finding.sentence.isprintable() for finding in of_bridge(told))


# -- the real programs ----------------------------------------------------------------------------


def doctor(state: Path, *options: str) -> dict[str, list[dict[str, Any]]]:
    """Topic → findings."""
    arguments = ("--state-dir", str(state), "--trust-clock", "--no-post", *options)
    with ruuvi_host("doctor", "--json", *arguments) as asked:
        asked.wait()
    assert asked.err == []
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in map(json.loads, asked.out):
        found.setdefault(finding["topic"], []).append(finding)
    return found


def a_pi(folder: Path) -> ServedController:
    habits = Habits(features=RASPBERRY_PI, address=b"\0" + os.urandom(5))
    board = Board(tags=2)
    events = [tag.advertise() for tag in board.tags]
    air = Cycle([Advert(event.address, event.data, event.rssi) for event in events], 50.0)
    return ServedController(habits, air, on_pty(str(folder / "controller")))


def test_a_port_with_a_bridge_behind_it(tmp_path: Path) -> None:
    link = str(tmp_path / "port")
    with (
        a_pi(tmp_path) as served,
        ruuvi_host("bridge", "--hci", served.path, "--link", link) as bridge,
    ):
        bridge.wait_for("^/dev/")
        topic = f"bridge {served.path}"
        told = doctor(tmp_path / "state", "--port", link)
        first, *warnings = told[topic]
        assert first["level"] == "ok"
        assert first["sentence"].startswith(f"process {bridge.pid}: Bluetooth 5.3 of company")
        assert any("E1" in warning["sentence"] for warning in warnings)
        assert told[f"coprocessor {link}, radio"][0]["level"] == "ok"

        served.fail(Fault.DIES)
        bridge.wait_for("the pty is taken away")
        told = doctor(tmp_path / "state", "--port", link)
        assert [finding["level"] for finding in told[topic]] == ["fault"]
        assert "has lost its controller" in told[topic][0]["sentence"]
        assert bridge.stop() == 0
    assert ask(bridge.pid) is None


def test_a_controller_with_and_without_a_bridge(tmp_path: Path) -> None:
    with a_pi(tmp_path) as served:
        topic = f"controller {served.path}"
        told = doctor(tmp_path / "state", "--hci", served.path)
        assert told[topic][0]["sentence"].startswith("Bluetooth 5.3 of company")
        assert {finding["level"] for finding in told[topic][1:]} == {"warning"}
        # How many in so short a time depends on what else the machine does.
        assert re.search("[12] of them Ruuvi's", told[f"{topic}, radio"][0]["sentence"])
        with ruuvi_host("bridge", "--hci", served.path) as bridge:
            bridge.wait_for("^/dev/")
            told = doctor(tmp_path / "state", "--hci", served.path)
            assert topic not in told, "it is not opened a second time"
            assert f"process {bridge.pid}" in told[f"bridge {served.path}"][0]["sentence"]


def test_a_controller_that_cannot_be_opened(tmp_path: Path) -> None:
    told = doctor(tmp_path / "state", "--hci", "/dev/nope")
    assert told["controller /dev/nope"][0]["level"] == "fault"
    assert told["controller /dev/nope"][0]["sentence"].startswith("there is no such port")
