"""kill -9 at random moments of fetch, apply, trial and rollback: what is found after it is one of
the configurations, never a mixture, and the next start brings to its end what was under way.

RUUVI_HOST_KILLS=100 has it die a hundred times; twenty in CI, in two lives.
"""

import json
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from config_server import ConfigServer
from led_host import Led

KILLS = int(os.environ.get("RUUVI_HOST_KILLS", "20")) // 2
"""Of each life."""
LATEST = 2.0
"""Seconds after the coprocessor is configured: by then the way back has been taken."""

TOLD_APART = ("coordinates", "http_url", "mqtt_prefix", "company_id")
"""Keys that every configuration has another value of."""


def marks(document: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(document.get(name) for name in TOLD_APART)


@pytest.mark.timeout(60 + 15 * KILLS)
@pytest.mark.parametrize("life", [1, 2])
def test_killed_at_any_moment(tmp_path: Path, life: int) -> None:
    chance = random.Random(1000 * life + KILLS)
    with ConfigServer() as server:
        led = Led(tmp_path, server, trial=1)

        def numbered(number: int) -> dict[str, Any]:
            """Every second one cuts the host off."""
            where = f"{server.url}/{'nowhere' if number % 2 else 'record'}/{number}"
            others = {"mqtt_prefix": f"{number}/", "company_id": number}
            return led.good(coordinates=str(number), http_url=where, **others)

        all_there_were = [numbered(0)]
        led.file.write_text(json.dumps(all_there_were[0]))
        for number in range(1, KILLS + 1):
            all_there_were.append(numbered(number))
            led.serve(all_there_were[-1])
            with led.running() as host:  # and goes on with what the last death has left
                host.wait_for("coprocessor configured")
                dies = (chance.uniform(0.0, LATEST), os.kill, (host.pid, signal.SIGKILL))
                timer = threading.Timer(*dies)
                timer.start()
                assert host.wait() == -signal.SIGKILL, host
                timer.join()
            assert not any("Traceback" in line for line in host.err), host
            found = marks(led.saved())
            assert found in map(marks, all_there_were), f"kill {number}: a mixture"
            record = led.state / "remote.json"
            if record.exists():
                assert record.stat().st_mode & 0o077 == 0
                document = json.loads(record.read_text())
                if document["trial"]:  # there is a way back, to a configuration as it was
                    for text in filter(None, document["trial"]["before"].values()):
                        assert marks(json.loads(text)) in map(marks, all_there_were)
        led.serve("", 503)  # whose answer proves nothing
        with led.running() as host:
            led.until(lambda c: not c["trial"] or "until" not in c["trial"])
            assert marks(led.saved()) in map(marks, all_there_were)
            assert host.stop() == 0
