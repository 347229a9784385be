"""What must never leave the house, whatever the configuration of `ruuvi-host run` says."""

from typing import Any

import pytest
from configured_host import Configured, custom, hang_up, serving, until
from configured_host import configured as configured
from programs import ruuvi_host


@pytest.mark.parametrize("kind", ["basic", "bearer", "token", "api_key"])
def test_url_sends_no_secret_of_another_server(configured: Configured, kind: str) -> None:
    document = custom(
        "http://127.0.0.1:9/",
        http_auth=kind,
        http_user="MARK",
        http_pass="MARK",
        http_bearer_token="MARK",
        http_api_key="MARK",
        http_use_extra_http_headers=True,
        http_use_extra_http_query=True,
    )
    configured.write(document)
    configured.path.with_name("http_headers").write_text("X-Secret: MARK\r\n")
    configured.path.with_name("http_query").write_text("MARK")
    with (
        serving() as server,
        configured.run(
            *("--simulate", "--url", server.url, "--set", f"http_auth={kind}"),
            env={"RUUVI_HOST_HTTP_PASS": "MARK", "RUUVI_HOST_HTTP_BEARER_TOKEN": "MARK"},
        ) as host,
    ):
        until(lambda: server.requests, host)
        hang_up(host)
        host.wait_for("configuration read again")
        seen = len(server.requests)
        until(lambda: len(server.requests) > seen, host)
        assert host.stop() == 0
        assert "MARK" not in str(server.requests)
        assert not any("authorization" in headers for _, headers, _ in server.requests)
        assert "MARK" not in str(host).partition("\n")[2]


RUUVI = "https://network.ruuvi.com/record"


@pytest.mark.parametrize(
    ("document", "options"),
    [
        ({}, ()),
        ({"use_http": True, "http_url": RUUVI}, ()),
        ({"use_http": True, "http_url": RUUVI, "http_auth": "basic"}, ()),
        ({"use_http": True, "http_url": "https://RUUVI.com.:443/x"}, ()),
        ({"use_http": True, "http_url": "https://network.\uff52uuvi.com/x"}, ()),
        (custom("http://127.0.0.1:9/"), ("--url", RUUVI)),
        (custom("http://127.0.0.1:9/"), ("--set", f"http_url={RUUVI}")),
        (
            custom("http://127.0.0.1:9/"),
            ("--url", "http://127.0.0.1:9/", "--set", f"http_url={RUUVI}"),
        ),
    ],
)
def test_simulated_data_has_no_way_to_ruuvi(
    configured: Configured, document: dict[str, Any], options: tuple[str, ...]
) -> None:
    configured.write(document)
    with configured.run("--simulate", *options) as host:
        assert host.wait() == 2, str(host)
        assert "Traceback" not in str(host)


def test_simulated_data_does_not_go_to_ruuvi_beside_another_server(
    configured: Configured,
) -> None:
    with serving() as server:
        # Ruuvi Cloud and its statistics are on: as a gateway is sold, with a server of one's own.
        configured.write({"use_http": True, "http_url": server.url, "http_period": 1})
        with configured.run("--simulate", env={"RUUVI_HOST_USE_HTTP_STAT": "true"}) as host:
            until(lambda: server.tags, host)
            hang_up(host)
            host.wait_for("configuration read again")
            seen = len(server.requests)
            until(lambda: len(server.requests) > seen + 1, host)
            configured.write({"use_http": True, "http_url": "https://station.ruuvi.com/x"})
            hang_up(host)
            host.wait_for("stays as it was: --simulate: simulated data is never sent to Ruuvi")
            assert host.stop() == 0
        assert "network.ruuvi.com" not in str(host)
        assert "statistics:" not in str(host)


@pytest.mark.parametrize("location", ["http://network.ruuvi.com/record", "//ruuvi.com./", RUUVI])
def test_a_redirect_to_ruuvi_is_not_followed(configured: Configured, location: str) -> None:
    with serving() as server:
        server.status, server.headers = 307, {"Location": location}
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            host.wait_for("redirected to Ruuvi")
            assert host.stop() == 0


def test_statistics_of_a_simulated_host_go_to_other_servers_only(configured: Configured) -> None:
    with serving() as server:
        document = custom(server.url, use_http_stat=True, http_stat_url=server.url + "status")
        configured.write(document)
        with configured.run("--simulate") as host:
            until(lambda: any(path == "/status" for path, _, _ in server.requests), host)
            configured.write(document | {"http_stat_url": "https://x.\uff52uuvi.com/status"})
            hang_up(host)
            host.wait_for("configuration read again|stays as it was")
            assert host.stop() == 0
        assert "ruuvi.com" not in str(host)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (custom("x"), "http_url: the address must begin with http"),
        (custom("x", http_url=17), "http_url: the address must begin with http"),
        (custom("http://127.0.0.1:9/", use_http="yes"), "use_http = yes: must be true or false"),
        (
            custom("http://127.0.0.1:9/", http_auth="bearer", http_bearer_token="MARK\r\nX: y"),
            "http_bearer_token: must be printable ASCII",
        ),
    ],
)
@pytest.mark.parametrize("options", [(), ("--interval", "1")])
def test_a_gateways_file_without_a_usable_target_never_keeps_the_host_from_running(
    configured: Configured, document: dict[str, Any], why: str, options: tuple[str, ...]
) -> None:
    configured.write(document)
    with configured.run("--simulate", *options) as host:
        host.wait_for(f"ERROR: .*{why}")
        host.wait_for("ERROR: no target can be used: nothing is sent")
        host.wait_for("coprocessor configured")
        with ruuvi_host("status", "--state-dir", str(configured.state)) as status:
            status.wait()
        assert why.partition(": ")[2] in str(status)
        with serving() as server:
            configured.write(custom(server.url))
            hang_up(host)
            until(lambda: server.tags, host)
        assert host.stop() == 0
    assert "Traceback" not in str(host)
    assert "MARK" not in str(host)
