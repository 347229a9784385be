"""USB dongles come and go, on a fake bus: the real program keeps to the one that it was given."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from programs import Program, ruuvi_host
from usb_bus import NEEDS, WRAPPER, Bus

from ruuvi_host.simulator.board import Board


def test_umockdev_is_there() -> None:
    if not WRAPPER and os.environ.get("CI") == "true":
        pytest.fail(f"there is no {NEEDS}")


@pytest.fixture
def bus() -> Iterator[Bus]:
    if not WRAPPER:
        pytest.skip(f"needs {NEEDS}")
    with Bus() as bus:
        yield bus


def listen(bus: Bus, port: str) -> Program:
    return ruuvi_host("listen", "--port", port, "--json", env=bus.env)


def tags_of(seed: int) -> set[str]:
    """Who is in the air around the board with this seed."""
    board = Board(tags=5, rate=50, seed=seed)
    return {tag.address.hex(":").upper() for tag in board.tags}


def heard_since(host: Program, line: int, seed: int) -> None:
    """It goes on hearing the board of this seed, and since that line of its output no other one."""
    count = len(host.out)
    host.wait_for("^{", count + 5)
    addresses = {json.loads(text)["address"] for text in host.out[line:]}
    assert addresses
    assert addresses <= tags_of(seed)


def listed(bus: Bus) -> list[list[str | None]]:
    """What pyserial tells of the ports on USB: path, serial number, socket."""
    code = (
        "import json; from serial.tools.list_ports import comports; "
        "print(json.dumps([[p.device, p.serial_number, p.location] for p in comports() if p.vid]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | bus.env,
    )
    found: list[list[str | None]] = json.loads(ran.stdout)
    return sorted(found, key=str)


def test_the_bus_looks_like_one(bus: Bus) -> None:
    """To somebody else's eyes."""
    assert listed(bus) == []
    bus.plug("one", tty="ttyACM0", socket="1-1", serial="AAAA")
    bus.plug("other", tty="ttyACM1", socket="1-4.2")
    assert listed(bus) == [
        ["/dev/ttyACM0", "AAAA", "1-1"],
        ["/dev/ttyACM1", None, "1-4.2"],
    ]
    links = sorted(link.name for link in (bus.root / "dev/serial").glob("*/*"))
    assert links == [
        "pci-0000:00:14.0-usb-0:1:1.0",
        "pci-0000:00:14.0-usb-0:4.2:1.0",
        "usb-Ruuvi_dongle-if00",
        "usb-Ruuvi_dongle_AAAA-if00",
    ]
    bus.unplug("one")
    assert listed(bus) == [["/dev/ttyACM1", None, "1-4.2"]]
    assert not (bus.root / "dev/ttyACM0").is_symlink()
    bus.unplug("other")
    assert listed(bus) == []
    assert not (bus.root / "dev/serial").exists()


@pytest.mark.parametrize(
    "port",
    [
        "/dev/ttyACM0",
        "/dev/serial/by-id/usb-Ruuvi_dongle_AAAA-if00",
        "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0",
        "usb:1915:520f",
        "usb:1915:520F:AAAA",
    ],
)
def test_it_vanishes_and_comes_back_as_another_tty(bus: Bus, port: str) -> None:
    bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="AAAA", seed=1)
    with listen(bus, port) as host:
        heard_since(host, 0, seed=1)
        bus.unplug("dongle")
        host.wait_for("WARNING: .*lost: unplugged")
        before = len(host.out)
        bus.plug("dongle", tty="ttyACM3", socket="1-1", serial="AAAA", seed=1)
        heard_since(host, before, seed=1)
        assert host.stop() == 0


def test_another_one_takes_its_tty(bus: Bus) -> None:
    """What was ttyACM0 is ttyACM1 now, and ttyACM0 is somebody else's."""
    bus.plug("ours", tty="ttyACM0", socket="1-1", serial="AAAA", seed=1)
    with listen(bus, "/dev/ttyACM0") as host:
        heard_since(host, 0, seed=1)
        bus.unplug("ours")
        host.wait_for("WARNING: .*lost")
        before = len(host.out)
        bus.plug("theirs", tty="ttyACM0", socket="1-2", serial="BBBB", seed=2)
        bus.plug("ours", tty="ttyACM1", socket="1-3", serial="AAAA", seed=1)
        heard_since(host, before, seed=1)
        host.wait_for("/dev/ttyACM1")
        assert host.stop() == 0


def test_a_link_that_leads_nowhere(bus: Bus) -> None:
    """The tty has gone and udev's link has not: that is no port, and it is one again later."""
    by_id = "/dev/serial/by-id/usb-Ruuvi_dongle_AAAA-if00"
    bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="AAAA", seed=1)
    with listen(bus, by_id) as host:
        heard_since(host, 0, seed=1)
        bus.unplug("dongle", leave_links=True)
        assert (bus.root / by_id[1:]).is_symlink()
        host.wait_for("WARNING: .*lost")
        with listen(bus, by_id) as second:
            assert second.wait() == 3
        assert by_id in second.err[-1]
        assert not any("Traceback" in line for line in second.err)
        before = len(host.out)
        bus.plug("dongle", tty="ttyACM1", socket="1-1", serial="AAAA", seed=1)
        heard_since(host, before, seed=1)
        assert host.stop() == 0


def test_two_without_serial_numbers_are_told_by_their_sockets(bus: Bus) -> None:
    sockets = {"left": "1-1", "right": "1-2"}
    seeds = {"left": 1, "right": 2}
    for name, tty in (("left", "ttyACM0"), ("right", "ttyACM1")):
        bus.plug(name, tty=tty, socket=sockets[name], seed=seeds[name])
    with listen(bus, "/dev/ttyACM0") as left, listen(bus, "/dev/ttyACM1") as right:
        heard_since(left, 0, seed=1)
        heard_since(right, 0, seed=2)
        for name in sockets:
            bus.unplug(name)
        for host in (left, right):
            host.wait_for("WARNING: .*lost")
        lines = len(left.out), len(right.out)
        for name, tty in (("right", "ttyACM0"), ("left", "ttyACM1")):  # the other way round
            bus.plug(name, tty=tty, socket=sockets[name], seed=seeds[name])
        heard_since(left, lines[0], seed=1)
        heard_since(right, lines[1], seed=2)
        assert (left.stop(), right.stop()) == (0, 0)


def test_two_with_serial_numbers_may_change_sockets(bus: Bus) -> None:
    bus.plug("one", tty="ttyACM0", socket="1-1", serial="AAAA", seed=1)
    bus.plug("other", tty="ttyACM1", socket="1-2", serial="BBBB", seed=2)
    with listen(bus, "usb:1915:520f:BBBB") as host:
        heard_since(host, 0, seed=2)
        bus.unplug("other")
        bus.unplug("one")
        host.wait_for("WARNING: .*lost")
        before = len(host.out)
        bus.plug("other", tty="ttyACM0", socket="1-1", serial="BBBB", seed=2)
        bus.plug("one", tty="ttyACM1", socket="1-2", serial="AAAA", seed=1)
        heard_since(host, before, seed=2)
        assert host.stop() == 0


def test_a_name_that_two_have_is_refused(bus: Bus) -> None:
    bus.plug("one", tty="ttyACM0", socket="1-1")
    bus.plug("other", tty="ttyACM1", socket="1-2")
    with listen(bus, "usb:1915:520f") as host:
        assert host.wait() == 3
    assert "/dev/ttyACM0 and /dev/ttyACM1" in host.err[-1]


def test_a_port_that_is_not_there_says_which_ones_are(bus: Bus) -> None:
    bus.plug("dongle", tty="ttyACM4", socket="1-1", serial="AAAA")
    with listen(bus, "/dev/ttyACM0") as host:
        assert host.wait() == 3
    assert "/dev/ttyACM4" in host.err[-1]


def test_two_programs_do_not_share_it(bus: Bus) -> None:
    """Under whatever name."""
    bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="AAAA")
    with listen(bus, "/dev/ttyACM0") as first:
        heard_since(first, 0, seed=1)
        with listen(bus, "/dev/serial/by-id/usb-Ruuvi_dongle_AAAA-if00") as second:
            assert second.wait() == 3
        assert "use" in second.err[-1]
        heard_since(first, 0, seed=1)


def test_a_device_that_goes_while_it_is_looked_at_is_no_traceback(bus: Bus) -> None:
    bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="AAAA")
    for attribute in bus.root.glob("sys/devices/pci*/*/usb1/1-1/bNumInterfaces"):
        attribute.unlink()
    with listen(bus, "/dev/ttyACM7") as host:
        assert host.wait() == 3
    assert not any("Traceback" in line for line in host.err)
