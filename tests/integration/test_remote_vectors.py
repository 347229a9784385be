"""Cases of the group remote (tests/vectors/mqtt.json), and those of gw_cfg_download, against a live
host: what it asks for, what it answers, what it has saved then.

One process for all: each case begins with a file of its own, and SIGHUP. https is http here: what
is about certificates stands in test_remote_download_tls.py.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from api_cases import DOWNLOADS
from config_server import MAC, ConfigServer
from conftest import load_vectors
from led_host import Led
from programs import PATIENCE, Program, read_again

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.problems import Problems

CASES = {
    case["name"]: case
    for case in load_vectors("mqtt.json")["remote"]
    if case["how"] != "check"  # test_remote_check_vectors.py has them
}
COLONS = ":".join(MAC[i : i + 2] for i in range(0, 12, 2))
THERE = ("https://cfg.example.com", "http://cfg.example.com", "http://localhost:8000")
HOST: dict[str, tuple[bool, int]] = {
    "own_file_server_error": (False, 500),
    "url_too_short": (False, 400),
    "trailing_text": (False, 502),
    "keys_any_case": (False, 502),
}
"""What `host` of these cases comes to: is it accepted, and the status."""
OTHERWISE = {"scheme_upper_case", "file_with_query", "status_304"}
"""Their `host` is about what no other server tells here: see test_remote_parts.py."""


class Player:
    """A host, its server, and what the cases do with them."""

    def __init__(self, folder: Path, server: ConfigServer, stack: ExitStack) -> None:
        self.led, self.server = Led(folder, server, trial=PATIENCE), server
        own = folder / "ruuvi-host.toml"
        # Brokers of the cases are never asked for; and nothing is fetched but on demand.
        text = own.read_text().replace("splay_s = 0", "splay_s = 86400\nallow_no_target = true")
        own.write_text(text + "[gateway]\nuse_mqtt = false\n")
        self.led.serve_good(coordinates="first")
        self.host: Program = stack.enter_context(self.led.running())
        self.led.until_fetched("applied")

    def local(self, value: Any) -> Any:
        """Of the case, with the addresses of our server and host."""
        text = json.dumps(value).replace("AACCEE001122", MAC).replace("AA:CC:EE:00:11:22", COLONS)
        text = text.replace("AABBCCDDEEFF", MAC).replace("https://example.com", self.server.url)
        for there in THERE:
            text = text.replace(there, self.server.url)
        return json.loads(text)

    def begin(self, present: Mapping[str, Any], name: str) -> None:
        """With this configuration in force."""
        document = self.led.good(coordinates="") | self.local(dict(present))
        self.led.file.write_text(json.dumps(document))
        self.server.files.clear()
        self.server.salt = name
        read_again(self.host)
        self.led.until(lambda c: not c["trial"] or "until" not in c["trial"])
        self.server.asked.clear()

    def saved(self) -> GatewayConfig:
        gateway = GatewayConfig()
        gateway.update(self.led.saved(), Problems())
        return gateway


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    with ExitStack() as stack:
        server = stack.enter_context(ConfigServer())
        yield Player(tmp_path_factory.mktemp("led"), server, stack)


@pytest.mark.parametrize("name", [n for n in CASES if n not in OTHERWISE and n != "network_error"])
def test_remote(name: str, player: Player) -> None:
    case = CASES[name]
    player.begin(case["present"], name)
    before = player.saved().values
    for each in case["server"]:
        path = player.local(each["url"]).removeprefix(player.server.url)
        player.server.files[path] = (each["status"], player.local(each["body"]))
    codes = case["code"] if "code" in case else case["answer"]["body"]["status"]
    first = codes[0] if isinstance(codes, list) else codes
    accepted, code = HOST.get(name, (case["accepted"], first))
    answer = player.led.download()
    assert answer["status"] == code, answer
    assert (answer["message"] == "") is accepted
    if name != "own_file_server_error":
        asked = [player.server.url + path for path, _ in player.server.asked]
        assert asked == player.local(case["requests"])[: len(asked)]
        assert len(asked) == (1 if case["how"] == "twice" else len(case["requests"]))
    else:
        assert len(player.server.asked) == 1
    if case["how"] == "twice":
        if player.led.status()["trial"]:
            player.host.wait_for("has come through its trial")
            player.led.until(lambda c: not c["trial"])
        assert player.led.download() == {"status": 200, "message": ""}
    after = player.saved()
    if not accepted:
        assert after.values == before
        return
    wanted = player.local(case["after"])
    token = wanted.pop("remote_cfg_auth_user_or_token")
    derived = {"mqtt_prefix": f"ruuvi/{COLONS}/", "mqtt_client_id": COLONS}
    for key, value in wanted.items():
        assert (after[key] or derived.get(key, after[key])) == value, key
    kinds = {
        "basic": "remote_cfg_auth_basic_user",
        "bearer": "remote_cfg_auth_bearer_token",
    }
    kind = kinds.get(after["remote_cfg_auth_type"])
    assert (after[kind] if kind else "") == token


@pytest.mark.parametrize("name", DOWNLOADS)
def test_gw_cfg_download(name: str, player: Player) -> None:
    case = DOWNLOADS[name]
    player.begin(case["config"], name)
    download = case["state"].get("upstream", {}).get("download")
    if download:
        path = f"/cfg/{MAC}.json"
        player.server.files[path] = (download["status"], download["body"])
    answer = player.led.download()
    wanted = json.loads(case["response"]["body"])
    if name == "download_url_too_short":  # nothing is fetched there at all
        player.begin({"remote_cfg_use": True, "remote_cfg_url": ""}, name)
        answer, wanted["status"] = player.led.download(), 400
    assert answer["status"] == wanted["status"]
    assert (answer["message"] == "") is (answer["status"] == 200)
