"""The unit of systemd: the page shows the file, and systemd understands it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "docs" / "ruuvi-host.service"
ANALYZE = shutil.which("systemd-analyze")


def test_the_page_shows_the_file() -> None:
    page = (ROOT / "docs" / "pages" / "systemd.md").read_text("utf-8")
    assert f"```ini\n{UNIT.read_text('utf-8').rstrip()}\n```" in page


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing (Debian package systemd)")
def test_systemd_understands_it(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    text = UNIT.read_text("utf-8")
    assert text.count("/opt/ruuvi-host/bin/ruuvi-host") == 1
    installed.write_text(text.replace("/opt/ruuvi-host/bin/ruuvi-host", "/bin/true"))
    ran = subprocess.run(
        [str(ANALYZE), "verify", str(installed)], capture_output=True, text=True, check=False
    )
    assert [line for line in ran.stderr.splitlines() if installed.name in line] == []
    assert ran.returncode == 0, ran.stderr
