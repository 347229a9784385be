"""[sensors."AA:BB:CC:DD:EE:FF"] in the real programs: where it counts, and where it must not."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import pytest
from editing import set_keys
from programs import COMMAND, PATIENCE, Program, read_again, ruuvi_host, simulated

from firmware_protocol.messages import address_text
from ruuvi_host.formats import decode, fields
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.kinds import KEY

SAUNA, CELLAR, *_ = (address_text(tag.address) for tag in Board(tags=10).tags)
ABSENT = "00:00:00:00:00:01"
OFFSET = 25.0
NAME = "Löyly <b>"


class Server(ThreadingHTTPServer):
    """Keeps the tags of every batch."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tags: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.tags += [tags] if (tags := body["data"]["tags"].get(SAUNA)) else []
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def host(folder: Path, server: Server) -> Iterator[Program]:
    path = folder / "ruuvi-host.toml"
    path.write_text(
        f"# mine\n"
        f'[sensors."{SAUNA}"]\nname = "{NAME}"\ntemperature_offset = {OFFSET}\n'
        f'[sensors."{CELLAR}"]\nname = "Cellar"\nbattery_volts = 20\n'
        f'[sensors."{ABSENT}"]\nsilent_minutes = 0.01\n'
        f'[[target]]\nname = "own"\nkind = "file"\ninterval = 1\nfolder = "own"\n'
        f'[[target]]\nname = "body"\nkind = "file"\ninterval = 1\nfolder = "body"\n'
        f'content = "gateway"\n'
        f'[gateway]\nuse_http = true\nhttp_url = "{server.url}"\nhttp_period = 1\n'
        f'http_data_format = "ruuvi_raw_and_decoded"\nlan_auth_type = "lan_auth_allow"\n'
        f'[api]\nlisten = "127.0.0.1:0"\n'
    )
    path.chmod(0o600)
    options = ("--config", str(path), "--state-dir", str(folder / "state"), "--debug")
    with ruuvi_host("run", "--simulate", *options) as host:
        host.wait_for("coprocessor configured")
        yield host
        assert host.stop() == 0
    assert "Traceback" not in str(host)


def follow(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are added to a file, as they come. It is read again from where it was."""
    place = path.stat().st_size if path.exists() else 0
    while True:
        data = path.read_bytes()[place:] if path.exists() else b""
        for line in data.splitlines(keepends=True):
            if line.endswith(b"\n"):
                place += len(line)
                yield json.loads(line)
        time.sleep(0.01)  # nothing tells of a line


@contextmanager
def changing(host: Program, folder: Path) -> Iterator[Path]:
    """Its file, which may be changed: it is as before for the tests that come after, whichever."""
    path = folder / "ruuvi-host.toml"
    before = path.read_text()
    try:
        yield path
    finally:
        path.write_text(before)
        read_again(host)


def status(folder: Path, *options: str) -> str:
    ran = subprocess.run(
        [COMMAND, "status", "--state-dir", str(folder / "state"), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return ran.stdout


def test_readings_of_a_file_are_corrected_and_bodies_are_not(
    host: Program, folder: Path, server: Server
) -> None:
    """The same measurement in both, told by its number."""
    corrected: dict[int, dict[str, Any]] = {}
    for line in follow(folder / "own" / "own.jsonl"):
        if line["address"] == SAUNA:
            assert line["name"] == NAME
            assert line["offsets"] == {"temperature": OFFSET}
            corrected[line["measurement_sequence"]] = line
        elif line["address"] == CELLAR:
            assert (line["name"], "offsets" in line) == ("Cellar", False)
        else:
            assert not {"name", "offsets"} & set(line)
        both = [t for t in server.tags if t["measurementSequenceNumber"] in corrected]
        if both:
            break
    tag = both[0]
    mine = corrected[tag["measurementSequenceNumber"]]
    assert mine["temperature"] == pytest.approx(tag["temperature"] + OFFSET, abs=0.001)
    assert mine["humidity"] == pytest.approx(tag["humidity"], abs=0.001)
    raw = fields(decode(bytes.fromhex(tag["data"])))
    assert raw["temperature"] == pytest.approx(tag["temperature"], abs=0.001)
    assert not {"name", "offsets"} & set(tag)

    body = next(follow(folder / "body" / "body.jsonl"))
    assert set(body["data"]) == {"coordinates", "timestamp", "nonce", "gw_mac", "tags"}
    for found in body["data"]["tags"].values():
        assert not {"name", "offsets"} & set(found)


def test_answers_of_a_gateways_own_form_are_not_corrected(host: Program) -> None:
    """Those of our own form are. The same measurement in both, told by its number."""
    address = host.wait_for(r"local API: (http://127\.0\.0\.1:\d+/)")[1]

    def get(path: str) -> str:
        answer: bytes = urlopen(address + path, timeout=PATIENCE).read()
        return answer.decode()

    host.wait_for(rf"sensor {ABSENT}: not heard for ")
    label = f'{{address="{SAUNA}",name="{NAME}"}}'
    give_up = time.monotonic() + PATIENCE
    while True:  # a measurement lasts for two seconds, so the first try is nearly always good
        text = get("history")
        told = {
            name: float(value)
            for name, value in re.findall(
                rf"^ruuvi_host_sensor_(\w+){re.escape(label)} (\S+)$",
                get("metrics?readings=true"),
                re.MULTILINE,
            )
        }
        tag = json.loads(text)["data"]["tags"].get(SAUNA)
        if tag and tag["measurementSequenceNumber"] == told.get("measurement_sequence"):
            break
        assert time.monotonic() < give_up, text
    assert NAME not in text
    assert not {"name", "offsets"} & set(tag)
    raw = fields(decode(bytes.fromhex(tag["data"])))
    assert raw["temperature"] == pytest.approx(tag["temperature"], abs=0.001)
    assert told["temperature_celsius"] == pytest.approx(tag["temperature"] + OFFSET, abs=0.001)
    metrics = get("metrics")
    assert f'ruuvi_host_known_sensor_silent{{address="{ABSENT}",name=""}} 1' in metrics


def test_a_silent_sensor_and_a_low_battery_are_told_everywhere(host: Program, folder: Path) -> None:
    host.wait_for(rf"WARNING: sensor {ABSENT}: not heard for ")
    host.wait_for(rf"WARNING: sensor Cellar \({CELLAR}\): the battery is low: \d\.\d\d V")
    give_up = time.monotonic() + PATIENCE
    while True:  # what a test before has changed is back with the next report
        document = json.loads(status(folder, "--json"))
        sentence = document["health"]["sentence"]
        if "low battery: Cellar " in sentence:
            break
        assert time.monotonic() < give_up, sentence
    assert document["health"]["level"] == "degraded"
    assert f"silent sensors: {ABSENT} since start" in sentence
    sauna, cellar, absent = document["known_sensors"]
    assert (sauna["name"], sauna["silent"], sauna["low_battery"]) == (NAME, False, False)
    assert sauna["seconds_since_report"] < PATIENCE
    assert (cellar["address"], cellar["silent"], cellar["low_battery"]) == (CELLAR, False, True)
    assert (absent["seconds_since_report"], absent["silent"]) == (None, True)
    lines = status(folder).splitlines()
    assert f"  {ABSENT}: silent since the start" in lines
    assert any(line.startswith(f"  Cellar ({CELLAR}): low battery, ") for line in lines)
    assert NAME not in "".join(lines), "nothing is wrong with it"


def test_a_new_configuration_counts_at_once_and_keeps_what_was_heard(
    host: Program, folder: Path
) -> None:
    host.wait_for("the battery is low")
    count = str(host).count("not heard for")
    read = "configuration read again"
    times = sum(read in line for line in host.err)
    with changing(host, folder) as path:
        set_keys(
            path,
            [
                (f"sensors.{SAUNA}.name", "Kitchen"),
                (f"sensors.{SAUNA}.temperature_offset", "0"),
                (f"sensors.{CELLAR}.battery_volts", "0"),
            ],
        )
        assert path.read_text().startswith("# mine\n")
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for(read, times + 1)
        for line in follow(folder / "own" / "own.jsonl"):
            if line["address"] == SAUNA and line["name"] == "Kitchen":
                assert "offsets" not in line
                break
        document = json.loads(status(folder, "--json"))
        sauna, cellar, absent = document["known_sensors"]
        assert sauna["name"] == "Kitchen"
        assert document["sensors"] > 0
        assert {target["counters"]["cleared"] for target in document["targets"]} == {0}
        assert (cellar["low_battery"], absent["silent"]) == (False, True)
        assert str(host).count("not heard for") == count
        assert "the battery is good" not in str(host)


def test_the_api_changes_a_name_and_tells_no_key(host: Program, folder: Path) -> None:
    address = host.wait_for(r"local API: (http://127\.0\.0\.1:\d+/)")[1]

    def ask(change: object = None) -> dict[str, Any]:
        body = None if change is None else json.dumps(change).encode()
        with urlopen(f"{address}host/settings", body, timeout=PATIENCE) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return document

    key = "0123456789ABCDEF0123456789abcdef"
    wish = [[f"sensors.{SAUNA}.name", "Roof"], [f"sensors.{SAUNA}.key", key]]
    with changing(host, folder) as path:
        assert set(ask({"host": wish})["changed"]) == {name for name, _ in wish}
        assert json.loads(status(folder, "--json"))["known_sensors"][0]["name"] == "Roof"
        assert key in path.read_text()
        shown = ask()
        assert shown["sensors"][SAUNA]["name"] == "Roof"
        assert key not in json.dumps(shown) + str(host)


# -- listen ---------------------------------------------------------------------------------------


def test_listen_with_names_offsets_and_keys(tmp_path: Path) -> None:
    plain, encrypted = (address_text(t.address) for t in Board(tags=2, kinds=("5", "8")).tags)
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(
        f'[sensors."{plain}"]\nname = "{NAME}"\ntemperature_offset = {OFFSET}\n'
        f'[sensors."{encrypted}"]\nkey = "{KEY.hex()}"\n'
        '[gateway]\nhttp_url = "not used here"\nuse_http = true\n'
    )
    path.chmod(0o644)
    board = simulated("--rate", "100", "--tags", "2", "--tag", "5", "--tag", "8")
    options = ("--config", str(path), "--set", f"sensors.{encrypted}.name=Attic")
    with (
        board as coprocessor,
        ruuvi_host("listen", "--port", coprocessor.port, "--json", *options) as host,
    ):
        host.wait_for('^{.*"name"', 20)
        assert host.stop() == 0
    lines = [json.loads(line) for line in host.out]
    assert {(line["name"], line["data_format"]) for line in lines} == {(NAME, 5), ("Attic", 8)}
    for line in lines:
        if line["data_format"] == 5:
            raw = fields(decode(bytes.fromhex(line["adv"])))
            assert line["temperature"] == pytest.approx(float(str(raw["temperature"])) + OFFSET)
            assert line["offsets"] == {"temperature": OFFSET}
    assert f"Warning: {path}: every user of this machine may read its secrets" in str(host)
    assert KEY.hex() not in str(host).lower()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--set", "sensors.x.name=a"], "sensors.x: is no address as AA:BB:CC:DD:EE:FF"),
        (["--set", f"sensors.{ABSENT}.key=12"], f"sensors.{ABSENT}.key: must be 32 hexadecimal"),
        (["--config", "/nowhere/x.toml"], "/nowhere/x.toml: cannot be read: No such file"),
    ],
)
def test_what_listen_refuses(options: list[str], sentence: str) -> None:
    ran = subprocess.run(
        [COMMAND, "listen", "--simulate", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"Error: {sentence}")
