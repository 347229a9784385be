"""Opening a port: for us alone, and with a sentence when it cannot be."""

import fcntl
import os
import socket
import sys
from pathlib import Path

import pytest
from lines import Pty, open_fds, run
from ports import opened, refusal
from programs import Program
from rfc2217_server import pyserial_is_old

from ruuvi_host.device import local
from ruuvi_host.device.pyserial import port_names

COMM = Path("/proc/self/comm").read_text().strip()


# --- for us alone


def test_a_second_open_names_who_has_it() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                sentence = await refusal(pty.path)
                assert sentence == (
                    f"in use by {COMM} (process {os.getpid()}). Stop it, or choose another port"
                )
                port.write(b"a")  # and the first is none the worse
                assert await pty.receive(1) == b"a"
            async with opened(pty.path):
                pass

    run(main())


def test_another_process_that_has_it_is_named() -> None:
    hold = (
        "import fcntl, os, signal, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); "
        "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); signal.pause()"
    )
    with Pty() as pty, Program(sys.executable, "-c", hold, pty.path) as holder:
        holder.wait_for("held")

        async def main() -> None:
            assert f"(process {holder.pid})" in await refusal(pty.path)

        run(main())


def test_a_pty_is_locked_but_not_made_exclusive() -> None:
    """TIOCEXCL stays with the terminal as long as the board's end keeps it open."""

    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path):
                assert not pty.is_exclusive()
                other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
                with pytest.raises(BlockingIOError):
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.close(other)
            other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(other)

    run(main())


def test_a_real_terminal_is_made_exclusive_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As nearly as a pty can show it: as if it were none."""
    monkeypatch.setattr(local, "PTY_MAJORS", range(0))

    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path):
                assert pty.is_exclusive()

    run(main())


# --- what cannot be opened


def test_what_is_no_port_gets_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    async def main() -> None:
        before = open_fds()
        nowhere = await refusal(str(tmp_path / "nowhere"))
        assert nowhere.startswith("there is no such port. ")
        assert all(name in nowhere for name in port_names())
        assert await refusal(str(file)) == "not a serial port"
        assert await refusal(str(tmp_path)) == "not a serial port"
        assert await refusal("/dev/null") == "not a serial port, or no hardware behind it"
        assert await refusal(f"{file}/x") == "cannot be opened: Not a directory"
        assert (await refusal("")).startswith("there is no such port")
        assert open_fds() == before

    run(main())


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://host:1", "unknown kind of port; network ports begin with socket:// or rfc2217://"),
        ("socket://host", "not an address; write socket://host:port"),
        ("socket://:1", "not an address; write socket://host:port"),
        ("socket://host:99999", "not an address; write socket://host:port"),
        ("socket://host:one", "not an address; write socket://host:port"),
        ("socket://[::1", "not an address; write socket://host:port"),
        ("rfc2217:///dev/tty", "not an address; write rfc2217://host:port"),
    ],
)
def test_what_is_no_address_gets_one_sentence(url: str, sentence: str) -> None:
    async def main() -> None:
        assert await refusal(url) == sentence

    run(main())


@pyserial_is_old
@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_nobody_listens_there(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"

        async def main() -> None:
            assert await refusal(url) == "cannot be opened: Connection refused"

        run(main())


@pyserial_is_old
def test_who_listens_there_does_not_speak_rfc2217() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rfc2217://127.0.0.1:{server.getsockname()[1]}?timeout=0.2"

        async def main() -> None:
            assert await refusal(url) == (
                "cannot be opened: Remote does not seem to support RFC2217 or BINARY mode"
            )

        run(main())
