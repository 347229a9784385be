"""tools/fuzz.py runs, takes what it should, and tells what it finds."""

import re
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


def fuzz(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return python(str(TOOLS / "fuzz.py"), *arguments)


def test_the_targets() -> None:
    ran = fuzz("--list")
    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        *("decode", "ad", "scanner", "session")
    ]
    assert "there is no target 'x'" in fuzz("x").stderr


def test_one_input() -> None:
    ran = fuzz("--hex", "0201061bff990405")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


BROKEN = """
import sys
sys.path.insert(0, sys.argv[1])
import fuzz
def broken(data):
    assert b"\\xff\\x99" not in data, "found"
fuzz.TARGETS["decode"] = broken
fuzz.EXAMPLES = 300
fuzz.fuzz_with_hypothesis(["decode"], 0)
"""


def test_what_is_found_can_be_repeated() -> None:
    ran = python("-c", BROKEN, str(TOOLS))
    assert ran.returncode == 1
    found = r"^python tools/fuzz.py decode --hex [0-9a-f]*ff99[0-9a-f]*$"
    assert re.search(found, ran.stderr, re.MULTILINE)
    assert "AssertionError: found" in ran.stderr


def test_a_while_without_a_find() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fuzz; fuzz.EXAMPLES = 50;"
        "fuzz.fuzz_with_hypothesis(list(fuzz.TARGETS), 1)"
    )
    ran = python("-c", program, str(TOOLS))
    assert ran.returncode == 0, ran.stderr
    assert "200 inputs, all is well" in ran.stderr
