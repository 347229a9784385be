"""[[target]] of kind influxdb: its settings, and what is wrong with them; derived of both kinds."""

from dataclasses import replace
from pathlib import Path

import pytest

from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.schema import host_schema
from ruuvi_host.config.show import lines, secrets
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import Authorization, FileTarget, InfluxTarget, TlsFiles
from ruuvi_host.relay.kinds import kind_of

GOOD = '[[target]]\nname = "db"\nkind = "influxdb"\nurl = "http://h:8086"\n'
FILE = '[[target]]\nname = "log"\nkind = "file"\nfolder = "data"\n'


def loaded(text: str, folder: Path, mode: int = 0o600) -> Loaded:
    path = folder / "ruuvi-host.toml"
    path.write_text(text)
    path.chmod(mode)
    return load(Inputs(path))


def made(text: str, folder: Path) -> InfluxTarget:
    found = loaded(text, folder)
    assert found.problems == []
    [target] = found.config.targets
    assert isinstance(target, InfluxTarget)
    return target


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("", "http://h:8086/write?db=ruuvi&precision=s"),
        ('database = "a b&c"', "http://h:8086/write?db=a%20b%26c&precision=s"),
        ('retention = "year"', "http://h:8086/write?db=ruuvi&rp=year&precision=s"),
        ('database = ""', "http://h:8086/write?precision=s"),
        ('api = "v2"', "http://h:8086/api/v2/write?bucket=ruuvi&precision=s"),
        ('api = "v2"\norg = "my home"', "http://h:8086/api/v2/write?org=my%20home&bucket=ruuvi"),
    ],
)
def test_the_address_of_the_write_request(tmp_path: Path, more: str, url: str) -> None:
    found = made(GOOD + more, tmp_path).server.url
    assert found.startswith(url)
    assert found.endswith(("&precision=s", "?precision=s"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://h/", "https://h/write?"),
        ("http://h/influx/", "http://h/influx/write?"),
        ("http://h/write", "http://h/write?"),
        ("http://[::1]:8428", "http://[::1]:8428/write?"),
    ],
)
def test_paths(tmp_path: Path, url: str, path: str) -> None:
    assert made(GOOD.replace("http://h:8086", url), tmp_path).server.url.startswith(path)


def test_all_that_can_be_set(tmp_path: Path) -> None:
    more = (
        'api = "v2"\norg = "o"\nbucket = "b"\ntoken = "secret"\ninterval = 60\n'
        'measurement = "m"\ntags = ["b=2", "a=1"]\nderived = ["iaqs", "dew_point", "iaqs"]\n'
        'gzip = false\nsrv_cert = "ca.pem"\ncli_cert = "c.pem"\ncli_key = "/k.pem"\n'
        'client_key_password = "pw"\nproxy = "http://p:3128"\n'
    )
    target = made(GOOD + more, tmp_path)
    server = target.server
    assert target.points.tags == (("a", "1"), ("b", "2"))
    assert target.derived == ("dew_point", "iaqs")
    assert (target.points.measurement, target.compress, target.period) == ("m", False, 60)
    assert server.authorization == Authorization("Token secret")
    assert server.tls == TlsFiles(tmp_path / "c.pem", Path("/k.pem"), "pw", tmp_path / "ca.pem")
    assert (server.proxy, server.keep_alive) == ("http://p:3128", True)
    assert "secret" not in repr(target)


def test_user_and_password_and_empty_paths(tmp_path: Path) -> None:
    target = made(GOOD + 'user = "u"\npass = "p:w"\nsrv_cert = ""\n', tmp_path)
    assert target.server.authorization == Authorization("Basic dTpwOnc=", basic=True)
    assert target.server.tls == TlsFiles()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD.replace("http://h:8086", "h:8086"), "url: the address cannot be used: it names no"),
        (GOOD.replace("h:8", "u:pw@h:8"), "url: user and password have keys of their own"),
        (GOOD.replace("8086", "8086/?db=x"), "url: must end before the ?"),
        (GOOD.replace("8086", "8086/api/v2/write"), "api: v1 does not go with an address"),
        (GOOD.replace('url = "http://h:8086"\n', ""), "url: is missing"),
        (GOOD + 'api = "v3"', "api = v3: must be one of v1, v2"),
        (GOOD + 'token = "a"\nuser = "u"', "token: stands in place of user and pass"),
        (GOOD + 'token = "ä"', "token: must be printable ASCII"),
        (GOOD + 'token = "a\\nb"', "token: must be printable ASCII"),
        (GOOD + 'pass = "a"', "user: is missing"),
        (GOOD + 'user = "a:b"', "user: must not have a colon"),
        (GOOD + 'schema = "bridge"', "schema = bridge: must be one of ruuvi, ruuvibridge, "),
        (GOOD + 'measurement = ""', "measurement: must have printable characters"),
        (GOOD + 'measurement = "#a"', "measurement: must have printable characters"),
        # Where a backslash is left out, these would begin with # and _.
        (GOOD + "measurement = '\\\\#a'", "measurement: must have printable characters"),
        (GOOD + "measurement = '\\'", "measurement: must have printable characters"),
        (GOOD + "tags = ['\\\\_a=x']", r"tags: \\_a: databases read a backslash in different ways"),
        (GOOD + 'tags = ["a"]', "tags: a must be key=value"),
        (GOOD + 'tags = ["a="]', "tags: a= must be key=value"),
        (GOOD + 'tags = ["name=x"]', "tags: name is a name of its own there"),
        (GOOD + 'tags = ["_x=x"]', "tags: _x: databases keep names that begin with _"),
        (GOOD + 'tags = ["a=x", "a=y"]', "tags: a is there twice"),
        (GOOD + 'tags = ["a=x\\ny"]', "tags: there are characters in one that cannot be printed"),
        (GOOD + 'schema = "ruuvibridge"\ntags = ["mac=x"]', "tags: mac is a name of its own"),
        (GOOD + 'schema = "ruuvibridge"\nderived = ["iaqs"]', "derived: goes with schema ruuvi"),
        (GOOD + 'cli_cert = "x"', "cli_key: is missing: cli_cert needs it"),
        (GOOD + 'cli_key = "x"', "cli_cert: is missing: cli_key needs it"),
        (GOOD + 'derived = ["dew_pont"]', "dew_pont must be one of"),
        (GOOD + 'derived = ["dew_pont"]', "; is dew_point meant?"),
        (FILE + 'derived = ["vapour_pressure_deficit"]', "is vapor_pressure_deficit meant?"),
        (FILE + "derived = [7]", "must be a list of texts"),
        (FILE + 'content = "gateway"\nderived = ["iaqs"]', "derived: goes with content readings"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    problems = [p for p in loaded(text, tmp_path).problems if p.severity is Severity.ERROR]
    assert len(problems) == 1
    assert sentence in str(problems[0])
    assert "pw" not in str(problems[0])


def test_derived_values_of_files(tmp_path: Path) -> None:
    found = loaded(FILE + 'derived = ["iaqs", "dew_point"]', tmp_path)
    assert found.problems == []
    target = FileTarget("log", tmp_path / "data")
    assert found.config.targets == (replace(target, derived=("dew_point", "iaqs")),)


def test_without_times_there_is_nothing_to_write(tmp_path: Path) -> None:
    found = loaded(f"{GOOD}{FILE}[gateway]\nntp_use = false\n", tmp_path)
    assert [target.name for target in found.config.targets] == ["log"]
    [fault] = [p for p in found.problems if p.severity is Severity.FAULT]
    assert str(fault).startswith("target.db: a database needs times")
    assert found.config.faults == (str(fault),)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    words = ("geheim123", "salainen", "hemmelig", "segreto1")
    text = GOOD.replace("h:8086", f"u:{words[3]}@h:8086") + (
        f'token = "{words[0]}"\nproxy = "http://u:{words[1]}@p"\n'
        f'client_key_password = "{words[2]}"\n'
    )
    found = loaded(text, tmp_path)
    shown = "\n".join(f"{line.key} {line.value}" for line in lines(found.sources))
    told = "\n".join(str(problem) for problem in found.problems)
    for word in words:
        assert word not in shown + told
        assert any(word in secret for secret in secrets(found.sources)), "for other texts"


def test_who_can_read_a_token_is_told(tmp_path: Path) -> None:
    for text, told in ((GOOD + 'token = "x"', True), (GOOD, False), ('target = [7, "x"]', False)):
        problems = [str(problem) for problem in loaded(text, tmp_path, 0o644).problems]
        assert any("may read its secrets" in each for each in problems) == told


def test_a_schema_for_editors_has_the_names() -> None:
    of_kind = host_schema()["properties"]["target"]["items"]["oneOf"]
    with_readings = [t for t in of_kind if t["properties"]["kind"]["enum"] != ["mqtt"]]
    assert len(with_readings) == 2
    for table in with_readings:
        assert "dew_point" in table["properties"]["derived"]["items"]["enum"]


def test_faults_that_can_be_seen_without_the_network(tmp_path: Path) -> None:
    text = (
        GOOD.replace("http:", "https:")
        + 'srv_cert = "none.pem"\nproxy = "x"\ntags = ["co2=x", "a=b"]'
    )
    target = made(text, tmp_path)
    keys = [key for key, _ in kind_of(target).faults(target)]
    assert keys == ["target.db.tags", "target.db.proxy", "none.pem"]
    assert kind_of(target).public_name(target) == "https://h:8086/write"
    assert kind_of(target).is_network
