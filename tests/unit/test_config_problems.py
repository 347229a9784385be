"""What is said of a configuration: all problems, each with its place; what opens nothing."""

from pathlib import Path

import pytest
from config_inputs import SERVER, Write, inputs, told
from config_inputs import write as write

from ruuvi_host.cli.configuration import key_and_value
from ruuvi_host.config.load import load, load_to_run
from ruuvi_host.config.problems import MOST_SHOWN, Severity
from ruuvi_host.errors import ConfigError

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
