"""Where a configuration comes from: files, environment, options, each on top of the one before."""

import json
from pathlib import Path

import pytest
from config_inputs import SERVER, Write, inputs, problems_of, told
from config_inputs import write as write

from ruuvi_host.cli.configuration import for_url
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.config.load import load
from ruuvi_host.config.model import Config, Profile
from ruuvi_host.config.problems import Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import CUSTOM, RUUVI, HttpTarget


def server(config: Config) -> HttpTarget:
    """The one target that there is."""
    (target,) = config.targets
    assert isinstance(target, HttpTarget)
    return target


# -- each on top of the one before ---------------------------------------------------------------


def test_precedence(write: Write) -> None:
    key, sources = "coordinates", []
    gateway_file = write("gw_cfg.json", {})
    host_file = write("ruuvi-host.toml", "")

    def value(*pairs: str, **environment: str) -> tuple[str, str]:
        loaded = load(inputs(host_file, *pairs, **environment))
        sources.append(loaded)
        assert loaded.config.coordinates == loaded.sources.gateway[key]
        return loaded.config.coordinates, Path(loaded.sources.gateway.origins[key]).name

    assert value() == ("", "default")
    write("gw_cfg_default", {key: "1"})
    assert value() == ("1", "gw_cfg_default")
    gateway_file.write_text(json.dumps({key: "2"}))
    assert value() == ("2", "gw_cfg.json")
    host_file.write_text(f'[gateway]\n{key} = "3"')
    assert value() == ("3", "ruuvi-host.toml")
    assert value(COORDINATES="4") == ("4", "RUUVI_HOST_COORDINATES")
    assert value(f"{key}=5", COORDINATES="4") == ("5", "--set")
    assert value(f"{key}=5", f"{key}=6") == ("6", "--set")
    assert not any(map(told, sources))


def test_precedence_of_the_hosts_own_settings(write: Write) -> None:
    path = write("ruuvi-host.toml", "max_sensors = 3")

    def value(*pairs: str, **environment: str) -> tuple[int, str]:
        loaded = load(inputs(path, *pairs, **environment))
        assert loaded.problems == []
        return loaded.config.max_sensors, Path(loaded.sources.host.origins["max_sensors"]).name

    assert value() == (3, "ruuvi-host.toml")
    assert value(MAX_SENSORS="4") == (4, "RUUVI_HOST_MAX_SENSORS")
    assert value("max_sensors=5", MAX_SENSORS="4") == (5, "--set")
    assert load(inputs()).config.max_sensors == 100


@pytest.mark.parametrize("named", ["gw_cfg.json", "ruuvi-host.toml"])
def test_either_file_finds_the_other(write: Write, named: str) -> None:
    write("gw_cfg.json", SERVER)
    path = write("ruuvi-host.toml", 'profile = "gateway"\n[[coprocessor]]\nport = "/dev/x"').parent
    config = load(inputs(path / named)).config
    assert [target.name for target in config.targets] == [CUSTOM]
    assert config.profile is Profile.GATEWAY
    assert config.coprocessors == (CoprocessorSettings("/dev/x"),)


@pytest.mark.parametrize(
    ("toml", "pairs", "environment"),
    [
        ("use_http = true\nuse_http_ruuvi = false", ["http_url=http://server/"], {}),
        ("use_http = true", ["use_http_ruuvi=false"], {"HTTP_URL": "http://server/"}),
        ("http_period = 30", ["http_url=http://server/"], {"USE_HTTP": "true"}),
    ],
)
def test_use_http_and_its_address_may_come_from_two_sources(
    write: Write, toml: str, pairs: list[str], environment: dict[str, str]
) -> None:
    """That the default address means Ruuvi's cloud is decided when all has been read."""
    path = write("ruuvi-host.toml", f"[gateway]\n{toml}")
    targets = load(inputs(path, *pairs, **environment)).config.targets
    assert [(target.name, target.address) for target in targets] == [(CUSTOM, "http://server/")]


def test_an_address_that_was_forgotten_is_told(write: Write) -> None:
    path = write("ruuvi-host.toml", "[gateway]\nuse_http = true\nuse_http_ruuvi = false")
    (problem,) = load(inputs(path)).problems
    assert problem.severity is Severity.WARNING
    assert str(problem) == (
        "http_url: there is no address of your own server, so Ruuvi Cloud gets the data"
    )
    for given in ("http_url=http://server/", "use_http=false"):
        assert load(inputs(path, given)).problems == []
    path.unlink()
    gateway = write("gw_cfg.json", {"use_http": True, "use_http_ruuvi": False})
    (_, problem) = load(inputs(gateway, "http_period=30")).problems
    assert str(problem).startswith("http_url: is not given, and by default Ruuvi Cloud's")


def test_a_gateways_file_under_the_name_of_the_other(write: Write) -> None:
    loaded = load(inputs(write("ruuvi-host.toml", {"coordinates": "1,2"})))
    assert problems_of(loaded) == []
    assert loaded.config.coordinates == "1,2"


def test_told_apart_by_content(write: Write) -> None:
    toml, gateway = write("one", "max_sensors = 3"), write("two", ' \n{"coordinates": "1,2"}')
    assert load(inputs(toml)).config.max_sensors == 3
    assert load(inputs(gateway)).config.coordinates == "1,2"
    assert problems_of(load(inputs(gateway))) == []


def test_without_a_gateways_file_nothing_is_sent_until_asked_for(write: Write) -> None:
    path = write("ruuvi-host.toml", "")
    for nothing in (load(inputs()), load(inputs(path))):
        assert nothing.config.targets == ()
        assert nothing.config.statistics is None
        assert nothing.problems == []
    asked = load(inputs(path, "use_http_ruuvi=true", "use_http_stat=true")).config
    assert [target.name for target in asked.targets] == [RUUVI]
    assert asked.statistics
    path.write_text("[gateway]\nuse_http_ruuvi = true")
    assert [target.name for target in load(inputs(path)).config.targets] == [RUUVI]
    with_gateway = write("gw_cfg.json", {})
    assert [target.name for target in load(inputs(with_gateway)).config.targets] == [RUUVI]
    assert load(inputs(with_gateway)).config.statistics


def test_paths_in_a_file_are_relative_to_it(write: Write, tmp_path: Path) -> None:
    path = write(
        "etc/ruuvi-host.toml",
        'files = "certs"\nstate_dir = "../state"\ngateway_config = "sub/other.json"',
    )
    certificates = {"http_use_ssl_client_cert": True, "http_use_ssl_server_cert": True}
    write("etc/sub/other.json", SERVER | certificates)
    write("etc/certs/http_cli_cert", "")
    write("etc/certs/http_cli_key.pem", "")
    write("etc/certs/gw_cfg_default", {"coordinates": "1,2"})
    loaded = load(inputs(path))
    target = server(loaded.config)
    folder = tmp_path / "etc" / "certs"
    assert target.tls.client_cert == folder / "http_cli_cert"
    assert target.tls.client_key == folder / "http_cli_key.pem"
    assert target.tls.server_cert == folder / "http_srv_cert"
    assert loaded.config.coordinates == "1,2", "defaults lie beside the certificates"
    assert loaded.sources.path_of("state_dir") == tmp_path / "etc" / ".." / "state"


def test_paths_of_options_are_relative_to_the_present_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("etc/ruuvi-host.toml", 'files = "certs"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load(inputs(path, "files=here")).sources.files == tmp_path / "here"
    assert load(inputs(path, FILES="~/x")).sources.files == Path("/home/somebody/x")
    assert load(Inputs(path, Path("there"))).sources.files == tmp_path / "there"
    assert load(inputs(path)).sources.files == tmp_path / "etc" / "certs"


@pytest.mark.parametrize("text", ["~nobody-of-that-name/x", "x" * 300, "a/" * 3000, "ä\udcff"])
def test_paths_that_lead_nowhere(write: Write, text: str) -> None:
    write("gw_cfg.json", SERVER | {"http_use_ssl_server_cert": True})
    if text.isprintable():
        path = write("ruuvi-host.toml", f'files = "{text}"\nstate_dir = "{text}"')
        assert len(load(inputs(path)).config.targets) == 1
        path.write_text(f'gateway_config = "{text}"')
        assert [p.severity for p in load(inputs(path)).problems] == [Severity.ERROR]
    path = write("ruuvi-host.toml", "")
    load(Inputs(path, Path(text)))
    load(inputs(path, f"files={text}"))
    assert [p.severity for p in load(Inputs(Path(text))).problems] == [Severity.ERROR]


def test_the_file_may_be_named_by_the_environment(write: Write) -> None:
    path = write("ruuvi-host.toml", "max_sensors = 3")
    other = write("other.toml", "max_sensors = 4")
    assert load(inputs(CONFIG=str(path))).config.max_sensors == 3
    assert load(inputs(other, CONFIG=str(path))).config.max_sensors == 4
    assert load(inputs(CONFIG="")).config.max_sensors == 100


def test_no_two_keys_share_a_variable() -> None:
    names = [*HOST_BY_NAME, *BY_NAME, *(key.name for key in CoprocessorSettings.KEYS), "config"]
    variables = [name.replace(".", "_").upper() for name in names]
    assert len(set(variables)) == len(names)
    assert not {*HOST_BY_NAME} & {*BY_NAME}


def test_environment(write: Write) -> None:
    loaded = load(
        inputs(
            None,
            PORT="/dev/ttyACM0",
            BAUD="9600",
            USE_HTTP="yes",
            HTTP_URL="http://server/",
            HTTP_AUTH="bearer",
            HTTP_BEARER_TOKEN="t",
            HTTP_PERIOD="30",
            SCAN_FILTER_LIST="AA:BB:CC:DD:EE:FF, AA:BB:CC:DD:EE:00",
            COMPANY_ID="0x0499",
            LOG_LEVEL="debug",
            WATCHDOG_EXIT="on",
            WIFI_STA_CONFIG='{"ssid": "x"}',
        )
    )
    assert loaded.problems == []
    config = loaded.config
    assert config.coprocessors == (CoprocessorSettings("/dev/ttyACM0", 9600),)
    target = server(config)
    assert target.authorization
    assert target.authorization.value == "Bearer t"
    assert len(config.filter.addresses) == 2
    assert config.exit_by_watchdog
    assert loaded.sources.gateway["wifi_sta_config"]["ssid"] == "x"


def test_a_secret_counts_with_its_kind_in_any_order() -> None:
    pairs = ("http_bearer_token=t", "http_auth=bearer", "http_url=http://s/", "use_http=true")
    target = server(load(inputs(None, *pairs)).config)
    assert target.authorization
    assert target.authorization.value == "Bearer t"


def test_a_secret_from_a_file(write: Write, tmp_path: Path) -> None:
    base = ("use_http=true", "http_url=http://s/", "http_auth=bearer")

    def token(text: str) -> str | None:
        config = load(inputs(None, *base, f"http_bearer_token={text}")).config
        authorization = server(config).authorization if config.targets else None
        return authorization.value if authorization else None

    for content in ("t", "t\n", "t\r\n", "\ufefft\n"):
        assert token(f"@{write('token', content)}") == "Bearer t"
    assert token(f"@{write('token', 't' + chr(10) * 2)}") is None, "only one line end is taken off"
    assert token("@@t") == "Bearer @t"
    assert token("@@") == "Bearer @"
    (problem,) = load(inputs(None, *base, "http_bearer_token=@SECRET")).problems[:1]
    assert problem.severity is Severity.ERROR
    assert "SECRET" not in str(problem), "it may be a secret that begins with @"
    assert "@@" in str(problem)
    (problem,) = load(inputs(None, f"coordinates=@{tmp_path}/none")).problems
    assert str(problem) == f"coordinates: {tmp_path}/none cannot be read: No such file or directory"


# -- what belongs to --url -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["basic", "bearer", "token", "api_key"])
@pytest.mark.parametrize("user", ["", "own:pass@"])
@pytest.mark.parametrize("back", [(), ("kind",), ("kind", "certificates")])
def test_the_url_option_takes_nothing_that_belongs_to_another_server(
    write: Write, kind: str, user: str, back: tuple[str, ...]
) -> None:

    secrets = {"http_user": "MARK", "http_pass": "MARK"}
    secrets |= {"http_bearer_token": "MARK", "http_api_key": "MARK"}
    flags = ["http_use_ssl_client_cert", "http_use_ssl_server_cert", "http_use_extra_http_path"]
    flags += ["http_use_extra_http_query", "http_use_extra_http_headers"]
    path = write("gw_cfg.json", SERVER | secrets | {"http_auth": kind} | dict.fromkeys(flags, True))
    overrides = for_url(f"http://{user}other/")
    if "kind" in back:  # the user asks for authentication, but not for that secret
        overrides.append(("http_auth", kind, "--set"))
    target = server(load(Inputs(path, None, tuple(overrides))).config)
    assert target.url == "http://other/"
    expected = "Basic b3duOnBhc3M=" if user and (not back or kind == "basic") else None
    assert (target.authorization.value if target.authorization else None) == expected
    files = (target.tls.client_cert, target.tls.client_key, target.tls.server_cert)
    extra = (target.extra.path, target.extra.query, target.extra.headers)
    assert {*files, *extra} == {None}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://server:8443/other", True),
        ("https://SERVER/", True),
        ("https://other/", False),
        ("https://server.other/", False),
    ],
)
def test_certificates_for_the_very_host_stay_with_url(write: Write, url: str, kept: bool) -> None:
    flags = ("http_use_ssl_client_cert", "http_use_ssl_server_cert")
    config = SERVER | {"http_url": "https://server/record"} | dict.fromkeys(flags, True)
    path = write("gw_cfg.json", config)
    overrides = for_url(url, Inputs(path, None, ()))
    target = server(load(Inputs(path, None, tuple(overrides))).config)
    assert bool(target.tls.server_cert) is bool(target.tls.client_cert) is kept
