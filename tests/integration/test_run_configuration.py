"""`ruuvi-host run` over a configuration that changes, or that is wrong from the start."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from configured_host import Configured, custom, hang_up, serving, until
from configured_host import configured as configured
from lines import run as run_async
from peer import GET_ALL, SET_ALL, Peer, frame, obliging, report, silent
from programs import ruuvi_host, simulated


def test_without_the_first_of_several_coprocessors_nothing_is_relayed(tmp_path: Path) -> None:
    """It names the gateway. Which one it is that is waited for is told."""
    own = tmp_path / "host.toml"
    with simulated() as board, serving() as server:
        ports = "/dev/absent", board.port
        own.write_text("".join(f'[[coprocessor]]\nport = "{port}"\n' for port in ports))
        with ruuvi_host(
            *("run", "--config", str(own), "--url", server.url, "--trust-clock"),
            *("--state-dir", str(tmp_path / "state")),
        ) as host:
            host.wait_for("WARNING: coprocessor /dev/absent, which names the gateway, is not there")
            assert host.stop() == 0
        assert server.requests == []


# -- reading it again -----------------------------------------------------------------------------


@pytest.mark.parametrize("times_first", [True, False])
def test_what_waits_keeps_its_kind_of_timestamps(configured: Configured, times_first: bool) -> None:
    """A running number is no time, and none becomes one when `ntp_use` changes in between."""

    async def main() -> None:
        with Peer() as peer, serving() as failing, serving() as server:
            failing.status = 500
            configured.write(custom(failing.url, http_period=1, ntp_use=times_first))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                peer.send(report(1))
                await asyncio.to_thread(until, lambda: failing.tags, host)
                configured.write(custom(server.url, http_period=1, ntp_use=not times_first))
                hang_up(host)
                await asyncio.to_thread(until, lambda: server.tags, host)
            (data,) = [body["data"] for _, _, body in server.requests if body["data"]["tags"]]
            (tag,) = data["tags"].values()
            now = data.get("timestamp")
            assert ("timestamp" in tag, "counter" in tag) == (times_first, not times_first)
            assert (now is not None) == times_first
            assert tag.get("counter", 0) == 0

    asyncio.run(main())


def test_a_changed_configuration_takes_over(configured: Configured) -> None:
    """Server, coordinates, filters and scan settings change, and nothing heard is lost."""

    async def main() -> None:
        with Peer() as peer, serving() as first, serving() as second:
            configured.write(custom(first.url, http_period=3600, coordinates="1,2"))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                before = await peer.got(SET_ALL)
                await asyncio.to_thread(until, lambda: first.requests, host)
                peer.send(report(1) + report(2) + frame(GET_ALL))
                await peer.got(SET_ALL, 2)  # so the reports have been taken in
                configured.write(
                    custom(
                        second.url,
                        http_period=3600,
                        coordinates="3,4",
                        company_use_filtering=False,
                        scan_filter_list=["00:00:00:00:00:03"],
                    )
                )
                hang_up(host)
                after = await peer.got(SET_ALL, 3)
                assert after != before
                await asyncio.to_thread(until, lambda: len(second.requests) >= 1, host)
                peer.send(report(3) + report(4) + frame(GET_ALL))
                await peer.got(SET_ALL, 4)
                assert await asyncio.to_thread(host.stop) == 0
            assert len([line for line in host.err if line.endswith(": opened")]) == 1, str(host)
            assert peer.noise == 0
            assert {body["data"]["coordinates"] for _, _, body in second.requests} == {"3,4"}
            tags = {f"00:00:00:00:00:0{n}" for n in (1, 2, 4)}
            assert first.tags | second.tags == tags, "of before and after, without the filtered"
            sent = [*first.nonces, *second.nonces]
            assert len(set(sent)) == len(sent)

    run_async(main())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "not JSON"),
        ('{"use_http_ruuvi": false}', "nowhere to send to"),
        ('{"a":' * 60 + "1" + "}" * 60, "nested too deeply"),
        (None, "cannot be read: No such file"),
    ],
)
def test_with_one_that_cannot_be_used_the_old_one_stays(
    configured: Configured, document: str | None, why: str
) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            if document is None:
                configured.path.unlink()
            else:
                configured.write(document)
            hang_up(host)
            host.wait_for(f"ERROR: the configuration stays as it was: .*{why}")
            seen = len(server.requests)
            until(lambda: len(server.requests) >= seen + 2, host)
            configured.write(custom(server.url, coordinates="5,6"))
            hang_up(host)
            host.wait_for("configuration read again")
            until(lambda: server.requests[-1][2]["data"]["coordinates"] == "5,6", host)
            assert host.stop() == 0
        assert "Traceback" not in str(host)
        assert len([line for line in host.err if line.endswith(": opened")]) == 1


def test_a_host_name_that_no_library_takes_is_told_and_ends_nothing(
    configured: Configured,
) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            configured.write(custom("http://256.1.1.1/"))
            hang_up(host)
            host.wait_for("stays as it was: .*the address cannot be used: its host is no")
            assert host.stop() == 0


def test_many_signals_in_a_row(configured: Configured) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.tags, host)
            for number in range(100):
                hang_up(host)
                if number % 10 == 0:
                    count = number // 10 + 1
                    host.wait_for("configuration read again", count=count)
            seen = len(server.requests)
            until(lambda: len(server.requests) > seen + 2, host)
            assert host.stop() == 0
        assert len([line for line in host.err if line.endswith(": opened")]) == 1
        assert "Traceback" not in str(host)


def test_what_waits_for_a_server_survives_a_new_configuration(configured: Configured) -> None:
    async def main() -> None:
        with Peer() as peer, serving() as server:
            server.status = 503
            configured.write(custom(server.url, http_period=3600))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                for number in range(1, 6):
                    peer.send(report(number) + frame(GET_ALL))
                    # Once for the reboot, and once for the new configuration before.
                    await peer.got(SET_ALL, 2 * number)
                    other_scan = {"company_use_filtering": number % 2 == 0}
                    configured.write(custom(server.url, http_period=3600, **other_scan))
                    hang_up(host)
                    await peer.got(SET_ALL, 2 * number + 1)
                server.requests.clear()
                server.status = 200
                expected = {f"00:00:00:00:00:0{number}" for number in range(1, 6)}
                hang_up(host)  # the pauses between attempts begin anew
                await asyncio.to_thread(until, lambda: server.tags == expected, host)
                assert await asyncio.to_thread(host.stop) == 0
            # A post that the signal interrupts is sent again: the same batch, with its number.
            batches = {(b["data"]["nonce"], *b["data"]["tags"]) for _, _, b in server.requests}
            assert len(batches) == len(set(server.nonces))
            assert len([line for line in host.err if line.endswith(": opened")]) == 1

    run_async(main())


def test_a_signal_before_the_coprocessor_is_known(configured: Configured) -> None:
    async def main() -> None:
        with Peer(answers=silent) as peer, serving() as server:
            configured.write(custom(server.url))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await asyncio.to_thread(host.wait_for, ": opened")
                for count in (1, 2):
                    hang_up(host)
                    await asyncio.to_thread(host.wait_for, "configuration read again", count)
                peer.answers = obliging
                await asyncio.to_thread(until, lambda: server.requests, host)
                assert await asyncio.to_thread(host.stop) == 0

    run_async(main())


def test_a_signal_on_the_way_out_does_not_end_it_early(configured: Configured) -> None:
    async def main() -> None:
        with Peer() as peer, ruuvi_host("receive", "--port", "0", "--json", "--hang") as receiver:
            url = await asyncio.to_thread(receiver.wait_for, r'"listening": "(.*?)"')
            configured.write(custom(url[1]))
            with configured.run("--port", peer.path, "--trust-clock") as host:
                await peer.got(SET_ALL)
                peer.send(report(1) + frame(GET_ALL))
                await peer.got(SET_ALL, 2)
                os.kill(host.pid, signal.SIGTERM)
                for _ in range(50):
                    hang_up(host)
                    await asyncio.sleep(0)
                assert await asyncio.to_thread(host.wait) == 0
                assert any("kept for the next run" in line for line in host.err), str(host)

    run_async(main())


@pytest.mark.parametrize("turn", range(5))
def test_a_new_configuration_and_the_end_at_once(configured: Configured, turn: int) -> None:
    with serving() as server:
        configured.write(custom(server.url))
        with configured.run("--simulate") as host:
            until(lambda: server.requests, host)
            hang_up(host)
            if turn:
                host.wait_for("configuration read again")
            assert host.stop() == 0


def test_settings_that_wait_for_the_next_start_are_told(configured: Configured) -> None:
    own = configured.path.with_name("ruuvi-host.toml")
    with serving() as server, simulated() as board:
        own.write_text(f'trust_clock = true\n[[coprocessor]]\nport = "{board.port}"\n')
        configured.write(custom(server.url))
        with configured.run() as host:
            until(lambda: server.tags, host)
            own.write_text('trust_clock = true\n[[coprocessor]]\nport = "/dev/other"\n')
            hang_up(host)
            host.wait_for(r"WARNING: other settings in \[\[coprocessor\]\] count from the next")
            assert host.stop() == 0


def test_the_end_while_a_new_configuration_begins_loses_nothing(configured: Configured) -> None:
    """Between the old relays and the new ones, where what waits is on its way to the disk."""
    for _ in range(4):
        with serving() as server:
            configured.write(custom(server.url))
            with configured.run("--simulate") as host:
                until(lambda: server.tags, host)
                hang_up(host)
                host.wait_for("configuration read again")
                assert host.stop() == 0, host
                assert not [line for line in host.err if "ERROR" in line], host


# -- wrong from the start: one sentence each, the right code --------------------------------------


@pytest.mark.parametrize(
    ("document", "options", "code", "sentences"),
    [
        ("{", ("--simulate",), 2, ["not JSON"]),
        ({"use_http_ruuvi": False}, ("--simulate",), 2, ["nowhere to send to"]),
        (
            custom("http://127.0.0.1:9/"),
            (
                "--simulate",
                "--set",
                "http_perod=1",
                "--set",
                "max_sensors=0",
                "--set",
                "log.level=x",
            ),
            2,
            ["is http_period meant?", "max_sensors = 0", "log.level = x"],
        ),
        (custom("http://127.0.0.1:9/"), ("--simulate", "--set", "x"), 2, ["KEY=VALUE"]),
        (custom("http://127.0.0.1:9/"), (), 2, ["--port: name the port"]),
        (custom("http://127.0.0.1:9/"), ("--port", "/nonexistent"), 3, ["no such port"]),
    ],
)
def test_exit_codes(
    configured: Configured,
    document: dict[str, Any] | str,
    options: tuple[str, ...],
    code: int,
    sentences: list[str],
) -> None:
    configured.write(document)
    with configured.run(*options) as host:
        assert host.wait() == code, str(host)
    text = "\n".join(host.err)
    for sentence in sentences:
        assert sentence in text
    assert "Traceback" not in text
    assert "MARK" not in text
