"""`make run`: the main job at once, on this machine alone.

A simulated coprocessor, the relay and the page of settings in one process, a receiver in another;
what both say goes to the terminal, until Ctrl-C.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("ruuvi-host"))
INTERVAL = 5
PAGE = ("--set", "api.listen=127.0.0.1:0", "--set", "lan_auth_type=lan_auth_allow")
"""On any free port, for everybody on this machine; what is set there ends with the demonstration.
The relay says where it is."""


def main() -> int:
    if not Path(COMMAND).exists():
        print(
            f"{COMMAND} is not there: `make run` makes .venv and runs this in it", file=sys.stderr
        )
        return 2
    # In a session of its own Ctrl-C does not reach it: the relay's last batch must find it there.
    receiver = subprocess.Popen(
        [COMMAND, "receive", "--port", "0", "--simulated", "1", "--decode"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert receiver.stdout is not None
    address = receiver.stdout.readline().split()[-1]
    printer = subprocess.Popen(["cat"], stdin=receiver.stdout, start_new_session=True)
    receiver.stdout.close()
    print(f"A receiver listens on {address}; the relay posts to it every {INTERVAL} s.", flush=True)
    print("The page of settings is where the relay says it is, below.", flush=True)
    print("Ctrl-C ends the demonstration.", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="ruuvi-host-") as state:
        options = ("--url", address, "--interval", str(INTERVAL), "--state-dir", state)
        relay = subprocess.Popen([COMMAND, "run", "--simulate", *options, *PAGE])
        status = relay.wait()
    receiver.terminate()
    receiver.wait()
    printer.wait()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
