"""Reset lines: modem lines over rfc2217, commands. A GPIO can only be tested for its errors here:
there is no GPIO chip on most machines that run tests, and none may be made without root."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
from lines import Pty, run, until
from rfc2217_server import Rfc2217Server, pyserial_is_old

from ruuvi_host.config.coprocessor import GpioLine, ModemLine, ResetCommand
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.reset import check, pull
from ruuvi_host.errors import ConfigError, ResetError


@pyserial_is_old
@pytest.mark.parametrize("line", ["dtr", "rts"])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_modem_line_is_pulled_and_let_go_of(line: str, inverted: bool) -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path) as server:
            levels = {line: inverted}
            port = await open_port(server.url, **levels)  # type: ignore[arg-type]
            await until(lambda: server.levels(line)[-1:] == [inverted])
            server.forget_levels()
            start = time.monotonic()
            await pull(ModemLine(line, inverted, hold=0.05), port)  # type: ignore[arg-type]
            assert time.monotonic() - start >= 0.05
            await until(lambda: len(server.levels(line)) == 2)
            assert server.levels(line) == [not inverted, inverted]
            other = "rts" if line == "dtr" else "dtr"
            assert server.levels(other) == []
            await port.close()

    run(main())


def test_a_port_without_modem_lines_says_so() -> None:
    async def main() -> None:
        with Pty() as pty:
            port = await open_port(pty.path)
            with pytest.raises(ResetError, match="DTR cannot be set: Inappropriate ioctl"):
                await pull(ModemLine("dtr"), port)
            await port.close()

    run(main())


def command(source: str, timeout: float = 20.0) -> ResetCommand:
    return ResetCommand((sys.executable, "-c", source), timeout)


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    made = tmp_path / "$HOME; x"

    async def main() -> None:
        reset = ResetCommand(("touch", str(made)))
        check(reset)
        await pull(reset, None)

    run(main())
    assert made.exists()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import sys; sys.exit('x\\n\\x1b[31mno hub')", r"exit code 1: \\x1b\[31mno hub$"),
        ("import sys; sys.exit(3)", "ended with exit code 3$"),
    ],
)
def test_a_command_that_fails_says_why(source: str, sentence: str) -> None:
    async def main() -> None:
        with pytest.raises(ResetError, match=sentence):
            await pull(command(source), None)

    run(main())


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    hang = (
        "import subprocess, sys; "
        f"p = subprocess.Popen(['sleep', '600']); open({str(pid)!r}, 'w').write(f'{{p.pid}} '); "
        "p.wait()"
    )

    async def main() -> None:
        pulling = asyncio.create_task(pull(command(hang, 600.0), None))
        await until(lambda: pid.exists() and pid.read_text().endswith(" "))
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
        with pytest.raises(ResetError, match=r"has not ended within 0.05 s; stopped"):
            await pull(command("import time; time.sleep(600)", 0.05), None)
        child = Path(f"/proc/{pid.read_text().strip()}")
        await until(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())

    run(main())


def test_a_command_that_cannot_be_run() -> None:
    with pytest.raises(ConfigError, match="there is no program /nowhere/reset"):
        check(ResetCommand(("/nowhere/reset",)))

    async def main() -> None:
        with pytest.raises(ResetError, match="cannot be run: No such file"):
            await pull(ResetCommand(("/nowhere/reset",)), None)

    run(main())


def test_a_gpio_that_cannot_be_used_says_so_at_once() -> None:
    with pytest.raises(ConfigError, match=r"reset: (a GPIO needs|/nowhere is not a GPIO chip)"):
        check(GpioLine("/nowhere", 17))

    async def main() -> None:
        with pytest.raises(ResetError, match="/nowhere line 17: "):
            await pull(GpioLine("/nowhere", 17), None)

    run(main())
