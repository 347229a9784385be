"""Which device a port is, on a machine made of files."""

from pathlib import Path

import pytest
from usb import UsbMachine

from ruuvi_host.device.identity import Finder, Machine, UsbPort
from ruuvi_host.errors import PortError


@pytest.fixture
def usb(tmp_path: Path) -> UsbMachine:
    return UsbMachine(tmp_path)


def opened(name: str, usb: UsbMachine) -> Finder:
    """As after its port has been opened for the first time."""
    finder = Finder(name, usb.machine)
    finder.opened(finder.find())
    return finder


def refusal(finder: Finder) -> str:
    with pytest.raises(PortError) as caught:
        finder.find()
    return caught.value.problem


def test_what_sysfs_tells(usb: UsbMachine) -> None:
    path = usb.plug_in("ttyACM0", socket="1-2.4", serial="AB:12", interface="1.2")
    [port] = usb.machine.usb_ports()
    controller = str(usb.dev.parent / "sys/devices/pci0000:00/0000:00:14.0")
    assert port == UsbPort(path, "1915", "520f", "AB:12", "1.2", f"{controller} 2.4:1.2")
    assert port.name == "1915:520f:AB:12"


def test_this_machine_can_be_asked() -> None:
    assert all(port.path.startswith("/dev/tty") for port in Machine().usb_ports())


def test_it_is_found_under_another_number(usb: UsbMachine) -> None:
    finder = opened(usb.plug_in("ttyACM0", serial="A"), usb)
    usb.unplug("ttyACM0")
    assert refusal(finder) == "the device 1915:520f:A is not plugged in"
    assert not finder.is_there()
    moved = usb.plug_in("ttyACM1", serial="A")
    assert finder.find() == moved
    assert finder.is_there()


def test_it_is_found_in_another_socket_by_its_serial_number(usb: UsbMachine) -> None:
    finder = opened(usb.plug_in("ttyACM0", serial="A"), usb)
    usb.unplug("ttyACM0")
    assert usb.plug_in("ttyACM0", serial="A", socket="3-1") == finder.find()


def test_another_device_that_took_its_number_is_not_it(usb: UsbMachine) -> None:
    finder = opened(usb.plug_in("ttyACM0", serial="A"), usb)
    usb.unplug("ttyACM0")
    usb.plug_in("ttyACM0", serial="B")
    assert not finder.is_there()
    assert usb.plug_in("ttyACM1", serial="A", socket="1-3") == finder.find()


def test_without_serial_numbers_the_socket_tells_them_apart(usb: UsbMachine) -> None:
    usb.plug_in("ttyACM0", socket="1-1")
    mine = opened(usb.plug_in("ttyACM1", socket="1-2"), usb)
    usb.unplug("ttyACM0")
    usb.unplug("ttyACM1")
    usb.plug_in("ttyACM1", socket="1-1")  # they come back the other way round
    assert not mine.is_there()
    assert usb.plug_in("ttyACM0", socket="1-2") == mine.find()


def test_a_serial_number_that_two_share_is_none(usb: UsbMachine) -> None:
    usb.plug_in("ttyUSB0", socket="1-1", serial="0001")
    mine = opened(usb.plug_in("ttyUSB1", socket="1-2", serial="0001"), usb)
    usb.unplug("ttyUSB1")
    assert not mine.is_there(), "what is left is the other one"
    assert usb.plug_in("ttyUSB3", socket="1-2", serial="0001") == mine.find()


def test_one_of_several_ports_of_a_device(usb: UsbMachine) -> None:
    finder = opened(usb.plug_in("ttyACM0", serial="A", interface="1.2"), usb)
    usb.unplug("ttyACM0")
    usb.plug_in("ttyACM0", serial="A", interface="1.0")
    assert not finder.is_there()
    assert usb.plug_in("ttyACM1", serial="A", interface="1.2") == finder.find()


# --- usb: names


@pytest.mark.parametrize("name", ["usb:1915:520f", "usb:1915:520F:A:1"])
def test_a_port_named_by_its_numbers(usb: UsbMachine, name: str) -> None:
    usb.plug_in("ttyACM0", socket="1-1", usb_id="0403:6001", serial="A:1")
    path = usb.plug_in("ttyACM1", serial="A:1")
    assert Finder(name, usb.machine).find() == path


def test_numbers_that_nothing_has(usb: UsbMachine) -> None:
    finder = Finder("usb:1915:520f:B", usb.machine)
    assert refusal(finder) == "there is no such USB device. There is none"
    usb.plug_in("ttyACM0", serial="A")
    assert refusal(finder) == "there is no such USB device. There is usb:1915:520f:A"
    assert not finder.is_there()


def test_numbers_that_two_have(usb: UsbMachine) -> None:
    first, second = usb.plug_in("ttyACM0"), usb.plug_in("ttyACM1", socket="1-3")
    assert f"this is {first} and {second}. Add" in refusal(Finder("usb:1915:520f", usb.machine))


@pytest.mark.parametrize(
    "name", ["usb:", "usb:1915", "usb:x:y", "usb:19151:520f", "usb:1915:520f:"]
)
def test_what_is_no_usb_name(name: str) -> None:
    with pytest.raises(PortError, match="write usb:VID:PID or"):
        Finder(name)


# --- other names say it all


@pytest.mark.parametrize(
    "name", ["/dev/serial/by-id/x", "/dev/ruuvi", "socket://a:1", "x", "", "/"]
)
def test_other_names_stay_what_they_are(usb: UsbMachine, name: str) -> None:
    finder = opened(name, usb)
    assert finder.find() == name
    usb.plug_in("ttyACM0")
    assert finder.find() == name
    assert finder.is_there() == (name in ("socket://a:1", "/"))


def test_a_port_of_the_board_itself_is_its_name(usb: UsbMachine) -> None:
    path = str(usb.dev / "ttyS0")
    Path(path).symlink_to("/dev/null")
    assert opened(path, usb).find() == path


def test_a_device_that_leaves_while_it_is_looked_at(usb: UsbMachine) -> None:
    usb.plug_in("ttyACM0")
    (usb.dev / "ttyACM0").unlink()
    assert usb.machine.usb_ports() == []


def test_a_link_that_leads_nowhere_is_not_there(usb: UsbMachine, tmp_path: Path) -> None:
    link = tmp_path / "coprocessor"
    link.symlink_to(usb.plug_in("ttyACM0", serial="A"))
    finder = Finder(str(link), usb.machine)
    assert finder.is_there()
    usb.unplug("ttyACM0")
    assert not finder.is_there()


def test_a_link_is_no_tty_of_the_same_name(usb: UsbMachine, tmp_path: Path) -> None:
    """It stays what its name says, wherever it leads to."""
    usb.plug_in("ttyACM0", serial="A")
    link = tmp_path / "ttyACM0"
    link.symlink_to(usb.plug_in("ttyACM1", serial="B"))
    assert usb.machine.usb_port(str(link)) is None
    assert opened(str(link), usb).find() == str(link)
