"""docs/pages/configuration.md: tables as in the code; commands answer as the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from programs import COMMAND

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "pages" / "configuration.md").read_text("utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tools'); import config_page\n"
        "assert config_page.PAGE.read_text('utf-8') == config_page.page(), 'run it'"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def conversations() -> list[tuple[str, str]]:
    """(command, what it answers), of all blocks that show both."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            found.append((command, answer))
    return found


@pytest.mark.parametrize(("command", "answer"), conversations())
def test_a_command_answers_as_the_page_says(command: str, answer: str) -> None:
    path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUUVI_HOST_")}
    ran = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=clean | {"PATH": path}
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", answer)


def test_commands_that_change_files_exist() -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            named = [word for word in words[1:] if re.fullmatch("[a-z]+", word)][:2]
            ran = subprocess.run([COMMAND, *named, "--help"], capture_output=True, text=True)
            assert ran.returncode == 0, line
            for option in (word for word in words if word.startswith("--")):
                assert option in ran.stdout, line
