"""A fetched text: what is read of it, what refuses it, and what it comes to."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sources import Inputs
from ruuvi_host.remote.judgement import needs_trial
from ruuvi_host.remote.record import Applied, Record, RecordFile, Refusal
from ruuvi_host.remote.text import Refused, published_hash, read
from ruuvi_host.remote.trial import Phase, Trial
from ruuvi_host.remote.weighing import Weighed, weigh

MAC = "AA:CC:EE:00:11:22"
USE = '"remote_cfg_use": true'
URL = "http://127.0.0.1/gw/"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        (" {}", "the first byte must be {, and it is ' ' (32)"),
        ("\ufeff{}", "the first byte must be {"),
        ("[{}]", "the first byte must be {"),
        ("{", "not JSON: "),
        ("{" + USE + "} x", "not JSON: Extra data"),
        ("{" + USE + "," + USE + "}", "the name remote_cfg_use is there twice"),
        ("{" + USE + ', "wifi_sta_config": {"ssid": "", "ssid": ""}}', "the name ssid is there"),
        (
            "{" + USE + ', "Coordinates": "1", "coordinates": "2"}',
            "the name coordinates is there twice",
        ),
        ("{}", "remote_cfg_use: must be true"),
        ('{"remote_cfg_use": 1}', "remote_cfg_use: must be true"),
        ('{"remote_cfg_use": "true"}', "remote_cfg_use: must be true"),
        ("{" + USE + ', "mqtt_port": 99999}', "mqtt_port = 99999: must be a whole number"),
        ("{" + USE + ', "mqtt_port": 0}', "mqtt_port: 0 is not 1 to 65535"),
        ("{" + USE + ', "http_period": 3601}', "http_period: 3601 is not 1 to 3600"),
        ("{" + USE + ', "use_mqtt": 1}', "use_mqtt = 1: must be true or false"),
        ("{" + USE + ', "use_mqtt": null}', "use_mqtt"),
        ("{" + USE + ', "mqtt_transport": "tcp"}', "mqtt_transport = tcp: must be one of"),
        ("{" + USE + ', "coordinates": "' + "1" * 64 + '"}', "coordinates: longer than 63 bytes"),
        ("{" + USE + ', "http_pass": "' + "S" * 51 + '"}', "http_pass: longer than 50 bytes"),
        ("{" + USE + ', "scan_filter_list": ["AA:BB"]}', "scan_filter_list: AA:BB is no"),
        (
            "{" + USE + ', "wifi_ap_config": {"channel": "x"}}',
            "wifi_ap_config.channel = x: must be a whole number",
        ),
        ("{" + USE + ', "http_period": NaN}', "not JSON that can be read"),
        ('{"a":' * 60 + "1" + "}" * 60, "not JSON that can be read"),
    ],
)
def test_what_refuses_a_text(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        read(text)
    assert str(refused.value).startswith(reason)
    assert "SSSS" not in str(refused.value)


def test_what_is_only_worth_a_warning() -> None:
    text = '{"REMOTE_CFG_USE": true, "coordinats": "1", "gw_mac": 5, "nobody": null}\n\n'
    reading = read(text)
    assert reading.document["remote_cfg_use"] is True
    assert reading.warnings == (
        "REMOTE_CFG_USE: is written remote_cfg_use; taken all the same",
        "coordinats: unknown key; is coordinates meant?",
        "nobody: unknown key",
    )


def test_a_hash_is_of_what_is_no_secret() -> None:
    one = '{"mqtt_pass": "a", "http_url": "http://u:p@h/?k=1", "mqtt_port": 1}'
    other = '{ "mqtt_port":1, "mqtt_pass": "b", "http_url": "http://u:q@h/?k=2"}'
    assert published_hash(one) == published_hash(other)
    assert published_hash(one) != published_hash(one.replace("1}", "2}"))
    assert published_hash("<html>") is None


class Weighing:
    """A host with a gw_cfg.json, and texts for it."""

    def __init__(self, folder: Path, own: str = "") -> None:
        self.file = folder / "gw_cfg.json"
        (folder / "ruuvi-host.toml").write_text(own)
        self.have(http_pass="SECRET", http_auth="basic", http_user="u")

    def have(self, **others: Any) -> None:
        document = {
            "remote_cfg_use": True,
            "remote_cfg_url": URL,
            "use_http_ruuvi": False,
            "use_http_stat": False,
            "use_http": True,
            "http_url": "http://127.0.0.1/record",
        }
        self.file.write_text(json.dumps(document | others))
        self.file.chmod(0o600)

    @property
    def present(self) -> Loaded:
        return load(Inputs(self.file))

    def weigh(self, **keys: Any) -> Weighed:
        return weigh(
            self.present,
            lambda text: load(Inputs(self.file, gateway_text=text)),
            json.dumps({"remote_cfg_use": True} | keys),
            MAC,
        )

    def refusal(self, **keys: Any) -> str:
        with pytest.raises(Refused) as refused:
            self.weigh(**keys)
        return str(refused.value)


def test_what_is_missing_stays(tmp_path: Path) -> None:
    found = Weighing(tmp_path).weigh(coordinates="60,25")
    assert found.merged.changed == ("coordinates",)
    assert found.merged.after["http_pass"] == "SECRET"
    assert Weighing(tmp_path).weigh().merged.is_equal
    derived = {"mqtt_prefix": f"ruuvi/{MAC}/", "mqtt_client_id": MAC}
    assert Weighing(tmp_path).weigh(**derived).merged.is_equal, "it is what follows from the MAC"


def test_a_network_of_its_own_means_nothing_here(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path)
    found = weighing.weigh(use_eth=False, wifi_sta_config={"ssid": "x"})
    assert found.merged.after["wifi_sta_config"]["ssid"] == "x"
    assert found.candidate.config == weighing.present.config
    assert not needs_trial(weighing.present, found.candidate)


def test_what_would_cut_a_host_off_is_refused(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path)
    assert weighing.refusal(remote_cfg_url="").startswith("remote_cfg_url: empty")
    assert weighing.refusal(remote_cfg_url="ftp://x.y/").startswith("remote_cfg_url: ")
    assert weighing.refusal(remote_cfg_url="http://x.y/a.json#b").startswith("remote_cfg_url: has")
    token = {"remote_cfg_auth_type": "bearer", "remote_cfg_auth_bearer_token": "SEC\nRET"}
    assert weighing.refusal(**token) == (
        "remote_cfg_auth_bearer_token: has a line break or another control character in it"
    )
    user = {"remote_cfg_auth_type": "basic", "remote_cfg_auth_basic_user": "a:b"}
    assert weighing.refusal(**user).startswith("remote_cfg_auth_basic_user: must not have a colon")
    assert "switches off every server" in weighing.refusal(use_http=False)
    assert weighing.refusal(http_url="nowhere").startswith("http_url: ")
    cert = {"http_url": "https://127.0.0.1/", "http_use_ssl_client_cert": True}
    assert weighing.refusal(**cert).startswith("http_cli_cert: ")
    cert = {"remote_cfg_url": "https://h.example/", "remote_cfg_use_ssl_server_cert": True}
    assert weighing.refusal(**cert).startswith("rcfg_srv_cert: ")
    permitted = Weighing(tmp_path, "[remote_configuration]\nallow_no_target = true\n")
    assert permitted.weigh(use_http=False).candidate.config.targets == ()


def test_what_was_wrong_before_refuses_nothing(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path)
    weighing.have(http_url="https://127.0.0.1/", http_use_ssl_server_cert=True)
    assert weighing.weigh(coordinates="1").merged.changed == ("coordinates",)


def test_local_wins_on_request(tmp_path: Path) -> None:
    own = (
        '[remote_configuration]\npinned = ["http_url", "mqtt_prefix"]\n[gateway]\nhttp_period = 7\n'
    )
    weighing = Weighing(tmp_path, own)
    weighing.have(mqtt_prefix="mine/")
    found = weighing.weigh(http_url="http://127.0.0.2/", http_period=9, coordinates="1")
    assert found.merged.changed == ("http_period", "coordinates")
    assert found.merged.after["http_url"] == "http://127.0.0.1/record"
    assert found.merged.after["mqtt_prefix"] == "mine/"
    assert [remark.partition(":")[0] for remark in found.remarks] == ["http_url", "http_period"]
    assert not needs_trial(weighing.present, found.candidate)
    assert found.candidate.sources.gateway["http_period"] == 7


def test_a_pinned_key_has_to_be_one(tmp_path: Path) -> None:
    own = '[remote_configuration]\npinned = ["mqtt_sever"]\npublic_key = "x"\n'
    keys = [p.key for p in Weighing(tmp_path, own).present.problems]
    assert {"remote_configuration.pinned", "remote_configuration.public_key"} <= set(keys)


@pytest.mark.parametrize(
    ("keys", "trial"),
    [
        ({"coordinates": "1"}, False),
        ({"http_period": 60}, False),
        ({"remote_cfg_refresh_interval_minutes": 60}, False),
        ({"http_url": "http://127.0.0.1/other"}, True),
        ({"remote_cfg_url": "http://127.0.0.1/x.json"}, True),
        ({"use_mqtt": True, "mqtt_server": "localhost"}, True),
        ({"http_pass": "other"}, True),
        ({"company_id": 5, "http_stat_url": "http://127.0.0.1/stat"}, False),
    ],
)
def test_what_needs_a_trial(tmp_path: Path, keys: dict[str, Any], trial: bool) -> None:
    weighing = Weighing(tmp_path)
    assert needs_trial(weighing.present, weighing.weigh(**keys).candidate) is trial


@pytest.mark.parametrize("case", load_vectors("mqtt.json")["keys"], ids=lambda c: c["name"])
def test_keys_of_mqtt(case: dict[str, Any]) -> None:
    """A file of this machine; what is cut or skipped there refuses a fetched one."""
    gateway = GatewayConfig()
    gateway.update(case["present"], Problems())
    gateway.update(case["incoming"], Problems())
    result = case["result"]
    derived = {"mqtt_prefix": f"ruuvi/{MAC}/", "mqtt_client_id": MAC}
    otherwise = {
        "transport_too_long": {"mqtt_transport": "TCP"},  # which is what it means there, too
        "interval_big_number": {"mqtt_sending_interval": 65546},  # kept, then limited
    }
    for name, value in (result | otherwise.get(case["name"], {})).items():
        assert (gateway[name] or derived.get(name, gateway[name])) == value, name


def test_a_record_survives_a_restart(tmp_path: Path) -> None:
    file = RecordFile(tmp_path)
    assert file.read() == Record()
    before = {Path("/a"): "old", Path("/b"): None}
    trial = Trial(Phase.RUNNING, 5.0, 300.0, before, "new", "d", ("custom",), (), False, "why")
    applied = Applied("{}", "s", "sha256:0", 5.0, "http://x/", '"e"', before)
    record = Record(
        applied=applied, pending=applied, trial=trial, refused=Refusal(1.0, None, "d", "r")
    ).with_bad("x")
    file.write(record)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.read() == record
    assert "old" not in repr(record)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"memory": 1}', "\x00", "9" * 5000])
def test_a_record_that_is_none_counts_for_nothing(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = RecordFile(tmp_path)
    file.path.write_text(text)
    assert file.read() == Record()
    told = [r for r in caplog.records if r.name.startswith("ruuvi_host")]
    assert "what was fetched before is forgotten" in told[0].getMessage()
