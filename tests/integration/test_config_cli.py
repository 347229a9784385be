"""`ruuvi-host config` as a user calls it: files change as told, or not at all."""

import json
import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from programs import COMMAND


def config(
    *arguments: str, code: int = 0, text: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUUVI_HOST_")}
    ran = subprocess.run(
        [COMMAND, "config", *arguments],
        capture_output=True,
        text=True,
        input=text,
        env=clean | variables,
    )
    assert ran.returncode == code, ran
    assert "Traceback" not in ran.stderr
    return ran


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A file with every key, commented out."""
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(config("example").stdout)
    path.chmod(0o600)
    return path


def uncommented(path: Path) -> None:
    text = re.sub(r"^# (\[|[a-z_]+ = )", r"\1", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)


# -- example and schema ---------------------------------------------------------------------------


def test_the_example_changes_nothing(toml: Path) -> None:
    assert config("check", str(toml)).stdout == ""
    assert tomllib.loads(toml.read_text()) == {
        name: {} for name in ("http", "statistics", "spool", "watchdog", "api", "log", "gateway")
    } | {"mqtt": {"homeassistant": {}}, "remote_configuration": {}}


def test_the_example_without_its_marks_is_what_is_the_default(toml: Path) -> None:
    uncommented(toml)
    assert config("check", str(toml)).stdout == ""
    values = json.loads(config("show", str(toml), "--json").stdout)
    assert {v["source"] for v in values.values()} == {str(toml), "default"}
    assert values["coprocessor[0].port"]["value"] == "/dev/ttyACM0"
    assert values["sensors.AA:BB:CC:DD:EE:FF.silent_minutes"]["value"] == 30


def test_the_schemas_take_the_examples_and_refuse_mistakes(toml: Path) -> None:
    uncommented(toml)
    document = tomllib.loads(toml.read_text())
    schema = json.loads(config("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    mistakes: list[dict[str, Any]] = [{"prot": 1}, {"max_sensors": 0}, {"spool": {"sync": "x"}}]
    for mistake in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | mistake, schema)
    gateway = json.loads(config("schema", "--gateway").stdout)
    example = json.loads(config("example", "--gateway").stdout)
    jsonschema.Draft202012Validator.check_schema(gateway)
    jsonschema.validate(example | {"company_id": "0x0499", "of_new_firmware": 1}, gateway)
    mistakes = [{"use_http": 1}, {"company_id": 65536}, {"http_auth": "x"}]
    for mistake in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(example | mistake, gateway)


# -- check and show -------------------------------------------------------------------------------


def test_all_problems_at_once_with_their_places(tmp_path: Path) -> None:
    own, gateway = tmp_path / "ruuvi-host.toml", tmp_path / "gw_cfg.json"
    own.write_text('profil = "host"\nmax_sensors = "many"\n[spool]\nsync = "alway"\n')
    gateway.write_text(
        '{"use_htpp": true, "use_http_ruuvi": false, "company_id": -1, "http_period": 0,'
        '"use_http_stat": false}'
    )
    for path in (own, gateway):
        path.chmod(0o600)
    ran = config("check", str(gateway), "--set", "log.level=loud", "--json", code=2)
    found = {problem["key"]: problem for problem in json.loads(ran.stdout)}
    expected = {
        "profil": ("error", "unknown key; is profile meant?", own),
        "max_sensors": ("error", "must be a whole number", own),
        "spool.sync": ("error", "must be one of after_failure, always; is always meant?", own),
        "use_htpp": ("warning", "unknown key; is use_http meant?", gateway),
        "company_id": ("fault", "must be a whole number from 0 to 65535", gateway),
        "http_period": ("warning", "0 is no period", gateway),
        "log.level": ("error", "must be one of info, debug, warning, error", "--set"),
    }
    assert {key: (p["severity"], p["why"], p["source"]) for key, p in found.items()} == {
        key: (severity, why, str(source)) for key, (severity, why, source) in expected.items()
    }
    assert found["http_period"]["instead"] == "taking 10 s"
    assert found["max_sensors"]["value"] == "many"


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "gw_cfg.json"
    secrets = {
        "http_pass": "SECRET1",
        "http_url": "https://u:SECRET2@server/x?key=SECRET3",
        "http_stat_pass": "SECRET4",
        "lan_auth_api_key": "SECRET5",
        "wifi_sta_config": {"ssid": "home", "password": "SECRET6"},
        "mqtt_pass": "SECRET7",
        "remote_cfg_url": "https://u:SECRET8@server/?SECRET9",
    }
    keys: dict[str, Any] = {"use_http": True, "http_auth": "basic", "http_user": "u"}
    path.write_text(json.dumps(keys | secrets))
    for how in ((), ("--json",)):
        shown = config("show", "--all", *how, "--set", "http.proxy=http://u:SECRETA@p:1", str(path))
        assert "SECRET" not in shown.stdout + shown.stderr
        assert "https://…@server/x?…" in shown.stdout
        assert "home" in shown.stdout
    assert "SECRET" not in config("check", str(path)).stdout


@pytest.mark.parametrize("text", [None, "profile = ", "http_perio = 3"])
def test_show_does_not_hide_what_it_could_not_take(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ruuvi-host.toml"
    if text is not None:
        path.write_text(text)
    ran = config("show", str(path), code=2)
    assert ran.stderr.startswith("error: ")
    assert "profile" in ran.stdout
    assert json.loads(config("show", str(path), "--json", code=2).stdout)


def test_two_files_are_one_too_many(tmp_path: Path) -> None:
    ran = config("check", "a.json", "--config", "b.json", code=2)
    assert "second file" in ran.stderr


# -- set ------------------------------------------------------------------------------------------


def test_set_keeps_comments_and_writes_for_the_owner_alone(toml: Path) -> None:
    toml.chmod(0o644)
    before = toml.read_text().splitlines()
    config(
        *("set", "--config", str(toml), "spool.sync=always", "coprocessor.port=/dev/ttyACM7"),
        *("use_http=true", "http_url=http://server/", "scan_filter_list=AA:BB:CC:DD:EE:FF"),
    )
    after = toml.read_text().splitlines()
    assert [line for line in after if line in before] == before
    document = tomllib.loads(toml.read_text())
    assert document["spool"]["sync"] == "always"
    assert document["coprocessor"] == [{"port": "/dev/ttyACM7"}]
    assert document["gateway"]["scan_filter_list"] == ["AA:BB:CC:DD:EE:FF"]
    assert stat.S_IMODE(toml.stat().st_mode) == 0o600
    assert config("check", str(toml)).stdout == ""


def test_each_key_goes_to_its_file(tmp_path: Path) -> None:
    gateway = tmp_path / "gw_cfg.json"
    gateway.write_text('{"coordinates": "1,2", "of_new_firmware": [1]}')
    config("set", "coordinates=60,25", "max_sensors=500", RUUVI_HOST_CONFIG=str(gateway))
    document = json.loads(gateway.read_text())
    assert document["coordinates"] == "60,25"
    assert document["of_new_firmware"] == [1]
    assert next(iter(document)) == "wifi_sta_config"
    assert (tmp_path / "ruuvi-host.toml").read_text() == "max_sensors = 500\n"


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["max_sensors=0"], "max_sensors = 0: must be at least 1"),
        (["profile=host", "spool.sync=x"], "spool.sync = x: must be one of"),
        (["nosuch=1"], "nosuch: unknown key"),
        (["use_http=perhaps"], "use_http = perhaps: must be true or false"),
        (["http_bearer_token=x"], "http_bearer_token: read only with use_http true"),
        (["http_auth=bearer", "use_http=true", "http_bearer_token=@/none"], "/none cannot be read"),
        (["coprocessor.baud=1"], "baud = 1: must be at least 1200"),
        (["use_http"], "config set: must be KEY=VALUE"),
        (["=x"], "config set: must be KEY=VALUE"),
    ],
)
def test_a_bad_value_changes_nothing(toml: Path, pairs: list[str], sentence: str) -> None:
    before = toml.read_text()
    ran = config("set", "--config", str(toml), *pairs, code=2)
    assert sentence in ran.stderr
    assert toml.read_text() == before
    assert os.listdir(toml.parent) == [toml.name]


def test_what_is_set_already_is_said_so(toml: Path) -> None:
    to = ("set", "--config", str(toml), "max_sensors=50")
    assert config(*to).stderr.startswith(f"changed {toml}\n")
    before = toml.stat().st_mtime_ns
    assert config(*to).stderr.startswith("nothing was changed: it is there like that already\n")
    assert toml.stat().st_mtime_ns == before


def test_secrets_come_from_files_and_standard_input(tmp_path: Path, toml: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    to = ("set", "--config", str(toml))
    config(*to, "use_http=true", "http_auth=bearer", f"http_bearer_token=@{tmp_path}/token")
    assert tomllib.loads(toml.read_text())["gateway"]["http_bearer_token"] == "abc"
    config(*to, "http_bearer_token=@-", text="def\n")
    assert tomllib.loads(toml.read_text())["gateway"]["http_bearer_token"] == "def"
    config(*to, "http_bearer_token=@@x")
    assert tomllib.loads(toml.read_text())["gateway"]["http_bearer_token"] == "@x"


def test_what_a_gateway_would_not_keep_is_refused(tmp_path: Path) -> None:
    gateway = tmp_path / "gw_cfg.json"
    gateway.write_text("{}")
    ran = config("set", "--config", str(gateway), "http_period=30", code=2)
    assert "not kept while only Ruuvi Cloud is on" in ran.stderr
    config(
        *("set", "--config", str(gateway), "http_period=30", "use_http=true"),
        "http_url=http://server/",
    )
    assert json.loads(gateway.read_text())["http_period"] == 30


# -- import ---------------------------------------------------------------------------------------

SHOWN = {
    "fw_ver": "v1.17.3",
    "gw_mac": "C8:25:2D:8E:9C:2C",
    "storage": {"storage_ready": True},
    "use_http_ruuvi": False,
    "use_http": True,
    "http_url": "https://server/record",
    "http_period": 30,
    "http_auth": "basic",
    "http_user": "user1",
    "lan_auth_api_key_use": False,
}


def test_import_names_all_secrets_that_are_not_there(tmp_path: Path) -> None:
    shown, path = tmp_path / "ruuvi.json", tmp_path / "gw_cfg.json"
    document: dict[str, Any] = {
        "use_http": True,
        "http_url": "http://server/",
        "http_auth": "basic",
    }
    document |= {"http_user": "u", "use_http_stat": True, "http_stat_user": "s"}
    shown.write_text(json.dumps(document))
    ran = config("import", str(shown), "--config", str(path))
    missing = [line.split()[1] for line in ran.stdout.splitlines() if "is not in it" in line]
    assert missing == ["http_pass:", "http_stat_pass:"]


def test_import_of_what_a_gateway_shows(tmp_path: Path) -> None:
    (tmp_path / "shown.json").write_text(json.dumps(SHOWN))
    target = tmp_path / "ruuvi-host.toml"
    ran = config("import", str(tmp_path / "shown.json"), "--config", str(target))
    assert "http_pass: is not in it" in ran.stdout
    written = json.loads((tmp_path / "gw_cfg.json").read_text())
    assert {k: v for k, v in SHOWN.items() if k in written} == {
        k: written[k] for k in SHOWN if k in written
    }
    assert not {"fw_ver", "gw_mac", "storage", "lan_auth_api_key_use"} & set(written)
    assert stat.S_IMODE((tmp_path / "gw_cfg.json").stat().st_mode) == 0o600
    assert "use_http  " in config("show", str(target)).stdout
    # Once more, with a password saved here: it stays.
    config("set", "--config", str(tmp_path / "gw_cfg.json"), "http_pass=abc")
    assert config("import", str(tmp_path / "shown.json"), "--config", str(target)).stdout == ""
    assert json.loads((tmp_path / "gw_cfg.json").read_text())["http_pass"] == "abc"


@pytest.mark.parametrize("text", ["", "[]", "{", "nonsense", '{"a": "\udcff"}'])
def test_a_file_that_is_none_is_not_imported(tmp_path: Path, text: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(text, errors="surrogateescape")
    ran = config("import", str(bad), "--config", str(tmp_path / "gw_cfg.json"), code=2)
    assert str(bad) in ran.stderr
    assert os.listdir(tmp_path) == ["bad.json"]


def test_faults_of_files_are_all_told(tmp_path: Path) -> None:
    wanted = [
        *("ssl_client_cert", "ssl_server_cert"),
        *("extra_http_headers", "extra_http_path", "extra_http_query"),
    ]
    keys: dict[str, Any] = {f"http_use_{name}": True for name in wanted}
    keys |= {"use_http": True, "http_url": "https://server", "http_auth": "none"}
    (tmp_path / "gw_cfg.json").write_text(json.dumps(keys))
    (tmp_path / "gw_cfg.json").chmod(0o600)
    (tmp_path / "http_headers").write_bytes(b"X-Site: roof\r\nHost: other\r\n")
    (tmp_path / "http_srv_cert.pem").write_text("nonsense")
    (tmp_path / "http_query").mkdir()
    ran = config("check", str(tmp_path / "gw_cfg.json"), code=2)
    found = dict(re.findall(r"^fault: (\S+): (.*)$", ran.stdout, re.MULTILINE))
    assert set(found) == {
        *("http_path", "http_query", "http_headers", "http_srv_cert.pem", "http_cli_cert"),
    }
    assert "line 2: Host is not yours to set" in found["http_headers"]
    assert "is a folder" in found["http_query"]
    assert "does not exist" in found["http_path"]


@pytest.mark.parametrize("command", [["config", "example"], ["config", "show"], ["--help"]])
def test_an_output_that_is_full_is_told_without_a_traceback(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    "document",
    [
        {"scan_filter_list": "AA:BB:CC:DD:EE:FF", "scan_filter_allow_listed": True},
        {"scan_filter_list": ["AA:BB:CC:DD:EE:FF"], "scan_filter_allow_listed": "true"},
        {"use_http": True, "http_url": "http://server/", "http_auth": "digest"},
    ],
)
def test_what_would_be_lost_is_not_imported(tmp_path: Path, document: dict[str, Any]) -> None:
    source, path = tmp_path / "ruuvi.json", tmp_path / "gw_cfg.json"
    source.write_text(json.dumps(document))
    ran = config("import", str(source), "--config", str(path), code=2)
    assert str(source) in ran.stderr
    assert "nothing was changed" in ran.stderr
    assert not path.exists()


def test_import_warns_of_what_old_files_leave_to_defaults(tmp_path: Path) -> None:
    source = tmp_path / "old.json"
    old = {"use_http": True, "http_url": "http://server/", "http_user": "u", "http_pass": "SECRET"}
    source.write_text(json.dumps(old))
    ran = config("import", str(source), "--config", str(tmp_path / "gw_cfg.json"))
    for sentence in (
        "http_user: is not sent without http_auth",
        "http_pass: is not sent without http_auth",
        "use_http_ruuvi: is not given, and by default true: Ruuvi Cloud gets the data",
        "use_http_stat: is not given, and by default true",
    ):
        assert f"warning: {sentence}" in ran.stdout
    assert "SECRET" not in ran.stdout
