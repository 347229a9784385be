"""A whole host with its local API, among clients that mean it no good: no report is lost, others
are served, memory is bounded.
"""

import http.client
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from programs import PATIENCE, Program, ruuvi_host

ATTACKERS = str(Path(__file__).parents[1] / "attackers.py")
KEY = "a-long-key"
HEAD = f"GET /history HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
BYTES = 48 << 20
"""By which the memory of a process may grow: 64 connections and as many that leave, with what
asyncio reads at a time (256 KiB) and an answer each."""
BATCHES = 5


def most(program: Program) -> int:
    """Bytes of memory that it had at most."""
    text = Path(f"/proc/{program.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found
    return int(found[1]) << 10


def polls(port: int) -> Iterator[int]:
    """The statuses of /history, as Home Assistant asks: on one connection while it lasts."""
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            while True:
                try:
                    connection.request(
                        "GET", "/history", headers={"Authorization": f"Bearer {KEY}"}
                    )
                    answer = connection.getresponse()
                    answer.read()
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    break  # it was idle, and had to leave
                yield answer.status


def test_nothing_is_lost_and_others_are_served(tmp_path: Path) -> None:
    state, access = str(tmp_path / "state"), f"lan_auth_api_key={KEY}"
    with ruuvi_host("receive", "--port", "0", "--simulated", "1") as server:
        url = server.wait_for(r"(http://\S+)")[1]
        options = ("--url", url, "--interval", "1", "--set", access, "--state-dir", state)
        with ruuvi_host("run", "--simulate", *options, "--set", "api.listen=127.0.0.1:0") as host:
            port = int(host.wait_for(r"local API: http://127\.0\.0\.1:(\d+)/")[1])
            host.wait_for("batches are accepted")
            before = most(host)
            with Program(sys.executable, ATTACKERS, str(port), HEAD) as attackers:
                attackers.wait_for("under way")
                asked = polls(port)
                for count in range(1, BATCHES):
                    assert [next(asked) for _ in range(10)] == [200] * 10
                    server.wait_for("accepted", count)
                grown = most(host) - before
                assert host.stop() == 0  # while they go on
        assert grown < BYTES
        lines = [line for line in host.err if "accounting" in line]
        assert any(re.search(r"custom, reports in batches [1-9]", line) for line in lines)
        assert "UNACCOUNTED" not in "".join(lines)
        assert not [line for line in host.err if re.search("ERROR|Traceback|not accepted", line)]
