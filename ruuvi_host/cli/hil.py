"""`ruuvi-host hil`: test a board, or what stands in for one; a front for the pytest plugin."""

from __future__ import annotations

import click

_OWN_OUTPUT = ("-v", "--verbose", "-s", "--capture", "-q", "--quiet", "--co", "-h", "--help")
"""Options of pytest with which it shows, or does, something else."""
RIGS = ("sim", "qemu", "native", "hci", "serial", "replay")


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  ruuvi-host hil                                     the simulator
  ruuvi-host hil --rig qemu                          our firmware on an emulated chip
  ruuvi-host hil --rig serial --port /dev/ttyACM0    a board
  ruuvi-host hil --rig hci --hci hci0                a Bluetooth adapter, and the bridge to it
  ruuvi-host hil --rig sim -k watchdog -x            pytest's own options, too

\b
Exit codes: 0 passed; 1 a test failed; 2 interrupted; 4 a wrong option;
5 nothing was tested.""",
)
@click.option(
    "--rig",
    type=click.Choice(RIGS),
    default="sim",
    show_default=True,
    help="What the suite runs on: the simulator; the reference firmware on an emulated chip (qemu) "
    "or as a program (native); the bridge to a Bluetooth controller (hci); a board (serial); a "
    "capture (replay).",
)
@click.option("--port", metavar="PORT", help="The board, for --rig serial.")
@click.option("--baud", type=int, help="Its speed.  [default: 115200]")
@click.option(
    "--reset-command",
    metavar="COMMAND",
    help="What resets the board, for instance 'nrfjprog --reset'.",
)
@click.option(
    "--official",
    is_flag=True,
    help="The board runs the official firmware: its receiver must have those weaknesses, too, and "
    "it must reset itself after 42 s without reports, which takes as long.",
)
@click.option(
    "--hci",
    metavar="TRANSPORT",
    help="The controller, for --rig hci.  [default: a scripted one, without a radio]",
)
@click.option("--capture", metavar="FILE", help="The capture, for --rig replay.")
@click.option(
    "--firmware",
    type=click.Choice(["both", "2.0.0", "1.0.0"]),
    help="Generation that sim, qemu and native behave like.  [default: both]",
)
@click.option("--duration", metavar="S", help="Of the endurance test.  [default: 5]")
@click.option("--examples", metavar="N", help="Sequences of the differential test, at random.")
@click.option("--report", metavar="DIR", help="Where the report is written.  [default: hil-report]")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST OPTIONS]")
def command(
    arguments: tuple[str, ...],
    capture: str | None,
    official: bool,
    **options: str | int | None,
) -> None:
    """Test a board that speaks CA-UART, or what stands in for one.

    Writes report.html, report.json and junit.xml: what ran on which board with which firmware, and
    what was measured. Nothing is sent to anybody. Needs the extra ruuvi-host[hil].
    """
    import os
    import sys
    from importlib.util import find_spec
    from pathlib import Path

    from ruuvi_host.cli.progress import is_terminal
    from ruuvi_host.errors import ConfigError

    # Installed, the suite is ruuvi_host/hil; in a source tree it is beside ruuvi_host.
    package = Path(__file__).parents[1]
    suite = next(
        (p / "hil" for p in (package, package.parent) if (p / "hil/plugin.py").exists()), None
    )
    missing = [name for name in ("pytest", "hypothesis") if find_spec(name) is None]
    if missing or suite is None:
        missing += ["the suite"] * (suite is None)
        raise ConfigError(
            "hil", f"{' and '.join(missing)} missing: install the extra ruuvi-host[hil]"
        )
    import pytest

    given = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in {**options, "capture_file": capture}.items()
        if value is not None
    ]
    given += ["--official"] * official
    # Nothing is written where the package is installed.
    sys.dont_write_bytecode = True
    # The configuration of pytest that stands in a folder above is not for this suite.
    fixed = [f"--rootdir={suite.parent}", f"--config-file={os.devnull}", "-ra"]
    fixed += ["-p", "no:cacheprovider"]
    plugins = []
    if (
        not any(word.startswith(_OWN_OUTPUT) for word in arguments)
        and is_terminal(sys.stdout)
        and is_terminal(sys.stderr)
    ):
        from ruuvi_host.cli.hil_bar import Bar

        plugins.append(Bar())
        fixed += ["-o", "console_output_style=classic"]
    code = pytest.main([str(suite), *fixed, *given, *arguments], plugins=plugins)
    if code == pytest.ExitCode.USAGE_ERROR:
        _suggest(arguments)
    raise SystemExit(code)


def _suggest(arguments: tuple[str, ...]) -> None:
    """What is no option here is pytest's; but pytest does not know ours by these names."""
    from difflib import get_close_matches

    ours = [name for option in command.params for name in option.opts if name.startswith("--")]
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith("--") and (close := get_close_matches(name, ours, 1)):
            click.echo(f"{name}: did you mean {close[0]}?", err=True)
