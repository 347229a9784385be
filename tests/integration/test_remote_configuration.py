"""A live host that is led by a server: a good change, a bad file, one that cuts off, a server that
dies; and what a restart in the middle finds."""

import json
import re
import resource
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from config_server import MAC, ConfigServer
from led_host import OWN, Led
from programs import COMMAND, PATIENCE
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.jobs.state import StateDirectory


@pytest.fixture
def server(tmp_path: Path):  # type: ignore[no-untyped-def]
    with ConfigServer() as server:
        yield server


def test_a_host_is_led(tmp_path: Path, server: ConfigServer) -> None:
    led = Led(tmp_path, server, trial=PATIENCE)
    led.serve_good(coordinates="60,25")
    with led.running() as host:
        status = led.until_fetched("applied")
        assert status["source"] == "remote"
        assert status["trial"] is None
        assert led.saved()["coordinates"] == "60,25"
        assert host.wait_for("configuration of .* in force.*: coordinates")
        host.wait_for("custom: batches are accepted")

        assert led.download() == {"status": 200, "message": ""}
        assert led.status()["fetch"]["result"] == "not_modified"
        assert led.status()["hash"] == status["hash"]

        # A bad file is refused as a whole, with its reason, once in the log.
        led.serve_good(coordinates="1,1", mqtt_port=99999)
        for _ in range(2):
            answer = led.download()
            assert answer["status"] == 502
            assert answer["message"].startswith("mqtt_port = 99999: must be")
        status = led.until_fetched("refused")
        assert status["refused"]["reason"] == answer["message"]
        assert led.saved()["coordinates"] == "60,25"
        host.wait_for("is refused")
        led.serve("")  # nothing that could be judged is told all the same
        assert led.download() == {"status": 400, "message": "the file is empty"}
        assert led.status()["refused"]["reason"] == "the file is empty"
        host.wait_for("is refused: the file is empty")
        assert sum("is refused" in line for line in host.err) == 2
        led.serve_good(use_http=False)
        assert "switches off every server" in led.download()["message"]

        # One that cuts it off from its server comes back.
        led.try_for(8, host)
        led.serve_good(http_url=f"{server.url}/nowhere", coordinates="2,2")
        with ThreadPoolExecutor(2) as pool:  # who waited for the other does not take it again
            answers = [pool.submit(led.download) for _ in range(2)]
        assert sorted(each.result()["status"] for each in answers) == [200, 409]
        status = led.until(lambda c: c["trial"])
        assert set(status["trial"]["waiting_for"]) <= {"remote", "custom"}
        assert led.download()["status"] == 409
        status = led.until(lambda c: c["trial"] and "rolled_back" in c["trial"])
        assert "no server accepts anything" in status["trial"]["reason"]
        assert led.saved()["http_url"] == f"{server.url}/record"
        assert led.saved()["coordinates"] == "60,25"
        assert status["fetch"]["result"] == "rolled_back"
        # It is remembered, though the server still has it, and says that it is as before.
        for salt in ("", "another etag"):
            server.salt = salt
            answer = led.download()
            assert answer["status"] == 502
            assert answer["message"].startswith("this text was rolled back before: no server")
        assert led.saved()["coordinates"] == "60,25"

        # A good one that needs a trial comes through it.
        led.try_for(PATIENCE, host)
        led.serve_good(http_url=f"{server.url}/record/2", coordinates="3,3")
        assert led.download() == {"status": 200, "message": ""}
        host.wait_for("has come through its trial")
        status = led.until(lambda c: c["trial"] is None and c["source"] == "remote")
        assert led.saved()["coordinates"] == "3,3"

        metrics = led.metrics()
        assert 'ruuvi_host_remote_config_fetch_total{result="applied"} 3' in metrics
        assert f'ruuvi_host_remote_config_info{{hash="{status["hash"]}"}} 1' in metrics
        assert "ruuvi_host_remote_config_trial 0" in metrics

        # After another text the one that was rolled back may be right: its server was mended.
        led.serve_good(http_url=f"{server.url}/nowhere", coordinates="2,2")
        assert led.download() == {"status": 200, "message": ""}
        led.post(http_url=f"{server.url}/record/2")
        led.until(lambda c: c["trial"] is None)

        led.serve("oops", 503)
        assert led.download()["status"] == 503
        status = led.status()
        assert (status["fetch"]["result"], status["fetch"]["failures"]) == ("http_503", 1)
        assert host.stop() == 0
    assert not any("Traceback" in line for line in host.err)


def test_a_remote_address_that_does_not_answer_is_given_up(
    tmp_path: Path, server: ConfigServer
) -> None:
    led = Led(tmp_path, server, trial=12)
    led.serve_good(remote_cfg_url=f"{server.url}/elsewhere/", coordinates="6,6")
    with led.running() as host:
        led.until_fetched("applied")
        led.post(coordinates="9,9")  # by hand, and nothing that is on trial
        assert led.status()["trial"]
        # The way back is taken as soon as it can be written.
        resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        host.wait_for("the configuration before cannot come back yet, tried again: .*gw_cfg.json")
        assert led.saved()["remote_cfg_url"] == f"{server.url}/elsewhere/"
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(host.pid, resource.RLIMIT_FSIZE, unlimited)
        status = led.until(lambda c: c["trial"] and "rolled_back" in c["trial"])
        assert "the remote address did not answer" in status["trial"]["reason"]
        assert led.saved()["remote_cfg_url"] == f"{server.url}/gw/"
        assert led.saved()["coordinates"] == "9,9"
        assert host.stop() == 0


def test_a_restart_in_the_middle_of_a_trial(tmp_path: Path, server: ConfigServer) -> None:
    led = Led(tmp_path, server, trial=600)
    led.serve_good()
    with led.running() as host:
        led.until(lambda c: c["fetch"]["result"] == "equal")
        host.wait_for("custom: batches are accepted")
        cuts_off = {"http_url": f"{server.url}/nowhere", "coordinates": "2,2"}
        led.serve_good(**cuts_off, remote_cfg_refresh_interval_minutes=60)
        led.download()
        before = led.until(lambda c: c["trial"])
        assert before["fetch"]["next"] is None, "what is changed meanwhile waits for its end"
        host.stop(signal.SIGKILL)
    (tmp_path / "ruuvi-host.toml").unlink()  # the length of the trial is that of its beginning
    with led.running() as host:
        after = led.until(lambda c: c["trial"])
        assert abs(after["trial"]["until"] - before["trial"]["until"]) <= 1
        assert "custom" in after["trial"]["waiting_for"]
        assert after["source"] == "remote"
        assert host.stop() == 0
    # Its end comes while no host runs: it is still judged, and not unseen.
    record = led.state / "remote.json"
    document = json.loads(record.read_text())
    document["trial"]["began"] -= 3600
    document["trial"]["seconds"] = 40  # of which a tenth is left at least
    record.write_text(json.dumps(document))
    with led.running() as host:
        led.until(lambda c: c["trial"] and "rolled_back" in c["trial"])
        assert led.saved()["http_url"] == f"{server.url}/record"
        assert host.stop() == 0


def test_a_host_starts_and_works_while_its_server_is_away(tmp_path: Path) -> None:
    with ConfigServer() as server:
        led = Led(tmp_path, server)
        nowhere = f"http://127.0.0.1:{free_port()}/gw/"
        led.file.write_text(json.dumps(led.good(remote_cfg_url=nowhere)))
        with led.running() as host:
            host.wait_for("custom: batches are accepted")
            status = led.until_fetched("unreachable")
            assert status["source"] == "local"
            assert status["fetch"]["failures"] == 1
            assert 40 <= status["fetch"]["next"] - status["fetch"]["last"] <= 75
            assert host.stop() == 0
    assert sum("cannot be fetched" in line for line in host.err) == 1


def test_the_own_file_is_named_by_the_address(tmp_path: Path, server: ConfigServer) -> None:
    led = Led(tmp_path, server)
    server.files["/gw/gw_cfg.json"] = (200, json.dumps(led.good(coordinates="4,4")))
    with led.running() as host:
        led.until_fetched("applied")
        assert [path for path, _ in server.asked[:2]] == [OWN, "/gw/gw_cfg.json"]
        assert host.stop() == 0


def test_a_server_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ConfigServer() as server:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.json"
        led = Led(tmp_path, server)
        led.file.write_text(json.dumps(led.good(remote_cfg_url=url)))
        with led.running() as host:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)  # it is asked, and says nothing
                assert host.stop() == 0
    assert not any("cannot be fetched" in line for line in host.err), "it waited for its 10 s"


def fetched(led: Led, *options: str) -> subprocess.CompletedProcess[str]:
    """In its folder; the host runs in another one."""
    command = [COMMAND, "config", "fetch", "--config", led.file.name]
    command += ["--state-dir", led.state.name, *options]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=led.file.parent,
    )


def test_config_fetch(tmp_path: Path, server: ConfigServer) -> None:
    led = Led(tmp_path, server)
    led.serve_good()
    with led.running() as host:
        led.until_fetched("equal")
        led.serve_good(coordinates="5,5", lan_auth_api_key="SECRET")
        before = led.file.read_text()
        ran = fetched(led, "--dry-run")
        assert ran.returncode == 0, ran.stderr
        assert 'coordinates: "" -> "5,5"' in ran.stdout
        assert "lan_auth_api_key: another one" in ran.stdout
        assert "would be taken" in ran.stdout
        assert led.file.read_text() == before
        ran = fetched(led)
        assert (ran.returncode, "taken (http" in ran.stdout) == (0, True), ran.stderr
        assert "SECRET" not in ran.stdout + ran.stderr
        assert led.saved()["coordinates"] == "5,5"
        led.serve("<html>")
        ran = fetched(led)
        assert ran.returncode == 1
        assert "the first byte must be {" in ran.stderr
        assert host.stop() == 0
    assert "SECRET" not in "".join(host.err)


def test_config_fetch_while_no_host_runs(tmp_path: Path, server: ConfigServer) -> None:
    """Written here, and tried with the next start."""
    led = Led(tmp_path, server, trial=2)
    ran = fetched(led)
    assert ran.returncode == 2
    assert "the address of the gateway is not known yet" in ran.stderr
    state = StateDirectory.open(led.state)
    state.save_gateway(DeviceId(bytes(8), bytes.fromhex(MAC)))
    state.close()
    assert fetched(led).returncode == 2, "there is no file"
    led.serve_good(remote_cfg_url=f"{server.url}/elsewhere/", coordinates="6,6")
    assert fetched(led).returncode == 0
    assert led.saved()["coordinates"] == "6,6"
    with led.running() as host:
        led.until(lambda c: c["trial"] and "rolled_back" in c["trial"])
        assert "coordinates" not in led.saved()
        assert host.stop() == 0
    for options in ((), ("--dry-run",)):
        ran = fetched(led, *options)
        assert (ran.returncode, ran.stderr.count("was rolled back before")) == (1, 1)
    assert "would be taken" in fetched(led, "--dry-run", "--force").stdout
    bad = server.files[OWN]
    led.serve_good()
    assert fetched(led).stdout.startswith("equal")
    server.files[OWN] = bad
    assert "would be taken" in fetched(led, "--dry-run").stdout, "another text came between"


def test_a_trial_that_begins_without_a_host_judges_the_targets_too(
    tmp_path: Path, server: ConfigServer
) -> None:
    led = Led(tmp_path, server, trial=600)
    led.serve_good()
    with led.running() as host:
        led.until_fetched("equal")
        host.wait_for("custom: batches are accepted")
        led.download()
        assert host.stop() == 0
    led.serve_good(http_url=f"{server.url}/nowhere")
    before = led.file.read_text()
    for _ in range(2):
        led.file.write_text(before)  # as if the power was cut before it was written
        ran = fetched(led)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "on trial for 600 s from the next start" in ran.stdout
        assert "waits for remote, custom\n" in ran.stdout
    assert fetched(led).stdout.startswith("equal")
    with led.running() as host:
        led.until(lambda c: c["trial"] and c["trial"]["waiting_for"] == ["custom"])
        told = subprocess.run(
            [COMMAND, "status", "--state-dir", str(led.state)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert re.search(
            r"on trial until [-0-9: ]+ \(\d+ min \d+ s left\), waiting for custom", told.stdout
        )
        assert host.stop() == 0
