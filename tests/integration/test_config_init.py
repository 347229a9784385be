"""`ruuvi-host config init`: on a real terminal, and by options alone."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from programs import COMMAND, ruuvi_host, simulated
from terminal import terminal
from usb_bus import NEEDS, WRAPPER, Bus


def init(
    *arguments: str, folder: Path, code: int = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    nowhere = {"RUUVI_HOST_ROOT": str(folder / "nowhere"), "HOME": str(folder)}
    ran = subprocess.run(
        [COMMAND, "config", "init", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env=os.environ | nowhere | variables,
    )
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    return ran


def test_asked_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    with (
        ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1") as server,
        simulated() as board,
        terminal("config", "init", "--config", str(path)) as screen,
    ):
        url = server.wait_for(r'"listening": "(.*?)"')[1]
        port = board.port
        screen.wait_for("Number or name of the port|Ask each of them")
        if "Ask each of them" in screen.text:  # this machine has ports, which are not asked
            screen.answer("Ask each of them", "n")
        screen.answer("Number or name of the port", "COM3")
        screen.wait_for("COM3: is a port of Windows")
        screen.answer("Number or name of the port", port)
        screen.wait_for(f"{port}: a coprocessor, F5:CA:F0:01:B0:FC")
        screen.answer("URL of your server", "ftp://x/")
        screen.wait_for("the address must begin with")
        screen.answer("URL of your server", url)
        screen.answer(r"What does it get of each tag \(raw, decoded, both\) \[raw\]", "both")
        screen.answer(r"Seconds between posts \[10\]|Seconds between posts .*\[10\]", "")
        screen.answer(r"Try a delivery now\? \[Y/n\]", "")
        assert screen.wait() == 0, screen.text
        server.wait_for('"tags": 0.*"signature": "ok"')
        assert "custom: delivered" in screen.text
        assert f"Next: ruuvi-host run --config {path}" in screen.text
    written = tomllib.loads(path.read_text())
    assert written["coprocessor"] == [{"port": port}]
    assert written["gateway"] == {
        "use_http": True,
        "http_url": url,
        "http_data_format": "ruuvi_raw_and_decoded",
        "http_period": 10,
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_kept_unless_wanted(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    path.write_text("# mine\nmax_sensors = 50\n")
    with terminal("config", "init", "--config", str(path)) as screen:
        screen.answer("is there already. Change it", "n")
        assert screen.wait() == 1
    assert path.read_text() == "# mine\nmax_sensors = 50\n"
    init("--port", "/dev/ttyACM0", "--url", "", "--yes", "--config", str(path), folder=tmp_path)
    assert path.read_text().startswith("# mine\nmax_sensors = 50\n")
    assert tomllib.loads(path.read_text())["coprocessor"] == [{"port": "/dev/ttyACM0"}]


@pytest.mark.skipif(not WRAPPER, reason=f"needs {NEEDS}")
def test_the_list_says_who_answers(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    with Bus() as bus:
        bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="1234", seed=7)
        with terminal("config", "init", "--config", str(path), env=bus.env) as screen:
            screen.wait_for("  1  /dev/ttyACM0|  1  /dev/serial")
            screen.answer(r"Ask each of them who is there\? .*\[Y/n\]", "")
            screen.wait_for("  1  /dev/.*: a coprocessor, ")
            screen.answer(r"Number or name of the port \[1\]", "7")
            screen.wait_for("There is no number 7 in the list")
            screen.answer(r"Number or name of the port \[1\]", "")
            screen.answer("URL of your server", "")
            assert screen.wait() == 0
            assert "There is no server yet" in screen.text
    [coprocessor] = tomllib.loads(path.read_text())["coprocessor"]
    assert coprocessor["port"].startswith("/dev/")


def test_by_options_alone(tmp_path: Path) -> None:
    options = ("--port", "/dev/ttyACM0", "--url", "http://me:secret@my.server/record")
    done = init(*options, "--format", "decoded", "--interval", "30", folder=tmp_path)
    assert "secret" not in done.stderr
    written = tomllib.loads((tmp_path / "ruuvi-host.toml").read_text())["gateway"]
    assert written["http_data_format"] == "ruuvi_decoded"
    assert (written["http_auth"], written["http_period"]) == ("basic", 30)
    checked = subprocess.run(
        [COMMAND, "config", "check", "ruuvi-host.toml"], cwd=tmp_path, capture_output=True
    )
    assert checked.returncode == 0, checked
    # The service's file, when there is one.
    service = tmp_path / "root/etc/ruuvi-host/ruuvi-host.toml"
    service.parent.mkdir(parents=True)
    service.write_text("# of a package\n")
    done = init(*options, "--yes", folder=tmp_path, RUUVI_HOST_ROOT=str(tmp_path / "root"))
    assert f"changed {service}" in done.stderr
    assert "sudo systemctl restart ruuvi-host" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "--port: is needed, as there is nobody to be asked"),
        (("--port", "/dev/x"), "--url: is needed, as there is nobody to be asked"),
        (("--port", "COM3", "--url", ""), "coprocessor.port: is a port of Windows"),
        (("--port", "/dev/x", "--url", "my.server"), "--url: the address must begin with"),
        (("--port", "/dev/x", "--url", "", "--interval", "0"), "--interval"),
    ],
)
def test_what_is_missing_or_wrong(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    done = init(*options, folder=tmp_path, code=2)
    assert sentence in done.stderr
    assert not (tmp_path / "ruuvi-host.toml").exists()


def test_a_new_file_of_a_gateway_sends_nothing_to_ruuvi(tmp_path: Path) -> None:
    options = ("--port", "/dev/ttyACM0", "--url", "http://my.server/", "--config", "gw_cfg.json")
    init(*options, folder=tmp_path)
    written = json.loads((tmp_path / "gw_cfg.json").read_text())
    switches = {name: written[name] for name in ("use_http", "use_http_ruuvi", "use_http_stat")}
    assert switches == {"use_http": True, "use_http_ruuvi": False, "use_http_stat": False}


def test_who_goes_away_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    with terminal("config", "init", "--port", "/dev/x", "--config", str(path)) as screen:
        screen.wait_for("URL of your server")
        screen.type("\x04")
        assert screen.wait() == 1
    assert not path.exists()


def test_a_delivery_that_does_not_arrive_keeps_the_file(tmp_path: Path) -> None:
    options = ("--port", "/dev/nothing", "--url", "http://127.0.0.1:9/", "--check")
    done = init(*options, folder=tmp_path)
    assert "/dev/nothing: there is no such port" in done.stderr
    assert "The settings are written all the same." in done.stderr
    assert (tmp_path / "ruuvi-host.toml").exists()
