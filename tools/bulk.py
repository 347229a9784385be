"""Measures `decode adv` of many lines, against another revision and against other decoders.

    python tools/bulk.py                              this build: JSON, --jobs 2, CSV, Parquet
    python tools/bulk.py --against 0d74e95            and that one, which must write the same JSON
    python tools/bulk.py --others PYTHON              and ruuvitag-sensor and bleparser, which the
                                                      named Python has installed
    python tools/bulk.py --lines 1000000 --rounds 7 --mixed

All lines differ; --mixed: 70 % of them are a RuuviTag's, 24 % a Ruuvi Air's, the rest nobody's.
The programs take turns. User CPU time of processes and what they start, and time by the clock; a
ratio is the median of those of the rounds. On a busy machine only the ratios of CPU say something.
"""

import argparse
import hashlib
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sources import SOURCE, check_out

TAG, AIR, AIR_6 = "0201061BFF990405", "2BFF9904E1", "020106030398FC17FF990406"
OTHER = r"""
import sys
def ruuvitag_sensor():
    from ruuvitag_sensor.data_formats import DataFormats
    from ruuvitag_sensor.decoder import get_decoder
    def decode(line):  # it takes text: the length of all structures, then the structures
        number, data = DataFormats.convert_data(f"{len(line) // 2:02X}{line}")
        return get_decoder(number).decode_data(data)
    return decode
def bleparser():
    from bleparser import BleParser
    parser = BleParser(filter_duplicates=False, discovery=True)
    def decode(line):  # it takes an event of HCI, with the address and the RSSI around
        size = len(line) // 2
        head = f"043E{size + 12:02X}02010000{line[-2:]}{line[-4:-2]}{line[-6:-4]}{line[-8:-6]}"
        return parser.parse_raw_data(bytes.fromhex(
            f"{head}{line[-10:-8]}{line[-12:-10]}{size:02X}{line}C8"))[0]
    return decode
import json
decode, count = globals()[sys.argv[1]](), 0
for line in open(sys.argv[2]):
    found = decode(line.rstrip())
    count += bool(found)
    print(json.dumps(found))
print(count, "decoded", file=sys.stderr)
"""


def lines(count: int, mixed: bool) -> list[str]:
    """Different ones, the same in every run."""
    chance = random.Random(17)

    def any_of(head: str, size: int) -> str:
        return head + chance.randbytes(size).hex().upper()

    def one() -> str:
        kind = chance.random() if mixed else 0
        if kind < 0.7:
            return any_of(TAG, 23)
        if kind < 0.94:
            return any_of(AIR, 39) if kind < 0.82 else any_of(AIR_6, 19)
        return any_of("", 20) if kind < 0.97 else f"no hex {chance.random()}"

    return [one() for _ in range(count)]


def measure(command: list[str], where: Path, out: Path) -> tuple[float, float]:
    """User CPU and wall time of a command, in seconds; its output goes into `out`."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    with out.open("wb") as file:
        subprocess.run(command, cwd=where, stdout=file, stderr=subprocess.PIPE, check=True)
    took = time.perf_counter() - begun
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, took


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures `decode adv` of many lines.")
    parser.add_argument("--against", metavar="REVISION")
    parser.add_argument("--others", metavar="PYTHON")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--only", action="append", help="of the names that are printed")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        compare(Path(folder), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Rounds of all programs in turn, and what they give."""
    file, out = folder / "lines", folder / "out"
    file.write_text("\n".join(lines(options.lines, options.mixed)) + "\n")
    ours = [sys.executable, "-m", "ruuvi_host", "decode", "adv"]
    given = f"@{file}"
    programs: dict[str, tuple[list[str], Path]] = {
        "json": ([*ours, "--json", given], SOURCE),
        "json, 2 jobs": ([*ours, "--json", "--jobs", "2", given], SOURCE),
        "csv": ([*ours, "--csv", str(folder / "csv"), given], SOURCE),
        "csv, 2 jobs": ([*ours, "--csv", str(folder / "csv"), "--jobs", "2", given], SOURCE),
        "parquet": ([*ours, "--parquet", str(folder / "parquet"), given], SOURCE),
    }
    if options.against:
        check_out(options.against, folder / "old")
        programs[options.against] = ([*ours, "--json", given], folder / "old")
    for name in ("ruuvitag_sensor", "bleparser") if options.others else ():
        programs[name] = ([options.others, "-c", OTHER, name, str(file)], SOURCE)
    for name in [n for n in programs if options.only and n not in options.only]:
        del programs[name]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    said: dict[str, str] = {}
    for number in range(options.rounds):
        for name in list(programs)[:: -1 if number % 2 else 1]:
            found[name].append(measure(*programs[name], out))
            said[name] = hashlib.md5(out.read_bytes()).hexdigest()
    print(f"{options.lines:,} lines, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    first = found[next(iter(found))]
    for name, rounds in found.items():
        cpu, wall = (median(one[place] for one in rounds) for place in (0, 1))
        ratios = [ratio(rounds, first, place) for place in (0, 1)]
        print(f"{name:<16} CPU {cpu:7.2f} s  {ratios[0]}   clock {wall:7.2f} s  {ratios[1]}")
    for name in {options.against, "json, 2 jobs"} & set(said) if "json" in said else ():
        print(f"{name}: {'same output' if said[name] == said['json'] else 'OTHER OUTPUT'}")


def ratio(rounds: list[tuple[float, float]], first: list[tuple[float, float]], place: int) -> str:
    """To the first program: the median of the rounds, with the least and the greatest."""
    each = [one[place] / other[place] for one, other in zip(rounds, first, strict=True)]
    return f"x{median(each):5.2f} ({min(each):.2f} to {max(each):.2f})"


if __name__ == "__main__":
    main()
