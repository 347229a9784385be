"""What the page asks a running host for, and what it sends: in JSON, without a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates import authority
from programs import PATIENCE, ruuvi_host

SECRETS = {
    "http_pass": "SECRET-of-http",
    "http_stat_pass": "SECRET-of-statistics",
    "mqtt_pass": "SECRET-of-mqtt",
    "lan_auth_api_key": "SECRET-for-reading",
    "lan_auth_api_key_rw": "SECRET-for-writing",
    "remote_cfg_auth_bearer_token": "SECRET-of-remote",
}
SENSOR = "AA:BB:CC:DD:EE:FF"
SENSOR_KEY = "5EC2E7" + "00" * 13
CONFIG = SECRETS | {
    "use_http_ruuvi": False,
    "use_http": True,
    "use_http_stat": False,
    "http_url": "http://127.0.0.1:9/record",
    "http_auth": "basic",
    "http_user": "anna",
    "remote_cfg_auth_type": "bearer",
    "wifi_sta_config": {"ssid": "home", "password": "SECRET-of-wifi"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    files = {
        "gw_cfg.json": json.dumps(CONFIG),
        "ruuvi-host.toml": 'trust_clock = true # mine\n[api]\nlisten = "127.0.0.1:0"\n'
        "[gateway]\nhttp_period = 20\n"
        f'[sensors."{SENSOR}"]\nname = "Fridge"\nkey = "{SENSOR_KEY}"\n',
        "http_query": "key=value",
        "http_cli_key": authority().issue_cert("a.example").private_key_pem.bytes().decode(),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    with ruuvi_host(
        *("run", "--simulate", "--config", str(folder / "ruuvi-host.toml")),
        *("--state-dir", str(folder / "state")),
    ) as program:
        yield program.wait_for(r"local API: (http://127\.0\.0\.1:\d+)")[1]


def ask(url: str, key: str = "lan_auth_api_key_rw") -> httpx.Client:
    headers = {"Authorization": f"Bearer {SECRETS[key]}"} if key else {}
    return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE)


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with ask(url) as made:
        yield made


def saved(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "gw_cfg.json").read_text())
    return document


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_settings_have_no_secret(client: httpx.Client, folder: Path) -> None:
    answer = client.get("/host/settings")
    assert answer.status_code == 200
    assert "SECRET" not in answer.text
    assert SENSOR_KEY not in answer.text
    assert "PRIVATE KEY" not in answer.text
    settings = answer.json()
    assert set(settings["secrets"]) >= {"http_pass", "lan_auth_api_key", "lan_auth_api_key_rw"}
    assert settings["sensors"][SENSOR] == {"name": "Fridge", "key": True}
    assert settings["texts"] == {"http_query": "key=value"}
    assert "http_cli_key" in settings["files"]
    assert settings["fixed"] == {"http_period": str(folder / "ruuvi-host.toml")}
    assert settings["values"]["http_period"] == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/host/settings"),
        ("POST", "/host/settings"),
        ("GET", "/host/undo"),
        ("POST", "/host/undo"),
        ("GET", "/host/log"),
    ],
)
def test_the_key_for_reading_is_not_enough(url: str, method: str, path: str) -> None:
    with ask(url, "lan_auth_api_key") as reading:
        assert reading.request(method, path, json={}).status_code == 401


@pytest.mark.parametrize("path", ["/host/now", f"/host/history?address={SENSOR}&quantity=rssi"])
def test_the_key_for_reading_is_enough(url: str, path: str) -> None:
    with ask(url, "lan_auth_api_key") as reading:
        assert reading.get(path).status_code == 200
    with ask(url, "") as stranger:
        assert stranger.get(path).status_code == 302
        page = stranger.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")


def test_now(client: httpx.Client) -> None:
    now = client.get("/host/now").json()
    assert now["name"].startswith("RuuviGateway")
    [fridge] = [sensor for sensor in now["sensors"] if sensor["name"]]
    # It is waited for, and has not been heard.
    assert (fridge["address"], fridge["age"], fridge["readings"]) == (SENSOR, None, [])
    [target] = now["targets"]
    assert target["name"] == "custom"


@pytest.mark.parametrize("query", ["", "?address=x&quantity=rssi", "?quantity=rssi"])
def test_a_plot_of_nobody(client: httpx.Client, query: str) -> None:
    assert client.get(f"/host/history{query}").status_code == 400


def test_all_at_once_and_back(client: httpx.Client, folder: Path) -> None:
    before = everything(folder)
    wish = {
        "gateway": {"http_url": "http://127.0.0.1:9/new", "http_period": 30},
        "files": {"http_headers": "X-One: 1\r\n", "http_query": None},
        "host": [[f"sensors.{SENSOR}.name", "Freezer"]],
    }
    answer = client.post("/host/settings", json=wish)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told["changed"]) == {
        *("http_url", "http_headers", "http_query"),
        f"sensors.{SENSOR}.name",
    }
    assert told["fixed"] == {"http_period": str(folder / "ruuvi-host.toml")}
    assert told["ends_sessions"] is False
    assert saved(folder)["http_url"].endswith("/new")
    assert (folder / "http_headers").read_bytes() == b"X-One: 1\r\n"
    assert (folder / "http_headers").stat().st_mode & 0o777 == 0o600
    assert not (folder / "http_query").exists()
    own = (folder / "ruuvi-host.toml").read_text()
    assert 'name = "Freezer"' in own
    assert "# mine" in own
    [version, *_] = client.get("/host/undo").json()["versions"]
    assert "http_url" in version["what"]
    # One step leads back from all of it.
    assert client.post("/host/undo", json={}).status_code == 200
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("wish", "key"),
    [
        ({"host": [[f"sensors.{SENSOR}.key", "short"]]}, "key"),
        ({"host": [[f"sensors.{SENSOR}.no_such_key", "1"]]}, "no_such_key"),
        ({"files": {"http_cli_cert": "no certificate"}}, "http_cli_cert"),
        ({"files": {"http_headers": "Host: x\r\n"}}, "http_headers"),
        ({"files": {"http_path": "p" * 8193}}, "http_path"),
    ],
)
def test_nothing_of_what_cannot_be_used(
    client: httpx.Client, folder: Path, wish: dict[str, Any], key: str
) -> None:
    before = everything(folder)
    good = {"gateway": {"http_user": "other"}, "files": {"http_query": "other"}}
    together = good | wish | {"files": good["files"] | wish.get("files", {})}
    answer = client.post("/host/settings", json=together)
    assert answer.status_code == 400
    [problem] = answer.json()["problems"]
    assert key in problem["key"]
    assert problem["why"]
    assert everything(folder) == before


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"no json", b'{"gateway": []}', b'{"files": []}', b'{"host": {}}'),
        *(b'{"host": [["a"]]}', b'{"host": [["a", 1]]}', b'{"host": ["ab"]}'),
        *(b'{"files": {"../x": "y"}}', b'{"files": {"http_path": 1}}'),
        b'{"files": {"gw_cfg.json": "{}"}}',
        # They would have a program run, or a file written anywhere.
        b'{"host": [["coprocessor.reset_command", "true"]]}',
        b'{"host": [["target.log.folder", "/tmp"]]}',
        *(b'{"host": [["state_dir", "/tmp"]]}', b'{"host": [["api.listen", "0.0.0.0:80"]]}'),
    ],
)
def test_what_is_no_wish(client: httpx.Client, folder: Path, body: bytes) -> None:
    before = everything(folder)
    answer = client.post("/host/settings", content=body)
    assert (answer.status_code, answer.content) == (400, b"{}")
    assert everything(folder) == before


def test_nothing_changes_nothing(client: httpx.Client, folder: Path) -> None:
    before = everything(folder)
    answer = client.post("/host/settings", json={})
    assert answer.status_code == 200
    assert answer.json()["changed"] == []
    assert everything(folder) == before


def test_a_target_that_cannot_work_is_told(client: httpx.Client) -> None:
    wish = {"gateway": {"http_url": "http://127.0.0.1:9/x", "http_use_extra_http_path": True}}
    told = client.post("/host/settings", json=wish).json()
    assert any(problem["key"] == "http_url" for problem in told["problems"])
    assert client.post("/host/undo", json={}).status_code == 200


def test_the_log(client: httpx.Client) -> None:
    lines = client.get("/host/log").json()["lines"]
    assert any("local API: http://" in line for line in lines)
    assert not any("SECRET" in line for line in lines)
