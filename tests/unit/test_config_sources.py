"""Where a configuration comes from: files, environment, options; all their problems at once."""

import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.cli.configuration import for_url, key_and_value
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.files import Unreadable, read_text, write_private
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.config.load import Loaded, load, load_to_run
from ruuvi_host.config.model import Config, Profile
from ruuvi_host.config.problems import MOST_SHOWN, Problem, Severity
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.targets import CUSTOM, RUUVI, HttpTarget
from ruuvi_host.errors import ConfigError

Write = Callable[[str, Any], Path]
SERVER = {"use_http": True, "http_url": "http://server/", "use_http_ruuvi": False}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file, for its owner alone: text as it is, all else as JSON."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else None
        text = content if isinstance(content, str) else None
        path.write_bytes(raw or (text if text is not None else json.dumps(content)).encode())
        path.chmod(0o600)
        return path

    return write


def inputs(config: Path | None = None, *pairs: str, **environment: str) -> Inputs:
    overrides = tuple((*key_and_value(pair), "--set") for pair in pairs)
    variables = {f"RUUVI_HOST_{name}": text for name, text in environment.items()}
    return Inputs(config, None, overrides, variables)


def told(loaded: Loaded) -> list[tuple[str, str, Severity]]:
    """(where, key, how bad) of each problem."""
    return [(Path(p.source).name, p.key, p.severity) for p in problems_of(loaded)]


def problems_of(loaded: Loaded) -> list[Problem]:
    """Without the warnings of defaults that send data somewhere: most files here get them."""
    return [problem for problem in loaded.problems if " by default " not in problem.why]


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


# -- all problems, each with its place ------------------------------------------------------------


def test_all_problems_at_once_each_with_its_source(write: Write) -> None:
    path = write("ruuvi-host.toml", 'profil = "host"\nmax_sensors = 0\n[gateway]\nhttp_perod = 1')
    write("gw_cfg.json", {"use_htpp": True, "http_period": "x"})
    write("gw_cfg_default", {"company_id": -1})
    loaded = load(
        inputs(
            path,
            "http_auth=basci",
            "max_sensor=1",
            "log.level=loud",
            COORDINATES="x" * 64,
            LOG_FORMAT="xml",
            HTTP_PERIOD="soon",
            TRUST_CLOK="true",
        )
    )
    warning, error = Severity.WARNING, Severity.ERROR
    assert sorted(told(loaded), key=str) == sorted(
        [
            ("gw_cfg_default", "company_id", Severity.FAULT),
            ("gw_cfg.json", "use_htpp", warning),
            ("gw_cfg.json", "http_period", warning),
            ("ruuvi-host.toml", "profil", error),
            ("ruuvi-host.toml", "max_sensors", error),
            ("ruuvi-host.toml", "http_perod", error),
            ("RUUVI_HOST_COORDINATES", "coordinates", warning),
            ("RUUVI_HOST_LOG_FORMAT", "log.format", error),
            ("RUUVI_HOST_HTTP_PERIOD", "http_period", error),
            ("environment", "RUUVI_HOST_TRUST_CLOK", error),
            ("--set", "http_auth", error),
            ("--set", "max_sensor", error),
            ("--set", "log.level", error),
        ],
        key=str,
    )
    texts = [str(problem) for problem in loaded.problems]
    for meant in ("profile", "http_period", "use_http", "RUUVI_HOST_TRUST_CLOCK", "max_sensors"):
        assert any(f"is {meant} meant?" in text for text in texts), meant
    with pytest.raises(ConfigError) as caught:
        load_to_run(inputs(path))
    sentence = str(caught.value)
    assert f"{path}: profil = host: " not in sentence
    assert f"{path}: profil: unknown key; is profile meant?" in sentence
    assert f"{path}: max_sensors = 0: must be at least 1" in sentence
    assert "http_perod" in sentence


def test_warnings_are_logged_with_their_source(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        "gw_cfg.json", {"use_htpp": True} | SERVER | {"http_url": "x", "use_http_stat": False}
    )
    load_to_run(inputs(path))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", f"{path}: use_htpp: unknown key; is use_http meant?; ignored"),
        ("ERROR", f"{path}: http_url: the address must begin with http:// or https://"),
    ]


@pytest.mark.parametrize(
    ("toml", "key", "why"),
    [
        ("x", "ruuvi-host.toml", "not TOML"),
        ("max_sensors = 1\nmax_sensors = 2", "ruuvi-host.toml", "not TOML"),
        ('max_sensors = "3"', "max_sensors", "must be a whole number"),
        ("max_sensors = true", "max_sensors", "must be a whole number"),
        ("max_sensors = 1.0", "max_sensors", "must be a whole number"),
        ("max_sensors = 100001", "max_sensors", "must be at most 100000"),
        (f"max_sensors = 0x{'F' * 900}", "max_sensors", "must be at most"),
        ("max_sensors = " + "9" * 9000, "ruuvi-host.toml", "more than 1000 characters"),
        ("trust_clock = 1", "trust_clock", "must be true or false"),
        ('profile = "gatway"', "profile", "is gateway meant?"),
        ('nrf_firmware = "two"', "nrf_firmware", "must be a version"),
        ('files = "a\\u0000b"', "files", "must be a path"),
        ("http_period = 30", "http_period", "belongs in gw_cfg.json, or in the table [gateway]"),
        ("gateway = 5", "gateway", "must be a table: [gateway]"),
        ("[log]\nlevl = 'info'", "log.levl", "is log.level meant?"),
        ("coprocessor = 5", "coprocessor", "[[coprocessor]]"),
        ("[coprocessor]\nport = '/dev/x'", "coprocessor", "[[coprocessor]]"),
        ("[[coprocessor]]\nbaud = 9600", "coprocessor[0].port", "is missing"),
        ("[[coprocessor]]\nport = '/dev/x'\nbaud = 1", "coprocessor[0].baud", "at least 1200"),
        ("[[coprocessor]]\nport = '/dev/x'\nspeed = 1", "coprocessor[0].speed", "unknown key"),
        ("http.proxy = 'proxy:3128'", "http.proxy", "must begin with http"),
        ("[gateway]\nscan_filter_list = [2026-01-01]", "scan_filter_list", "2026-01-01"),
        ("[gateway]\nuse_http = 1", "use_http", "must be true or false"),
        ("[gateway]\nhttp_auth = 'x'", "http_auth", "must be one of"),
        ("[gateway]\nuse_http = true\nhttp_url = 'x'", "http_url", "must begin with http"),
        ("[gateway]\nhttp_bearer_token = 'x'", "http_bearer_token", "read only with use_http"),
        ("x = [" + "[" * 300 + "]" * 300 + "]", "ruuvi-host.toml", "nested too deeply"),
        ("a." * 9000 + "a = 1", "ruuvi-host.toml", "nested too deeply"),
    ],
)
def test_the_hosts_own_file(write: Write, toml: str, key: str, why: str) -> None:
    path = write("ruuvi-host.toml", toml)
    problem = load(inputs(path)).problems[0]
    assert problem.key.endswith(key)
    assert why in str(problem)
    assert problem.source in (str(path), "")
    is_warning = key == "http_bearer_token"
    assert problem.severity is (Severity.WARNING if is_warning else Severity.ERROR)


def test_endless_lists_of_problems_end(write: Write) -> None:
    path = write("ruuvi-host.toml", "\n".join(f"k{number} = 0" for number in range(20_000)))
    assert len(load(inputs(path)).problems) == MOST_SHOWN + 1
    with pytest.raises(ConfigError, match="errors after these are not shown"):
        load_to_run(inputs(path))


def test_our_users_own_words_must_be_right() -> None:
    base = ("use_http=true", "http_url=http://s/", "http_auth=bearer")
    for pair in ("http_bearer_token=a\r\nHost: x", "http_url=x", f"http_bearer_token={'x' * 256}"):
        problems = load(inputs(None, *base, pair)).problems
        assert Severity.ERROR in {p.severity for p in problems}, pair


@pytest.mark.parametrize("text", ["", "x", "=", "=x", " =x"])
def test_set_without_a_key(text: str) -> None:
    with pytest.raises(ConfigError, match="must be KEY=VALUE without spaces, and … is not"):
        key_and_value(text)
    with pytest.raises(ConfigError, match="and use_http is not"):
        key_and_value("use_http")


def test_what_profile_gateway_says_on_sensors(write: Write) -> None:
    path = write("ruuvi-host.toml", 'profile = "gateway"\nmax_sensors = 500')
    loaded = load(inputs(path))
    assert loaded.config.max_sensors == 100
    assert [str(p) for p in loaded.problems] == [
        "max_sensors = 500: is 100 in profile gateway; taking 100"
    ]


# -- files ----------------------------------------------------------------------------------------


def test_what_cannot_be_read(tmp_path: Path, write: Write) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path, why in (
            (tmp_path / "none", "cannot be read: No such file or directory"),
            (tmp_path, "cannot be read: Is a directory"),
            (Path("/dev/zero"), "longer than 262144 bytes"),
            (Path("/dev/full"), "longer than 262144 bytes"),
            (tmp_path / "socket", "cannot be read: No such device or address"),
            (Path("a\0b"), "cannot be the name of a file"),
            (write("latin1", b'coordinates = "\xe4"'), "not UTF-8 text (at byte 15)"),
            (write("utf16", "x = 1".encode("utf-16")), "not UTF-8 text (at byte 0)"),
        ):
            (problem,) = load(inputs(path)).problems
            assert why in problem.why
            assert problem.severity is Severity.ERROR
    assert load(inputs(Path("/dev/null"))).problems == []


def test_nothing_waits_for_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruuvi_host.config.files.PIPE_PATIENCE", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (problem,) = load(inputs(pipe)).problems
    assert "is no file, and nothing comes out of it" in problem.why
    silent = os.open(pipe, os.O_RDWR)  # a writer that says nothing
    assert "nothing comes out of it" in load(inputs(pipe)).problems[0].why
    os.close(silent)
    master, slave = os.openpty()
    assert "nothing comes out of it" in load(inputs(Path(os.ttyname(slave)))).problems[0].why
    os.close(master)
    os.close(slave)


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("max_sensors = 3\n" + "#" * 200_000,))
    writer.start()
    assert load(inputs(pipe)).config.max_sensors == 3
    writer.join()
    reading, writing = os.pipe()  # as a shell's <(…) is
    os.write(writing, b"s3cret")
    os.close(writing)
    assert read_text(Path(f"/dev/fd/{reading}")) == "s3cret"
    # When the configuration is read again, an empty secret must not take its place.
    with pytest.raises(Unreadable, match="a pipe that has been read already"):
        read_text(Path(f"/dev/fd/{reading}"))
    os.close(reading)


@pytest.mark.parametrize(
    ("name", "content", "secret"),
    [
        ("gw_cfg.json", {"http_stat_pass": "s"}, True),
        ("gw_cfg.json", {"wifi_sta_config": {"password": "s"}}, True),
        ("gw_cfg.json", {"http_stat_pass": "", "wifi_sta_config": {"password": ""}}, False),
        ("gw_cfg.json", {"wifi_sta_config": 5, "coordinates": "password"}, False),
        ("ruuvi-host.toml", "http.client_key_password = 's'", True),
        ("ruuvi-host.toml", "http.proxy = 'http://u:p@proxy/'", True),
        ("ruuvi-host.toml", "[gateway]\nhttp_stat_pass = 's'", True),
        ("ruuvi-host.toml", "state_dir = 'password'", False),
    ],
)
def test_secrets_that_everybody_may_read(
    write: Write, name: str, content: Any, secret: bool
) -> None:
    path = write(name, content)
    whys = [p.why for p in load(inputs(path)).problems]
    assert "every user of this machine may read its secrets" not in whys
    path.chmod(0o644)
    warned = [p for p in load(inputs(path)).problems if "every user" in p.why]
    assert [(p.key, p.severity) for p in warned] == (
        [(str(path), Severity.WARNING)] if secret else []
    )


def test_a_file_is_written_in_one_step_and_for_its_owner_alone(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o644)
    link.symlink_to(path)
    write_private(link, "new ä")
    assert link.is_symlink()
    assert path.read_text() == "new ä"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="would not be UTF-8"):
        write_private(path, "half \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(OSError, match="not a file"):
        write_private(Path("/dev/full"), "x")
    with pytest.raises(OSError, match="No such file"):
        write_private(tmp_path / "none" / "file", "x")


def test_a_trap_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".file.new").symlink_to(victim)
    write_private(path, "secret")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 1234, 5678)
    write_private(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


# -- what cannot be read opens nothing ------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "key"),
    [
        (["scan_filter_list=AA:BB:CC:DD:EE:FF nonsense"], "scan_filter_list"),
        ([f"scan_filter_list={' '.join(['AA:BB:CC:DD:EE:FF'] * 101)}"], "scan_filter_list"),
        (["scan_filter_list=[[", "scan_filter_allow_listed=true"], "scan_filter_list"),
        (["scan_filter_list=", "scan_filter_allow_listed=true"], "scan_filter_list"),
        (["scan_filter_allow_listed=true"], "scan_filter_allow_listed"),
        (["scan_filter_allow_listed=ja"], "scan_filter_allow_listed"),
        (["company_use_filtering=1"], "company_use_filtering"),
        (["company_id=ruuvi"], "company_id"),
        (["http_period=0"], "http_period"),
        (["http_period=3601"], "http_period"),
        (["spool.max_mib=0"], "spool.max_mib"),
        (["http_use_ssl_server_cert=1"], "http_use_ssl_server_cert"),
    ],
)
def test_in_our_users_own_words_it_is_an_error(pairs: list[str], key: str) -> None:
    errors = [p for p in load(inputs(None, *pairs)).problems if p.severity is Severity.ERROR]
    assert {error.key for error in errors} == {key}
    with pytest.raises(ConfigError, match=key):
        load_to_run(inputs(None, *pairs))


def test_a_variable_that_is_nearly_one_of_ours_is_an_error() -> None:
    (error,) = load(inputs(SCAN_FILTER_LISTS="AA:BB:CC:DD:EE:FF")).problems
    assert error.severity is Severity.ERROR
    assert error.why == "unknown; is RUUVI_HOST_SCAN_FILTER_LIST meant?"


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_port() -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_API", "PORT_8000_TCP")
    others = {name: "10.0.0.1" for name in (*names, "PORT_8000_TCP_ADDR")}
    loaded = load(inputs(None, PORT="tcp://10.0.0.1:8000", **others))
    (warning,) = loaded.problems
    assert warning.severity is Severity.WARNING
    assert warning.key == "RUUVI_HOST_PORT"
    assert "Kubernetes" in warning.why
    assert loaded.config.coprocessors == ()
    assert load(inputs(PORT="/dev/ttyACM0")).config.coprocessors[0].port == "/dev/ttyACM0"


@pytest.mark.parametrize("name", ["gw_cfg.json", "gw_cfg_default"])
def test_a_gateways_file_that_is_there_and_cannot_be_read_is_an_error(
    write: Write, tmp_path: Path, name: str
) -> None:
    path = write("ruuvi-host.toml", "")
    if name != "gw_cfg.json":
        write("gw_cfg.json", {"use_http_ruuvi": True})
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    loaded = load(inputs(path))
    assert Severity.ERROR in {p.severity for p in loaded.problems}
