"""Makes the pictures of terminals for the pages: `python tools/terminal_pictures.py`.

Each is what a command really wrote to a pseudo-terminal, about one simulated host and a receiver.
"""

import re
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich import _export_format
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from programs import ruuvi_host  # noqa: E402 - it stands in the folder of the tests
from terminal import Terminal  # noqa: E402

IMAGES = ROOT / "docs" / "pages" / "images"
COLUMNS = 104
MOST = 100_000
"""Bytes of a picture."""
# A picture that loads its font from elsewhere shows nothing offline, and tells who looks at it.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", _export_format.CONSOLE_SVG_FORMAT, flags=re.S)
SCREEN = re.compile(r"\x1b\[\?1049h.*\x1b\[\?1049l", re.DOTALL)
"""What is gone when a command leaves the alternate screen."""
CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-LN-Zac-ln-z]")
"""Moves of the cursor and the like; colours stay."""
USUAL = (
    (r"/dev/pts/\d+", "/dev/ttyACM0"),
    (r"/tmp/[^/ ]+/", "~/.local/state/"),
    (r"(http://127\.0\.0\.1):\d+", r"\1:8080"),
)
"""What would be otherwise on the reader's own machine."""
ADDRESS = r"http://127\.0\.0\.1:(\d+)"


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    listen = Terminal("listen", "--simulate", columns=COLUMNS, lines=30)
    listen.wait_for(r"10 sensors: [1-9][0-9]{2}")
    listen.end()
    draw("listen", "listen --port /dev/ttyACM0", listen.text)
    with (
        tempfile.TemporaryDirectory() as name,
        ruuvi_host("receive", "--port", "0", "--simulated", "1", "--decode") as receiver,
    ):
        state = Path(name) / "ruuvi-host"
        url = ("--url", f"http://127.0.0.1:{receiver.wait_for(ADDRESS)[1]}/record")
        folder = ("--state-dir", str(state))
        with ruuvi_host("run", "--simulate", "--interval", "2", *url, *folder):
            receiver.wait_for("accepted", count=4)
            draw("status", "status", output("status", *folder))
            draw("doctor", "doctor", output("doctor", "--simulate", *url, *folder))
        shown = [line for line in receiver.out if "tags 0 " not in line][:6]
    draw("receive", "receive --port 8080 --decode", "\n".join(shown))


def output(*arguments: str) -> str:
    """All that a command writes to a terminal until it ends."""
    terminal = Terminal(*arguments, columns=COLUMNS, lines=40)
    terminal.wait()
    return terminal.text


def draw(name: str, command: str, written: str) -> None:
    text = CONTROL.sub("", SCREEN.sub("", written)).replace("\r\n", "\n").strip("\n")
    for real, usual in USUAL:
        text = re.sub(real, usual, text)
    print(f"--- {name}\n{text}\n")
    lines = Text.from_ansi(f"$ ruuvi-host {command}\n{text}")
    console = Console(
        record=True,
        width=min(COLUMNS, max(line.cell_len for line in lines.split()) + 1),
        file=StringIO(),
    )
    console.print(lines)
    path = IMAGES / f"{name}.svg"
    path.write_text(
        console.export_svg(title="ruuvi-host", code_format=FORMAT, unique_id=name), "utf-8"
    )
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size} bytes")
    assert size <= MOST, f"more than {MOST}"


if __name__ == "__main__":
    main()
