"""`ruuvi-host bridge` and `run --hci` as a user runs them, on a scripted controller."""

import grp
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import pytest
from programs import PATIENCE, Program, ruuvi_host

from hil.controller.adverts import Advert, Cycle
from hil.controller.habits import EVERYTHING, NO_ADDRESS, RASPBERRY_PI, Fault, Habits
from hil.controller.serving import ServedController, on_pty, on_tcp
from ruuvi_host.simulator.kinds import KINDS
from ruuvi_host.simulator.tags import Tag

FORMATS = ("3", "5", "6", "c5", "e1")
PI: dict[str, Any] = {"features": RASPBERRY_PI, "company": 0x0131}
LAST = Advert(bytes.fromhex("C00000000001"), bytes.fromhex("03FF9904"), -50)
"""No measurement, so it is no sensor of the server's; but what is heard after all else."""


def tags() -> list[Advert]:
    """One of each format; E1 by extended advertising."""
    events = [Tag(Random(name), kind=KINDS[name]).advertise() for name in FORMATS]
    legacy = [Advert(e.address, e.data, e.rssi) for e in events]
    return [
        advert if event.is_legacy else replace(advert, is_extended=True, secondary=2, sid=3)
        for advert, event in zip(legacy, events, strict=True)
    ]


def habits(**what: Any) -> Habits:
    """Of a controller whose address no bridge on this machine has: other tests run beside us."""
    return Habits(**({"address": b"\0" + os.urandom(5)} | what))


def serve(folder: Path, air: Cycle | None = None, **what: Any) -> ServedController:
    """A controller on a pty, among tags unless told otherwise. what: its habits."""
    name = f"controller-{os.urandom(4).hex()}"
    return ServedController(habits(**what), air or Cycle(tags(), 50.0), on_pty(str(folder / name)))


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedController]:
    """For tests that leave it as it is."""
    with serve(tmp_path_factory.mktemp("hci")) as served:
        yield served


@contextmanager
def bridge(served: ServedController, link: Path, *options: str) -> Iterator[Program]:
    with ruuvi_host("bridge", "--hci", served.path, "--link", str(link), *options) as program:
        program.wait_for("^/dev/")
        yield program


def listen(link: Path) -> Program:
    return ruuvi_host("listen", "--port", str(link), "--json")


def counted(program: Program) -> dict[str, int]:
    """What a bridge that has ended tells of its reports, by the words before each number."""
    [line] = [line for line in program.err if "HCI reports" in line]
    return {name.strip(): int(n) for name, n in re.findall(r"([A-Za-z ]+) (\d+)", line)}


def most_memory(program: Program) -> int:
    """KiB."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    [told] = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(told)


# -- the whole chain ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [226, 1000])
def test_all_that_is_heard_is_taken_in(rate: int, tmp_path: Path) -> None:
    cycle = Cycle(tags(), rate, rate)  # a second of it
    with serve(tmp_path, cycle) as served, bridge(served, tmp_path / "port") as program:
        with listen(tmp_path / "port") as host:
            served.wait_until_scanning()
            served.wait_for(lambda: cycle.deadline == inf)
            served.hear(LAST)
            host.wait_for("C0:00:00:00:00:01")
            host.stop(signal.SIGINT)
        heard = [json.loads(line) for line in host.out if line.startswith("{")]
        assert len(heard) == rate + 1
        assert {line.get("data_format") for line in heard} >= {3, 5, 6, 0xC5, 0xE1}
        assert {line["channel"] for line in heard} == {255}
        assert most_memory(program) <= 30 << 10
        assert program.stop() == 0
    told = counted(program)
    assert told["HCI reports"] == told["sent"] == rate + 1
    assert "pty: 6 bytes not read by a host" in program.err[-1], "GET_ALL, to nobody"


def test_from_the_controller_to_the_server(controller: ServedController, tmp_path: Path) -> None:
    with ruuvi_host("receive", "--port", "0", "--json") as server:
        url = server.wait_for(r'"listening": "(.*?)"')[1]
        options = ("--url", url, "--interval", "1", "--trust-clock")
        with run(controller, tmp_path, *options) as host:
            server.wait_for(f'"accepted".*"tags": {len(FORMATS)}')
            (child,) = children(host)
            assert host.stop() == 0
            assert not is_alive(child)
        assert [line for line in host.err if "bridge: HCI reports" in line]
    assert not links(controller)


def run(served: ServedController, state: Path, *options: str) -> Program:
    return ruuvi_host("run", "--hci", served.path, "--state-dir", str(state), *options)


def links(served: ServedController) -> set[Path]:
    """Where the pty of a child is found."""
    return set(Path(tempfile.gettempdir()).glob(f"ruuvi-host-{Path(served.path).name}-*"))


# -- run --hci: two processes, one end ------------------------------------------------------------

NOWHERE = ("--url", "http://127.0.0.1:9/", "--trust-clock")


def children(program: Program) -> list[int]:
    """Of all its threads."""
    tasks = Path(f"/proc/{program.pid}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


def wait_for_end(pid: int) -> None:
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([number], [], [], PATIENCE)[0], "it goes on"
    finally:
        os.close(number)


def test_who_is_killed_leaves_no_orphan(controller: ServedController, tmp_path: Path) -> None:
    with run(controller, tmp_path, *NOWHERE) as host:
        host.wait_for("coprocessor configured")
        (child,) = children(host)
        assert links(controller)
        assert host.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_for_end(child)
    assert not links(controller), "it has cleared up"


def test_a_child_that_is_killed_is_started_again(
    controller: ServedController, tmp_path: Path
) -> None:
    with run(controller, tmp_path, *NOWHERE) as host:
        host.wait_for("coprocessor configured")
        os.kill(children(host)[0], signal.SIGKILL)
        host.wait_for("WARNING: the bridge has ended: killed by SIGKILL; it is started again")
        # The next pseudo-terminal of this machine may have its number, and is none of its business.
        assert all(link.exists() for link in links(controller))
        host.wait_for("coprocessor configured", 2)
        assert host.stop() == 0


CAPABILITIES = """
from ruuvi_host.bridge.capability import drop_net_admin, has_net_admin
print(has_net_admin(), drop_net_admin(), has_net_admin(), drop_net_admin())
print([line for line in open("/proc/self/status") if line.startswith("Cap")])
"""


def test_the_capability_is_given_up() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CAPABILITIES], capture_output=True, text=True, check=True
    )
    first, sets = ran.stdout.splitlines()
    assert first in ("True True False False", "False True False False", "False False False False")
    numbers = [int(text, 16) for text in re.findall(r"Cap(?:Inh|Prm|Eff|Amb):\\t(\w+)", sets)]
    assert len(numbers) == 4
    assert not any(number & 1 << 12 for number in numbers)


@pytest.mark.parametrize(
    ("transport", "code", "complaint"),
    [
        ("/dev/nope", 3, "Error: /dev/nope: there is no such port"),
        ("nope", 2, "Error: --hci: 'nope' is none of what it can be"),
    ],
)
def test_a_controller_that_is_not_there_ends_the_host(
    transport: str, code: int, complaint: str, tmp_path: Path
) -> None:
    with ruuvi_host("run", "--hci", transport, *NOWHERE, "--state-dir", str(tmp_path)) as host:
        assert host.wait() == code
    assert host.err[-1].startswith(complaint)


def test_one_way_to_a_coprocessor(tmp_path: Path) -> None:
    with ruuvi_host("run", "--hci", "hci0", "--simulate", *NOWHERE) as host:
        assert host.wait() == 2
    assert "one of them" in host.err[-1]


# -- what is lost comes back ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["pty", "tcp"])
def test_a_controller_that_is_pulled_out_takes_the_pty_with_it(way: str, tmp_path: Path) -> None:
    link = tmp_path / "port"
    made = on_tcp() if way == "tcp" else on_pty(str(tmp_path / "controller"))
    with (
        ServedController(habits(), Cycle(tags(), 50.0), made) as served,
        bridge(served, link) as program,
        listen(link) as host,
    ):
        host.wait_for('"address"')
        served.fail(Fault.DIES)
        program.wait_for("the pty is taken away until it is back")
        host.wait_for("lost")
        assert not os.path.lexists(link)
        served.heal()
        program.wait_for(f"the pty is back: {link}")
        host.wait_for("coprocessor configured", 2)
        host.stop(signal.SIGINT)
        assert program.stop() == 0
    assert not os.path.lexists(link)


def test_only_power_helps(tmp_path: Path) -> None:
    """The last words of Zephyr's controller are told, and the command is run."""
    done = tmp_path / "done"
    options = ("--reset-command", f"touch '{done}'")
    with (
        serve(tmp_path) as served,
        bridge(served, tmp_path / "port", *options) as program,
        listen(tmp_path / "port") as host,
    ):
        host.wait_for('"address"')
        served.fail(Fault.ASSERT)
        program.wait_for("ERROR: .* line ")
        program.wait_for("the controller is reset by touch")
        while not done.exists():
            time.sleep(0.01)
        served.heal()
        program.wait_for("the pty is back")
        host.wait_for("coprocessor configured", 2)
        host.stop(signal.SIGINT)
        assert program.stop() == 0
    assert "rungs 0 0 0 1" in program.err[-2]


def test_without_a_command_a_person_is_asked(tmp_path: Path) -> None:
    with serve(tmp_path) as served, bridge(served, tmp_path / "port") as program:
        served.fail(Fault.ASSERT)
        program.wait_for("ERROR: there is no --reset-command: unplug the controller")
        assert program.stop() == 0


def test_a_reset_is_a_boot_on_the_same_pty(tmp_path: Path) -> None:
    with (
        serve(tmp_path) as served,
        bridge(served, tmp_path / "port") as program,
        listen(tmp_path / "port") as host,
    ):
        host.wait_for('"address"')
        served.fail(Fault.ERROR)
        program.wait_for("rung 2, HCI reset: ")
        host.wait_for("coprocessor has rebooted")
        host.wait_for("coprocessor configured", 2)
        host.stop(signal.SIGINT)
        assert program.stop() == 0
    assert len([line for line in program.out if line.startswith("/dev/")]) == 1


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, serve(tmp_path) as served:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000000"}
        with ruuvi_host("bridge", "--hci", served.path, env=env) as program:
            told = [systemd.recv(100), systemd.recv(100)]
            assert sorted(told) == [b"READY=1", b"WATCHDOG=1"]
            program.wait_for("^/dev/")
            assert program.stop() == 0
        assert systemd.recv(100) == b"STOPPING=1"


# -- who it is ------------------------------------------------------------------------------------


def test_two_controllers_with_one_address_are_not_one_gateway(tmp_path: Path) -> None:
    address = b"\0" + os.urandom(5)
    text = address.hex(":").upper()
    with serve(tmp_path, address=address) as one, serve(tmp_path, address=address) as other:
        with bridge(one, tmp_path / "one"):
            second = ruuvi_host("bridge", "--hci", other.path)
            with second:
                assert second.wait() == 1
            assert f"another bridge on this machine is {text} already" in second.err[-1]
            mine = f"C0{text[2:]}"
            options = ("--address", mine, "--device-id", "0011223344556677")
            with bridge(other, tmp_path / "other", *options), listen(tmp_path / "other") as host:
                host.wait_for(f"coprocessor {mine}")
        with bridge(other, tmp_path / "other"):
            pass  # the first one has ended


def test_an_nrf52_says_who_it_is_by_its_chip(tmp_path: Path) -> None:
    static = b"\xe5" + os.urandom(5)
    text = static.hex(":").upper()
    with (
        serve(tmp_path, address=NO_ADDRESS, static_addresses=(static,)) as served,
        bridge(served, tmp_path / "port") as program,
        listen(tmp_path / "port") as host,
    ):
        host.wait_for(f"coprocessor {text}")
        assert text in program.err[0]


def test_a_radio_that_hears_less_is_told_once(tmp_path: Path) -> None:
    with (
        serve(tmp_path, **PI) as served,
        bridge(served, tmp_path / "port") as program,
    ):
        for _ in range(2):
            with listen(tmp_path / "port") as host:
                host.wait_for('"data_format": 6')
        assert program.stop() == 0
    told = [line for line in program.err if "cannot hear extended advertising" in line]
    assert len(told) == 1


def test_a_controller_that_lies_is_found_out(tmp_path: Path) -> None:
    with (
        serve(tmp_path, features=EVERYTHING, lacks=EVERYTHING & ~RASPBERRY_PI) as served,
        bridge(served, tmp_path / "port") as program,
        listen(tmp_path / "port") as host,
    ):
        host.wait_for('"data_format": 5')
        program.wait_for("legacy scanning from here on")


def test_another_group_may_open_the_pty(controller: ServedController, tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    with bridge(controller, tmp_path / "port", "--group", group):
        status = os.stat(tmp_path / "port")
        assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (os.getgid(), 0o660)


# -- --check --------------------------------------------------------------------------------------


def checked(served: ServedController) -> tuple[int, str]:
    with ruuvi_host("bridge", "--hci", served.path, "--check", "--seconds", "2") as program:
        code = program.wait()
    return code, "\n".join([*program.out, *program.err])


HEARD = re.compile(r"heard \d+ advertisements of (\d+) devices, (\d+) of them Ruuvi's")
"""How many in so short a time depends on what else the machine does."""


def test_check_tells_what_would_disappoint(tmp_path: Path) -> None:
    with serve(tmp_path, **PI) as served:
        code, told = checked(served)
    assert code == 0
    assert "Bluetooth 5.3 of company 0x0131" in told
    assert "E1" in told
    heard = HEARD.search(told)
    assert heard, told
    assert heard[1] == heard[2] in tuple("1234"), told


def test_check_of_one_that_hears_everything(controller: ServedController) -> None:
    code, told = checked(controller)
    assert code == 0
    assert "hears legacy, extended, coded" in told
    heard = HEARD.search(told)
    assert heard, told
    assert heard[1] == heard[2] in tuple("12345"), told


def test_check_of_one_that_hears_nothing(tmp_path: Path) -> None:
    with serve(tmp_path, Cycle([], 0.0)) as served:
        code, told = checked(served)
    assert code == 1
    assert "heard nothing at all" in told


# -- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--hci", "nope"], 2, "Error: --hci: 'nope' is none of what it can be"),
        (["--hci", "/dev/nope"], 3, "Error: /dev/nope: there is no such port"),
        (["--hci", "socket://127.0.0.1:9"], 3, "Error: socket://127.0.0.1:9: cannot be opened"),
        (["--hci", "hci0", "--address", "00:00:00:00:00:00"], 2, "Error: --address: is nobody's"),
        (["--hci", "hci0", "--address", "1"], 2, "Error: --address: '1' is no address"),
        (["--hci", "hci0", "--device-id", "12"], 2, "Error: --device-id: must be 16 hex digits"),
        (["--hci", "hci0", "--address", ""], 2, "Error: --address: '' is no address"),
        (["--hci", "hci0", "--device-id", ""], 2, "Error: --device-id: must be 16 hex digits"),
        (["--hci", "hci0", "--reset-command", ""], 2, "Error: --reset-command: names no program"),
        (["--hci", "hci0", "--group", "nobody's"], 2, "Error: --group: there is no group"),
        (["--hci", "hci0", "--reset-command", "/no/program x"], 2, "Error: --reset-command: there"),
        (["--hci", "hci0", "--reset-command", "'"], 2, "Error: --reset-command: cannot be read"),
        (["--hci", "hci0", "--reset-command", "''"], 2, "Error: --reset-command: names no program"),
        (["--hci", "hci0", "--scan", "passive"], 2, "Error: Invalid value for '--scan'"),
        ([], 2, "Error: Missing option '--hci'"),
    ],
    ids=str,
)
def test_bad_options_get_a_sentence(options: list[str], code: int, complaint: str) -> None:
    with ruuvi_host("bridge", *options) as program:
        assert program.wait() == code
    assert program.err[-1].startswith(complaint)


def test_a_link_that_cannot_be(controller: ServedController, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    link = str(tmp_path / "file")
    with ruuvi_host("bridge", "--hci", controller.path, "--link", link) as program:
        assert program.wait() == 2
    assert program.err[-1].startswith("Error: --link: ")


@pytest.mark.parametrize("command", ["bridge", "simulate", "replay"])
def test_a_path_that_nobody_would_learn(controller: ServedController, command: str) -> None:
    more = {"bridge": ["--hci", controller.path], "simulate": [], "replay": ["recording.pcapng"]}
    words = [sys.executable, "-m", "ruuvi_host", command, *more[command]]
    ran = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *words],
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("Error: --link: standard output is closed")


HEAVY = ("httpx", "aiomqtt", "ssl", "_hashlib", "sqlite3", "uvicorn")
LOADS = f"""
import sys
sys.argv = ["ruuvi-host", "bridge", "--hci", "socket://127.0.0.1:9"]
from ruuvi_host.cli.main import main
try:
    main()
except SystemExit:
    pass
print([name for name in {HEAVY} if sys.modules.get(name)])
"""


def test_it_loads_nothing_that_it_does_not_need() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert ran.stdout == "[]\n"
    assert "Connection refused" in ran.stderr
