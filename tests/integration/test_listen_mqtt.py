"""`ruuvi-host listen --mqtt` with a real broker: what many hosts publish, as one."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from certificates import authority, chain
from fleet_messages import gateway, message, tag
from mosquitto import BROKER, Mosquitto, needs_broker
from mqtt_peer import peer
from paho.mqtt.enums import CallbackAPIVersion
from programs import COMMAND, PATIENCE, Program, ruuvi_host
from terminal import terminal

pytestmark = needs_broker

ANYBODY = "allow_anonymous true"
PASSWORD = "a/p@ss:word"


class Hosts:
    """Publishes as hosts do. A context manager."""

    def __init__(
        self,
        port: int,
        *,
        client_id: str = "",
        user: str = "",
        password: str = "",
        tls: dict[str, Any] | None = None,
    ) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id)
        if user:
            self._client.username_pw_set(user, password)
        if tls:
            self._client.tls_set(**tls)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Until the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(PATIENCE)

    def says(self, number: int, **how: Any) -> None:
        """A reading."""
        self.publish(*message(number, **how))

    def state(self, host: int, state: str) -> None:
        """Retained; empty: the broker forgets it."""
        payload = f'{{"state": "{state}"}}'.encode() if state else b""
        self.publish(f"ruuvi/{gateway(host)}/gw_status", payload, retain=True)

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets(sockpair_only=True)  # see mosquitto.py


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker"), ANYBODY) as broker:
        yield broker


def listening(url: str, *options: str, env: dict[str, str] | None = None) -> Program:
    return ruuvi_host("listen", "--mqtt", url, *options, env=env)


def lines(host: Program, kind: str) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in host.out]
    return [line for line in told if line["kind"] == kind]


def test_two_hosts_as_one(broker: Mosquitto) -> None:
    with Hosts(broker.port) as hosts, listening(f"mqtt://127.0.0.1:{broker.port}", "--json") as it:
        hosts.state(1, "online")
        it.wait_for('"state": "online"')  # a retained one comes whenever we subscribe
        hosts.says(1, host=1, rssi=-80)
        hosts.says(1, host=2, rssi=-60, decoded=True)
        hosts.says(3, host=2, ts=1_700_000_100)
        hosts.says(2, host=1, late=500)
        hosts.publish(f"ruuvi/{gateway(1)}/{tag()}", b"nonsense")
        hosts.state(1, "offline")
        it.wait_for('"state": "offline"')
        assert it.stop(signal.SIGINT) == 0
        hosts.state(1, "")
    told = lines(it, "measurement")
    assert [(t["measurementSequenceNumber"], t["gw_mac"]) for t in told] == [
        *((1, gateway(1)), (3, gateway(2)), (2, gateway(1)))
    ]
    assert [t["newest"] for t in told] == [True, True, False]
    assert [t["late"] for t in told] == [False, False, True]
    assert [t["place"] for t in lines(it, "place")] == [gateway(1), gateway(2)]
    last = it.err[-1]
    assert last.startswith("1 sensors, 2 hosts: 7 messages, 1 not understood, 2 states, 1 repeats")


def test_for_people_and_with_names(broker: Mosquitto) -> None:
    key = f'sensors."{tag()}".name=Sauna'
    with (
        Hosts(broker.port) as hosts,
        listening(f"mqtt://127.0.0.1:{broker.port}", "--set", key) as it,
    ):
        hosts.state(9, "online")
        it.wait_for(f"^{gateway(9)}  online")
        hosts.says(1, host=1)
        it.wait_for(rf"^{tag()}  -70 dBm by {gateway(1)}  Sauna  20.00 °C")
        assert it.stop() == 0
        hosts.state(9, "")


def test_on_a_terminal(broker: Mosquitto) -> None:
    """Hosts and sensors as tables; where a sensor is, is where it is strongest."""
    url = f"mqtt://127.0.0.1:{broker.port}"
    with Hosts(broker.port) as hosts, terminal("listen", "--mqtt", url) as screen:
        hosts.state(1, "online")
        screen.wait_for(rf"{gateway(1)} +online")
        hosts.says(1, host=1, rssi=-80)
        hosts.says(1, host=2, rssi=-60)
        hosts.says(2, of=2, host=2, decoded=True)
        screen.wait_for(rf"{tag(1)} +{gateway(2)} +20.00 °C.* -60 ")
        screen.wait_for(rf"{tag(2)} +{gateway(2)} +20.00 °C")
        screen.wait_for("2 sensors, 2 hosts, 1 online: 2 measurements, 1 repeats")
        assert screen.end() == 0
        hosts.state(1, "")
    assert "2 sensors, 2 hosts: 4 messages" in screen.text


def test_a_group_shares_the_messages(broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    options = ("--json", "--share", "workers", "--mqtt-version", "5")
    with (
        Hosts(broker.port) as hosts,
        listening(url, *options) as one,
        listening(url, *options) as two,
    ):
        for each in (one, two):
            each.wait_for("connected to .* by MQTT 5")
        for number in range(20):
            hosts.says(number, ts=1_700_000_000 + number)
        for each in (one, two):
            each.wait_for("measurement", 10)
            assert each.stop() == 0
    numbers = [
        t["measurementSequenceNumber"] for each in (one, two) for t in lines(each, "measurement")
    ]
    assert sorted(numbers) == list(range(20))


def test_real_hosts(broker: Mosquitto, tmp_path: Path) -> None:
    """Of the program itself, in both forms; two of them hear the same sensors."""
    settings = ["use_http=false", "use_http_ruuvi=false", "use_http_stat=false", "use_mqtt=true"]
    settings += ["mqtt_server=127.0.0.1", f"mqtt_port={broker.port}", "mqtt_prefix=home/"]

    def host(name: str, data_format: str) -> Program:
        keys = [*settings, f"mqtt_data_format={data_format}", f"mqtt_client_id={name}"]
        pairs = [word for key in keys for word in ("--set", key)]
        state = str(tmp_path / name)
        return ruuvi_host("run", "--simulate", "--trust-clock", "--state-dir", state, *pairs)

    with (
        listening(f"mqtt://127.0.0.1:{broker.port}", "--json", "--topic", "home/+") as it,
        host("one", "ruuvi_raw") as one,
        host("two", "ruuvi_decoded") as two,
    ):
        it.wait_for('"temperature"', 20)
        assert one.stop() == two.stop() == it.stop() == 0
    told = lines(it, "measurement")
    assert len({t["address"] for t in told}) >= 5
    assert [t for t in lines(it, "gateway") if t["gw_mac"] == "home"]


def test_the_broker_goes_and_comes_back(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, ANYBODY)
    with broker, listening(f"mqtt://127.0.0.1:{broker.port}", "--json") as it:
        it.wait_for("connected to")
        broker.kill()
        it.wait_for("WARNING: no connection")
        broker.start()
        it.wait_for("connected to", 2)
        with Hosts(broker.port) as hosts:
            hosts.says(1)
        it.wait_for("measurement")
        assert it.stop() == 0


def test_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, ANYBODY)
    with listening(f"mqtt://127.0.0.1:{broker.port}") as it:
        it.wait_for("WARNING: no connection: .*Connection refused; next try in 1 s")
        with broker:
            it.wait_for("connected to")
        assert it.stop(signal.SIGINT) == 0
    assert it.err[-1] == "0 sensors, 0 hosts: nothing was received"


# -- who is let in --------------------------------------------------------------------------------


PAGE = Path(__file__).parents[2] / "docs" / "pages" / "fleets.md"


def rules(folder: Path, name: str) -> str:
    """A block of rules of the page, as a file; its option for mosquitto."""
    path = folder / name
    block = PAGE.read_text("utf-8").partition(f"# {name}\n")[2].partition("```")[0]
    assert block
    path.write_text(block, "utf-8")
    return f"acl_file {path}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Lets in those with a password, with the rights of the page."""
    folder = tmp_path_factory.mktemp("guarded")
    passwords = folder / "passwords"
    for user in ("consumer", "sauna", "office"):
        create = [] if passwords.exists() else ["-c"]
        tool = str(Path(BROKER).parents[1] / "bin" / "mosquitto_passwd")
        subprocess.run([tool, "-b", *create, str(passwords), user, PASSWORD], check=True)
    lines = ("allow_anonymous false", f"password_file {passwords}", rules(folder, "by-password"))
    with Mosquitto(folder, *lines) as broker:
        yield broker


def test_rights_of_hosts_with_passwords(guarded: Mosquitto) -> None:
    url = f"mqtt://consumer:{PASSWORD.replace('/', '%2F').replace('@', '%40')}@127.0.0.1"
    with listening(f"{url}:{guarded.port}", "--json") as it:
        it.wait_for("connected to")
        shown = Path(f"/proc/{it.pid}/cmdline").read_bytes()
        assert b"consumer:" in shown
        assert b"ss:word" not in shown
        with Hosts(guarded.port, user="sauna", password=PASSWORD) as hosts:
            hosts.says(1, host=2)  # not its own branch
            hosts.says(2, host=1)
        it.wait_for("measurement")
        assert it.stop() == 0
    assert [t["gw_mac"] for t in lines(it, "measurement")] == [gateway(1)]
    assert "ss:word" not in "".join(it.err + it.out)


def test_a_password_comes_from_a_file_or_the_environment(
    guarded: Mosquitto, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    address = tmp_path / "url"
    address.write_text(f"mqtt://consumer@127.0.0.1:{guarded.port}\n")
    environment = {"RUUVI_HOST_MQTT_PASS": PASSWORD, "RUUVI_HOST_MQTT_USER": "consumer"}
    plain = f"mqtt://127.0.0.1:{guarded.port}"
    for it in (
        listening(plain, "--user", "consumer", "--password-file", str(file)),
        listening(plain, env=environment),
        listening(f"@{address}", env={"RUUVI_HOST_MQTT_PASS": PASSWORD}),
    ):
        with it:
            it.wait_for("connected to")
            assert it.stop() == 0


def failing(url: str, *options: str, code: int) -> str:
    """What it says when it gives up."""
    command = [COMMAND, "listen", "--mqtt", url, *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_who_is_not_let_in(guarded: Mosquitto) -> None:
    plain = f"mqtt://127.0.0.1:{guarded.port}"
    said = failing(f"mqtt://consumer:wrongpass@127.0.0.1:{guarded.port}", code=4)
    assert "does not let this client in (CONNACK 5)" in said
    assert "wrongpass" not in said
    assert "CONNACK 5" in failing(plain, code=4)


def certificate(folder: Path, name: str) -> dict[str, Any]:
    """Of the client of this name."""
    issued = authority().issue_cert(common_name=name)
    files = {"certfile": folder / f"{name}.pem", "keyfile": folder / f"{name}.key"}
    files["certfile"].write_bytes(chain(issued))
    files["keyfile"].write_bytes(issued.private_key_pem.bytes())
    return {key: str(path) for key, path in files.items()}


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_what_may_not_be_read(version: str) -> None:
    async def main() -> str:
        async with peer(grants=128) as broker:
            url = f"mqtt://127.0.0.1:{broker.port}"
            return await asyncio.to_thread(failing, url, "--mqtt-version", version, code=4)

    assert "does not let this client subscribe to ruuvi/+/+" in asyncio.run(main())


def test_what_a_broker_should_not_send() -> None:
    """A topic that is no text ends the connection, and nothing else."""

    async def main() -> None:
        async with peer() as broker:
            with listening(f"mqtt://127.0.0.1:{broker.port}", "--json") as it:
                await broker.until(lambda b: b.subscribed)
                for writer in broker.writers:
                    writer.write(b"\x30\x04\x00\x02\xff\xfe")
                await asyncio.to_thread(it.wait_for, "WARNING: no connection")
                await broker.until(lambda b: len(b.subscribed) > 1)
                short = b'{"dataFormat":5,"measurementSequenceNumber":1}'
                await broker.say(f"ruuvi/{gateway(1)}/{tag()}", short)
                await asyncio.to_thread(it.wait_for, "measurement")
                assert await asyncio.to_thread(it.stop) == 0
            assert "Traceback" not in "".join(it.err)

    asyncio.run(main())


def test_rights_of_hosts_with_certificates(tmp_path: Path) -> None:
    """The name in the certificate is the user name, whatever the client id says."""
    ca = tmp_path / "ca"
    ca.write_bytes(authority().cert_pem.bytes())
    server = authority().issue_cert("127.0.0.1")
    (tmp_path / "server").write_bytes(chain(server))
    (tmp_path / "server.key").write_bytes(server.private_key_pem.bytes())
    options = [f"{k} {tmp_path / n}" for k, n in (("cafile", "ca"), ("certfile", "server"))]
    options += [f"keyfile {tmp_path / 'server.key'}", rules(tmp_path, "by-certificate")]
    options += ["require_certificate true", "use_identity_as_username true"]
    ours = certificate(tmp_path, "consumer")
    with Mosquitto(tmp_path, *options) as broker:
        url, trust = f"mqtts://127.0.0.1:{broker.port}", ("--ca", str(ca))
        own = ("--cert", ours["certfile"], "--cert-key", ours["keyfile"])
        with listening(url, *trust, *own, "--json") as it:
            it.wait_for("connected to")
            tls: dict[str, Any] = {"ca_certs": str(ca), **certificate(tmp_path, gateway(1))}
            with Hosts(broker.port, client_id=gateway(2), tls=tls) as hosts:
                hosts.says(1, host=2)  # not its own branch
                hosts.says(2, host=1)
            it.wait_for("measurement")
            assert it.stop() == 0
        assert [t["gw_mac"] for t in lines(it, "measurement")] == [gateway(1)]
        assert "no authority that this system knows" in failing(url, *own, code=4)
        assert "is missing: --cert needs it" in failing(url, *own[:2], code=2)


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("mqtt://u:se#cret@x", (), "--mqtt: its host or port is malformed"),
        ("mqtt://x", ("--topic", "ruuvi/#/x"), "--topic: 'ruuvi/#/x' has a # that"),
        ("mqtt://x", ("--ca", "x"), "--ca: is for mqtts://"),
        ("@/nowhere", (), "/nowhere: No such file"),
        ("mqtt://x", ("--simulate",), "--port: name the port, or use --simulate or --mqtt"),
    ],
)
def test_wrong_options(url: str, options: tuple[str, ...], sentence: str) -> None:
    said = failing(url, *options, code=2)
    assert said.startswith(f"Error: {sentence}"), said
    assert said.count("\n") == 1
    assert "cret" not in said


def test_options_without_a_broker() -> None:
    command = [COMMAND, "listen", "--simulate", "--share", "x"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == (2, "Error: --share: is for --mqtt only\n")


def test_a_reader_that_has_enough(broker: Mosquitto) -> None:
    """As in `| head -1`."""
    with Hosts(broker.port) as hosts:
        hosts.state(5, "online")
        reading, writing = os.pipe()
        url = f"mqtt://127.0.0.1:{broker.port}"
        with subprocess.Popen(
            [COMMAND, "listen", "--mqtt", url, "--json"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        ) as it:
            os.close(writing)
            assert os.read(reading, 10)
            os.close(reading)
            hosts.state(5, "offline")
            _, said = it.communicate(timeout=PATIENCE)
        assert it.returncode == 0, said
        assert "Traceback" not in said
        hosts.state(5, "")
