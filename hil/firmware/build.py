"""Builds the reference firmware: for a chip, for a PC, and its codec as a tool.

    python -m ruuvi_host.hil.firmware.build pca10040 -o firmware.hex      installed
    python -m hil.firmware.build pca10040 -o firmware.hex                 in a source tree

Nothing built is kept with the sources: a compiler that anybody has makes it in a second.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

SOURCES = Path(__file__).parent
DEVICE = ("codec.c", "generator.c", "tx.c", "device.c")
BARE_METAL = ("start.c", "nrf.c", "memory.c")
ARM_GCC = "arm-none-eabi-gcc"
OBJCOPY = "arm-none-eabi-objcopy"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

PACKAGES = {
    ARM_GCC: "gcc-arm-none-eabi",
    OBJCOPY: "binutils-arm-none-eabi",
    "gcc": "gcc and libc6-dev",
    "qemu-system-arm": "qemu-system-arm",
}
"""Debian's names of the packages that the programs are in."""


class BuildError(Exception):
    """The compiler is missing, or does not like the sources."""


@dataclass(frozen=True, slots=True)
class Board:
    """What differs between chips, beside the pins, which are in nrf.c."""

    what: str
    cpu: str
    flash: str
    ram: str
    has_coded_phy: bool = True


BOARDS = {
    "microbit": Board(
        "BBC micro:bit, nRF51822; also what qemu emulates", "cortex-m0", "256K", "16K"
    ),
    "pca10040": Board("nRF52 DK, nRF52832", "cortex-m4", "512K", "64K", has_coded_phy=False),
    "pca10056": Board("nRF52840 DK, nRF52840", "cortex-m4", "1024K", "256K"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """How a firmware is to behave."""

    firmware: str = "2.0.0"
    """Generation: "2.0.0" or "1.0.0"."""
    watchdog: float | None = None
    """Seconds; None: as the official one, 42 or 20."""
    baud: int = 115200
    faithful: bool = False
    """Loses frames as the official transmitter does."""

    def defines(self) -> tuple[str, ...]:
        """As the compiler takes them."""
        found = [f"-DGENERATION={self.firmware[0]}", f"-DBAUD={self.baud}"]
        if self.watchdog is not None:
            found.append(f"-DWATCHDOG_MS={round(self.watchdog * 1000)}")
        if self.faithful:
            found.append("-DTRANSMIT_FAITHFUL")
        return tuple(found)


def missing(programs: Iterable[str]) -> list[str]:
    """The Debian packages that would have to be installed for these programs."""
    return [PACKAGES[program] for program in programs if shutil.which(program) is None]


def build_chip(board: str, options: Options, output: Path, *, paced: bool = False) -> Path:
    """The firmware as ELF, or as Intel HEX if `output` ends in .hex. Raises BuildError.

    paced: for an emulator, whose UART takes no time.
    """
    if output.suffix == ".hex":
        with tempfile.TemporaryDirectory() as directory:
            elf = build_chip(board, options, Path(directory) / "firmware.elf", paced=paced)
            _run(OBJCOPY, "-O", "ihex", str(elf), str(output))
        return output
    chip = BOARDS[board]
    script = output.with_suffix(".ld")
    template = Template((SOURCES / "nrf.ld.in").read_text("utf-8"))
    script.write_text(template.substitute(flash=chip.flash, ram=chip.ram), "utf-8")
    elf = output.with_suffix(".elf")
    _run(
        ARM_GCC,
        *(f"-mcpu={chip.cpu}", "-mthumb", "-std=gnu11", "-Os", "-g", *WARNINGS),
        *("-ffreestanding", "-fno-tree-loop-distribute-patterns", "-ffunction-sections"),
        *("-fdata-sections", "-nostdlib", "-Wl,--gc-sections", "-Wl,--build-id=none"),
        *(f"-DBOARD_{board.upper()}", f"-DHAS_CODED_PHY={int(chip.has_coded_phy)}"),
        *(("-DPACED=1",) if paced else ()),
        *options.defines(),
        *(str(SOURCES / name) for name in (*DEVICE, *BARE_METAL)),
        *("-lgcc", "-T", str(script), "-o", str(elf)),
    )
    return elf


def build_host(options: Options, output: Path) -> Path:
    """The same firmware as a program for this machine, with sanitizers. Raises BuildError."""
    return _for_this_machine((*DEVICE, "host.c"), output, options.defines())


def build_timeless(options: Options, output: Path, *, has_coded_phy: bool = True) -> Path:
    """The same firmware in a time of its own, with sanitizers. Raises BuildError."""
    chip = f"-DHAS_CODED_PHY={int(has_coded_phy)}"
    return _for_this_machine((*DEVICE, "timeless.c"), output, (*options.defines(), chip))


def build_codec_tool(output: Path) -> Path:
    """The codec alone, to be asked on standard input, with sanitizers. Raises BuildError."""
    return _for_this_machine(("codec.c", "codec_tool.c"), output)


def _for_this_machine(sources: Sequence[str], output: Path, defines: Sequence[str] = ()) -> Path:
    paths = [str(SOURCES / name) for name in sources]
    _run("gcc", "-std=gnu11", "-O1", *SANITIZERS, *WARNINGS, *defines, *paths, "-o", str(output))
    return output


def _run(program: str, *arguments: str) -> None:
    if absent := missing([program]):
        raise BuildError(f"{program} is not installed; Debian has it in {absent[0]}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{program} has failed:\n{done.stderr}")


def main() -> None:
    """Build for a board that is to be flashed."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.build",
        description="Build the reference firmware for a board.",
        epilog="; ".join(f"{name}: {board.what}" for name, board in BOARDS.items()),
    )
    parser.add_argument("board", choices=BOARDS)
    parser.add_argument("-o", "--output", type=Path, default=Path("firmware.hex"), metavar="FILE")
    parser.add_argument("--firmware", choices=("2.0.0", "1.0.0"), default="2.0.0")
    parser.add_argument("--watchdog", type=float, metavar="S", help="seconds, instead of 42 (20)")
    parser.add_argument("--faithful", action="store_true", help="lose frames as the official one")
    given = parser.parse_args()
    options = Options(given.firmware, given.watchdog, faithful=given.faithful)
    try:
        print(build_chip(given.board, options, given.output))
    except BuildError as error:
        raise SystemExit(f"Error: {error}") from error


if __name__ == "__main__":
    main()
