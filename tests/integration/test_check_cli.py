"""`ruuvi-host check` as a user calls it: what is posted, what is said, and how it ends."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import COMMAND, Program, ruuvi_host, simulated


@pytest.fixture
def receiver() -> Iterator[tuple[Program, str]]:
    with ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1") as program:
        yield program, program.wait_for(r'"listening": "(.*?)"')[1]


def check(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUUVI_HOST_")}
    ran = subprocess.run([COMMAND, "check", *arguments], capture_output=True, text=True, env=clean)
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    return ran


def test_delivered(receiver: tuple[Program, str]) -> None:
    program, url = receiver
    assert check("--url", url, "--simulate").stdout == "custom: delivered (status 200)\n"
    batch = json.loads(program.wait_for('.*"nonce".*').string)
    assert (batch["tags"], batch["signature"]) == (0, "ok")


def test_the_coprocessor_is_asked_who_it_is(receiver: tuple[Program, str]) -> None:
    program, url = receiver
    with simulated() as board:
        port = board.port
        check("custom", "--url", url, "--port", port)
        assert board.stop() == 0
    assert json.loads(program.wait_for('.*"nonce".*').string)["signature"] == "ok"


def test_all_that_is_on_is_checked(receiver: tuple[Program, str], tmp_path: Path) -> None:
    _, url = receiver
    path = tmp_path / "gw_cfg.json"
    keys = {"use_http": True, "http_url": f"{url}/batch", "http_data_format": "ruuvi_decoded"}
    keys |= {"use_http_ruuvi": False, "http_stat_url": f"{url}/status"}
    path.write_text(json.dumps(keys))
    ran = check("--config", str(path), "--simulate", "--json")
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(r["target"], r["delivered"]) for r in results] == [
        ("custom", True),
        ("statistics", True),
    ]


@pytest.mark.parametrize(
    ("options", "step"),
    [
        (["--answer", "401"], "auth"),
        (["--answer", "404"], "path"),
        (["--answer", "413"], "body"),
        (["--answer", "503"], "server"),
    ],
)
def test_not_delivered(options: list[str], step: str) -> None:
    with ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1", *options) as program:
        url = program.wait_for(r'"listening": "(.*?)"')[1]
        ran = check("--url", url, "--simulate", code=4)
    assert ran.stdout.startswith(f"custom: not delivered: {step}: status ")
    assert "; " in ran.stdout  # and what to do


def test_another_key_than_the_server_expects() -> None:
    with ruuvi_host("receive", "--port", "0", "--json", "--key", "another") as program:
        url = program.wait_for(r'"listening": "(.*?)"')[1]
        ran = check("--url", url, "--simulate", code=4)
    assert ran.stdout.startswith("custom: not delivered: signature: ")
    assert "01:B0:FC:" not in ran.stdout  # the device id is a secret


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--simulate"], "--url: nothing to check"),
        (["ruuvi", "--simulate"], "use_http_ruuvi: is off"),
        (["status", "--simulate"], "use_http_stat: is off"),
        (["--url", "ftp://x/", "--simulate"], "--url: the address must begin"),
        (["--url", "https://network.ruuvi.com/x", "--simulate"], "never sent to Ruuvi"),
        (
            ["--url", "http://127.0.0.1:9/", "--state-dir", "/nonexistent"],
            "--port: name it",
        ),
        (["--simulate", "--set", "use_http=1x"], "use_http = 1x: must be true or false"),
        (["--simulate", "--config", "/nonexistent"], "/nonexistent: cannot be read"),
        (
            ["--simulate", "--set", "use_http=true", "--set", "http_url=nonsense"],
            "http_url: the address must begin with http",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used(arguments: list[str], sentence: str) -> None:
    assert sentence in check(*arguments, code=2).stderr


def test_no_coprocessor() -> None:
    ran = check("--url", "http://127.0.0.1:9/", "--port", "/nonexistent", code=3)
    assert "there is no such port" in ran.stderr


def test_the_remote_configuration(tmp_path: Path) -> None:
    (tmp_path / "gw_cfg.json").write_text('{"remote_cfg_use": true, "mqtt_portt": 1}')
    (tmp_path / "bad.json").write_text('{"remote_cfg_use": true, "mqtt_port": 99999}')
    with ruuvi_host("receive", "--port", "0", "--gw-cfg", str(tmp_path)) as server:
        url = server.wait_for(r"Listening on (\S+)")[1]

        def of(address: str, code: int = 0) -> str:
            options = [f"--set=remote_cfg_url={address}", "--set=remote_cfg_use=true"]
            return check("remote", "--simulate", *options, code=code).stdout

        said = of(url)
        assert said.startswith(f"remote: fetched {url}gw_cfg.json (status 200): 2 keys; mqtt_portt")
        assert "config fetch --dry-run" in said
        server.wait_for("asked  .* GET /gw_cfg.json  answered 200")
        missing = of(f"{url}none.json", 4)
        assert missing.startswith("remote: not fetched: path: status 404 Not Found")
        assert "remote: not fetched: file: mqtt_port" in of(f"{url}bad.json", 4)
    assert "remote: not fetched: answer: " in of(url, 4)
    off = check("remote", "--simulate", code=2)
    assert off.stderr.startswith("Error: remote_cfg_use: is off")
