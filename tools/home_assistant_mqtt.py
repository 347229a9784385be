"""Home Assistant itself, and what ruuvi-host tells it by MQTT: discovery, values, and the end.

    python tools/home_assistant_mqtt.py                in a Debian 13 that is made for it
    python tools/home_assistant_mqtt.py --root DIR     kept there, and used again

On this machine, on loopback: mosquitto, and hosts with a simulated sensor of each kind. In the
Debian, whose Python is new enough, the core of Home Assistant with its MQTT integration alone
(`home_assistant_mqtt_core.py`, beside this file). Every entity has to be there with its unit, and
with a value that was published; null has to be unknown; a host that is killed, a sensor that is
gone, one that is forgotten, and discovery that is switched off have to be seen; and two hosts that
hear the same sensors have to be one source of them.

Needs what tools/home_assistant.py needs, and mosquitto. Seven minutes, 1 GB. Exit status as there.
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, Self

import debian_tests
import home_assistant
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host import __version__
from ruuvi_host.config.derived import DERIVED
from ruuvi_host.relay.mqtt.discovery import Discovery
from ruuvi_host.relay.mqtt.entities import BINARY_SENSOR
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.kinds import KEY

HERE = Path(__file__).parent
CORES = (HERE / "home_assistant_core.py", HERE / "home_assistant_mqtt_core.py")
BROKER = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
KINDS = ("5", "air", "6", "2in1", "3", "4", "7", "8", "c5", "e0", "f0", "fa")
"""A sensor of each."""
NO_HUMIDITY = 3
"""Place of the one that has none, among KINDS."""
OTHER = bytes.fromhex("AACCEE001122")
"""Address of a second gateway, which hears the same sensors."""
GONE, BY = bytes.fromhex("F41F0C28CBD6"), bytes.fromhex("AACCEE003344")
"""A sensor that is heard once, and the gateway that has heard it."""
PATIENCE = 90.0
"""Seconds."""
EXPIRY = 180.0
"""Seconds after which a sensor that is not heard is unavailable."""


class Home:
    """Home Assistant's core, in the Debian at `root`."""

    def __init__(self, root: Path, port: int) -> None:
        core = ("/ha/bin/python", f"/core/{CORES[1].name}", str(port))
        self._process = subprocess.Popen(
            debian_tests.command_in(root, *core),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(root / "core" / "log", "w", encoding="utf-8"),  # noqa: SIM115
            text=True,
        )

    def ask(self, what: str = "tell") -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            print(what, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            debian_tests.stop("Home Assistant's core has failed: see core/log in the root")
        told: dict[str, Any] = json.loads(line)
        return told

    def until(self, enough: Callable[[dict[str, Any]], Any], patience: float = PATIENCE) -> Any:
        """What is told then, or in the end."""
        end = monotonic() + patience
        while not enough(told := self.ask()) and monotonic() < end:
            sleep(0.5)
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate("\n", timeout=30)
        self._process.kill()
        self._process.wait()


class Listener:
    """All that is published."""

    def __init__(self, port: int) -> None:
        self.readings: dict[str, list[dict[str, Any]]] = {}
        """By topic, in order."""
        self.configs: dict[str, str] = {}
        """By topic; empty: taken back."""
        self._lock = threading.Lock()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("#", 1)
        self.client.loop_start()

    def _on_message(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        text = message.payload.decode()
        with self._lock:
            if message.topic.endswith("/config"):
                self.configs[message.topic] = text
            elif not message.topic.startswith("homeassistant/"):
                self.readings.setdefault(message.topic, []).append(json.loads(text))

    def said_of(self, sensor: bytes) -> list[dict[str, Any]]:
        with self._lock:
            return [
                message
                for topic, messages in self.readings.items()
                if topic.endswith(address_text(sensor))
                for message in messages
            ]


class Checks:
    """What was looked at, and whether it was as it should be."""

    def __init__(self) -> None:
        self.wrong = 0

    def check(self, what: str, told: Any = "", *, right: Any) -> None:
        shown = json.dumps(told, ensure_ascii=False) if told != "" else ""
        print(f"{'ok   ' if right else 'WRONG'} {what}{': ' if shown else ''}{shown}", flush=True)
        self.wrong += not right


class Site(NamedTuple):
    """Where all of it runs."""

    folder: Path
    port: int
    home: Home
    listener: Listener
    checks: Checks


def main() -> int:
    if sys.argv[1:2] == ["--board"]:
        return board(sys.argv[2], bytes.fromhex(sys.argv[3]))
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home_assistant.add_options(parser)
    options = parser.parse_args()
    if not Path(BROKER).exists():
        debian_tests.stop("mosquitto is not installed")
    with ExitStack() as open_:
        root = open_.enter_context(home_assistant.installed(options))
        for core in CORES:
            shutil.copy(core, root / "core")
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="ruuvi-host-")))
        port = open_.enter_context(broker(folder))
        listener, checks = Listener(port), Checks()
        home = open_.enter_context(Home(root, port))
        judge(Site(folder, port, home, listener, checks))
        print(f"ruuvi-host {__version__}, Home Assistant {options.version}: wrong {checks.wrong}")
        return 1 if checks.wrong else 0


# --- what runs here


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n", "utf-8")
    process = subprocess.Popen([BROKER, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        end = monotonic() + 10
        while monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def board(link: str, address: bytes) -> int:
    """Serve the sensors of KINDS to a host, as a coprocessor of this address."""
    from ruuvi_host.lifetime import run_until_stopped
    from ruuvi_host.simulator.pty import PtyServer

    there = sensors()
    there.session.device = DeviceId(there.device.id, address)
    there.restart(0.0)
    server = PtyServer(there, link=link)

    async def serve() -> None:
        with server:
            await server.run()

    run_until_stopped(serve())
    return 0


def sensors() -> Board:
    return Board(tags=len(KINDS), kinds=KINDS)


class Host:
    """ruuvi-host with a board of this address. A context manager."""

    def __init__(self, site: Site, address: bytes) -> None:
        self._folder = site.folder / address.hex()
        self._folder.mkdir(exist_ok=True)
        self._site = site
        self._link = self._folder / "port"
        self.config = self._folder / "ruuvi-host.toml"
        self.state = self._folder / "state"
        self._board = subprocess.Popen(
            [sys.executable, __file__, "--board", str(self._link), address.hex()],
            stdout=subprocess.DEVNULL,
        )
        while not self._link.is_symlink():
            assert self._board.poll() is None, "there is no board"
            sleep(0.05)
        self._process: subprocess.Popen[bytes] | None = None

    def write(
        self,
        homeassistant: str = "enabled = true",
        *,
        names: dict[bytes, str] | None = None,
        retained: bool = True,
    ) -> None:
        lines = [
            "[gateway]",
            *("use_mqtt = true", 'mqtt_server = "127.0.0.1"', f"mqtt_port = {self._site.port}"),
            *('mqtt_data_format = "ruuvi_decoded"', "company_use_filtering = false"),
            *("scan_2mbit_phy = true", f"mqtt_disable_retained_messages = {_toml(not retained)}"),
            *("[mqtt]", "decode_all = true", f"derived = {json.dumps(DERIVED)}"),
            *("[mqtt.homeassistant]", homeassistant),
        ]
        for tag in sensors().tags:
            lines.append(f'[sensors."{address_text(tag.address)}"]')
            lines += [f'key = "{KEY.hex()}"', "silent_minutes = 0", "battery_volts = 0"]
            if name := (names or {}).get(tag.address):
                lines.append(f"name = {json.dumps(name)}")
        self.config.write_text("\n".join([*lines, ""]), "utf-8")
        self.config.chmod(0o600)
        if self._process:
            self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        command = [home_assistant.COMMAND, "run", "--port", str(self._link), "--trust-clock"]
        where = ("--config", str(self.config), "--state-dir", str(self.state))
        with open(self._folder / "log", "a", encoding="utf-8") as log:
            self._process = subprocess.Popen([*command, *where], stderr=log)

    def until_remembered(self) -> None:
        """What was told is on disk, and would survive its death."""
        end, path = monotonic() + PATIENCE, self.state / "mqtt.announced"
        while monotonic() < end:
            if path.exists() and len(path.read_text("utf-8").splitlines()) > len(KINDS):
                return
            sleep(0.1)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def forget(self, sensor: bytes) -> int:
        command = [home_assistant.COMMAND, "mqtt", "forget", address_text(sensor)]
        where = ("--config", str(self.config), "--state-dir", str(self.state))
        return subprocess.run([*command, *where], stdout=subprocess.DEVNULL, check=False).returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)
        self._board.terminate()
        self._board.wait()


def _toml(value: object) -> str:
    return json.dumps(value)


# --- what is looked at


def judge(site: Site) -> None:
    published_at = one_that_is_gone(site)
    with Host(site, sensors().device.addr) as host:
        entities(site, host)
        ends(site, host)
        expired(site, published_at)
        not_retained(site, host)
    with Host(site, sensors().device.addr) as host, Host(site, OTHER) as other:
        shared(site, host, other)
    # It takes back itself what it is told is gone, again and again, and warns of that.
    own = "No device components to cleanup"
    warnings = sorted({w for w in site.home.ask()["warnings"] if not w.startswith(own)})
    site.checks.check("what its integration warns of", warnings[:5], right=not warnings)


def _of(sensor: bytes) -> str:
    return f"ruuvi_{sensor.hex().upper()}_"


def _status_of(gateway: bytes) -> str:
    return f"ruuvi_gateway_{gateway.hex().upper()}_status"


def _entities(told: dict[str, Any], start: str = "ruuvi_") -> dict[str, Any]:
    return {k: v for k, v in told["entities"].items() if k.startswith(start) and not v["off"]}


def _states(told: dict[str, Any], *addresses: bytes) -> set[str | None]:
    return {e["state"] for a in addresses for e in _entities(told, _of(a)).values()}


def one_that_is_gone(site: Site) -> float:
    """A sensor that is announced and heard once. Returns when."""
    client = site.listener.client
    discovery = Discovery(BY, f"ruuvi/{address_text(BY)}/", __version__)
    for config in (discovery.gateway_config(), discovery.sensor_config(GONE, 5)):
        client.publish(config.topic, config.payload, 1, retain=True)
    client.publish(discovery.topic_prefix + "gw_status", '{"state": "online"}', 1, retain=True)
    site.home.until(lambda told: "unknown" in _states(told, GONE))
    reading = json.dumps({"temperature": 21.5, "humidity": None})
    client.publish(discovery.topic_prefix + address_text(GONE), reading, 1)
    told = site.home.until(lambda told: "21.5" in _states(told, GONE))
    site.checks.check("a sensor that is heard once", right="21.5" in _states(told, GONE))
    return monotonic()


def entities(site: Site, host: Host) -> None:
    """All are there, with the units and values that were published."""
    check = site.checks.check
    host.write()
    host.start()
    model = Discovery(b"", "", "", decode_all=True, derived=DERIVED).model
    tags = sensors().tags
    expected = {_status_of(sensors().device.addr)}
    by_id = {}
    for tag in tags:
        for number in tag.kind.formats:
            for entity in getattr(model(number), "entities", ()):
                # Of an Air, E1 has all that 6 has.
                by_id[_of(tag.address) + entity.component] = (tag.address, entity)
    expected |= by_id.keys()
    addresses = [tag.address for tag in tags]

    def all_there(told: dict[str, Any]) -> bool:
        return expected <= told["entities"].keys() and not (
            {"unavailable", None} & _states(told, *addresses)
        )

    told = site.home.until(all_there)
    found = {k for k in told["entities"] if not k.startswith((_of(GONE), _status_of(BY)))}
    enabled = [e for k, e in told["entities"].items() if k in expected and not e["off"]]
    check(
        "entities", f"{len(found)}, {len(enabled)} of them shown at once", right=found == expected
    )
    check("devices", len(told["devices"]), right=len(told["devices"]) == len(KINDS) + 3)
    via = {d["via"] for d in told["devices"] if not d["identifiers"][0].startswith("ruuvi_gateway")}
    gateway, other = (
        f"Ruuvi Gateway {address.hex().upper()[-4:]}" for address in (sensors().device.addr, BY)
    )
    check("sensors are reached through", sorted(map(str, via)), right=via == {gateway, other})
    wrong_units, wrong_values = [], []
    for unique_id, (address, entity) in by_id.items():
        state = told["entities"][unique_id]
        if state["off"]:
            continue
        if entity.platform != BINARY_SENSOR and state["unit"] != (entity.unit or None):
            wrong_units.append((unique_id, state["unit"]))
        said = [m[entity.member] for m in site.listener.said_of(address) if entity.member in m]
        if state["state"] not in {_shown(entity.member, value) for value in said}:
            wrong_values.append((unique_id, state["state"], said[-2:]))
    check("units that are wrong", wrong_units[:5], right=not wrong_units)
    check("values that were not published", wrong_values[:5], right=not wrong_values)
    dry = told["entities"][_of(tags[NO_HUMIDITY].address) + "humidity"]["state"]
    check("null is", dry, right=dry == "unknown")
    for unique_id in sorted(by_id)[:400:37]:
        state = told["entities"][unique_id]
        if not state["off"]:
            print(f"        {state['entity']}: {state['state']} {state['unit'] or ''}")


def _shown(member: str, value: Any) -> str:
    """What Home Assistant has as the state of a value."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "on" if value else "off"
    if member == "pressure":
        return str(round(value / 100, 2))
    return str(value)


def ends(site: Site, host: Host) -> None:
    """A host that dies, a new name, a sensor that is forgotten, and discovery that is off."""
    check, home = site.checks.check, site.home
    addresses = [tag.address for tag in sensors().tags]
    host.until_remembered()
    host.end(signal.SIGKILL)
    told = home.until(lambda told: _states(told, *addresses) == {"unavailable"})
    states = sorted(map(str, _states(told, *addresses)))
    check("the host is killed: its sensors are", states, right=states == ["unavailable"])
    state = told["entities"][_status_of(sensors().device.addr)]["state"]
    check("and the host itself is", state, right=state == "off")
    host.start()
    told = home.until(lambda told: "unavailable" not in _states(told, *addresses))
    check("it is back, and so are they", right="unavailable" not in _states(told, *addresses))
    host.write(names={addresses[0]: "Mökki"})
    told = home.until(lambda told: "Mökki" in {d["name"] for d in told["devices"]})
    names = [d["name"] for d in told["devices"]]
    check("a new name", [n for n in names if n[:5] != "Ruuvi"], right="Mökki" in names)
    status_of_command = host.forget(addresses[1])
    told = home.until(lambda told: not _entities(told, _of(addresses[1])))
    left = len(_entities(told, _of(addresses[1])))
    check("one is forgotten: entities left", left, right=not left and not status_of_command)
    host.write("enabled = false")

    def of_it(told: dict[str, Any]) -> int:
        mine = [_status_of(sensors().device.addr), *map(_of, addresses)]
        return sum(len(_entities(told, each)) for each in mine)

    told = home.until(lambda told: not of_it(told))
    left = of_it(told)
    check("discovery is switched off: entities left", left, right=not left)
    host.end()


def not_retained(site: Site, host: Host) -> None:
    """With mqtt_disable_retained_messages Home Assistant gets all again when it has started."""
    addresses = [tag.address for tag in sensors().tags]

    def all_there(told: dict[str, Any]) -> bool:
        states = [_states(told, address) for address in addresses]
        return all(s and not {None, "unavailable"} & s for s in states)

    host.write(retained=False)
    host.start()
    told = site.home.until(all_there)
    site.checks.check("nothing is retained: they are there", right=all_there(told))
    site.home.ask("restart")
    began = monotonic()
    told = site.home.until(all_there)
    took = f"within {monotonic() - began:.0f} s"
    site.checks.check("it starts again: they are there", took, right=all_there(told))
    host.write("enabled = false")
    site.home.until(lambda told: not any(_entities(told, _of(a)) for a in addresses))
    host.end()


def shared(site: Site, host: Host, other: Host) -> None:
    """Two hosts are one source of the sensors that both hear."""
    check, home = site.checks.check, site.home
    addresses = [tag.address for tag in sensors().tags]
    for each in (host, other):
        each.write("enabled = true\nshared = true")
        each.start()
    names = [_status_of(address) for address in (sensors().device.addr, OTHER)]

    def both(told: dict[str, Any]) -> bool:
        online = [told["entities"].get(name, {}).get("state") for name in names]
        return online == ["on", "on"] and all(_states(told, a) - {None} for a in addresses)

    told = home.until(both)
    check("two hosts share sensors: both are on", right=both(told))
    devices = [
        d for d in told["devices"] if d["identifiers"][0] in {_of(a)[:-1] for a in addresses}
    ]
    check("each sensor is one device", len(devices), right=len(devices) == len(KINDS))
    host.end(signal.SIGKILL)
    told = home.until(lambda told: told["entities"][names[0]]["state"] == "off")
    # Values go on: those of the other one.
    topic = f"ruuvi/{address_text(OTHER)}/"
    of_one = _of(addresses[0]) + "temperature"
    before = len(site.listener.said_of(addresses[0]))

    def goes_on(told: dict[str, Any]) -> bool:
        newer = site.listener.said_of(addresses[0])[before:]
        state = told["entities"][of_one]["state"]
        return state in {_shown("temperature", m["temperature"]) for m in newer}

    told = home.until(goes_on)
    available = "unavailable" not in _states(told, *addresses)
    check(f"one is killed: values of {topic} are shown", right=goes_on(told) and available)
    other.end()


def expired(site: Site, since: float) -> None:
    """What is not heard any more is not available."""
    before = "21.5" in _states(site.home.ask(), GONE) or monotonic() - since > EXPIRY
    sleep(max(0.0, since + EXPIRY + 2.0 - monotonic()))
    told = site.home.until(lambda told: _states(told, GONE) == {"unavailable"})
    states = sorted(map(str, _states(told, GONE)))
    right = before and states == ["unavailable"]
    site.checks.check("one that was heard once is, after three minutes", states, right=right)


if __name__ == "__main__":
    raise SystemExit(main())
