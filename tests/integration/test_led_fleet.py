"""tools/led_fleet.py with two hosts: real processes, led through all that the page tells of."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "led_fleet.py"


def test_two_hosts_are_led() -> None:
    ran = subprocess.run(
        [sys.executable, str(TOOL), "--hosts", "2", "--trial", "2"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    steps = [line.partition(":")[0] for line in ran.stdout.splitlines()]
    assert steps == [
        *("started", "good change", "bad file", "cuts off", "server died", "canary")
    ], ran.stdout
