"""The units of systemd: the page shows the files, and systemd understands them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
UNIT, SOCKET = DOCS / "ruuvi-host.service", DOCS / "ruuvi-host.socket"
BRIDGE = DOCS / "ruuvi-host-bridge@.service"
SYSUSERS, TMPFILES = DOCS / "ruuvi-host.sysusers", DOCS / "ruuvi-host.tmpfiles"
PROGRAM = "ExecStart=ruuvi-host "
ANALYZE = shutil.which("systemd-analyze")
MISSING = "is missing (Debian package systemd)"


@pytest.mark.parametrize("unit", [UNIT, SOCKET], ids=lambda unit: unit.name)
def test_the_page_shows_the_file(unit: Path) -> None:
    page = (DOCS / "pages" / "systemd.md").read_text("utf-8")
    assert f"```ini\n{unit.read_text('utf-8').rstrip()}\n```" in page


@pytest.mark.skipif(ANALYZE is None, reason=f"systemd-analyze {MISSING}")
def test_systemd_understands_it(tmp_path: Path) -> None:
    """With the socket; and with a secret as a credential."""
    text = UNIT.read_text("utf-8")
    assert text.count(PROGRAM) == 1
    text = re.sub("^#(LoadCredential|Environment)=", r"\1=", text, flags=re.MULTILINE)
    assert "\nLoadCredential=" in text
    installed, socket = tmp_path / UNIT.name, tmp_path / SOCKET.name
    installed.write_text(text.replace(PROGRAM, "ExecStart=/bin/true "))
    shutil.copy(SOCKET, socket)
    ran = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(installed), str(socket)],
        capture_output=True,
        text=True,
        check=False,
    )
    names = (installed.name, socket.name)
    assert [line for line in ran.stderr.splitlines() if any(n in line for n in names)] == []
    assert ran.returncode == 0, ran.stderr


@pytest.mark.skipif(ANALYZE is None, reason=f"systemd-analyze {MISSING}")
def test_systemd_understands_the_unit_of_a_bridge(tmp_path: Path) -> None:
    installed = tmp_path / "ruuvi-host-bridge@hci0.service"
    text = BRIDGE.read_text("utf-8")
    assert text.count(PROGRAM) == 1
    installed.write_text(text.replace(PROGRAM, "ExecStart=/bin/true "))
    ran = subprocess.run(
        [str(ANALYZE), "verify", str(installed)], capture_output=True, text=True, check=False
    )
    assert [line for line in ran.stderr.splitlines() if installed.name in line] == []
    assert ran.returncode == 0, ran.stderr


def settings(unit: Path) -> dict[str, list[str]]:
    """Key → values, in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.isalpha():
            found.setdefault(key, []).append(value)
    return found


def test_host_and_bridge_fit_each_other() -> None:
    """A pty belongs to who has made it; and only the bridge has the capability."""
    host, bridge = settings(UNIT), settings(BRIDGE)
    assert host["User"] == bridge["User"]
    assert host["Group"] == bridge["Group"]
    assert "char-pts rw" in host["DeviceAllow"]
    assert host["AmbientCapabilities"] == [""]
    assert bridge["AmbientCapabilities"] == bridge["CapabilityBoundingSet"] == ["CAP_NET_ADMIN"]
    assert bridge["RestrictAddressFamilies"] == ["AF_UNIX AF_BLUETOOTH"]
    assert not {"PrivateUsers", "PrivateNetwork", "DynamicUser"} & bridge.keys()
    assert "/run/ruuvi-host-bridge/hci0/port" in BRIDGE.read_text("utf-8")


def test_the_user_is_the_same_everywhere() -> None:
    unit = UNIT.read_text("utf-8")
    assert "\nUser=ruuvi-host\nGroup=ruuvi-host\n" in unit
    assert "DynamicUser" not in unit
    assert "\nu ruuvi-host - " in SYSUSERS.read_text("utf-8")
    assert "\nd /etc/ruuvi-host 0750 ruuvi-host ruuvi-host -\n" in TMPFILES.read_text("utf-8")
    assert "\nReadWritePaths=%E/ruuvi-host\n" in unit, "the configuration can be written"


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason=f"systemd-sysusers {MISSING}")
def test_the_user_is_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    lines = [line for line in SYSUSERS.read_text("utf-8").splitlines() if line[0] != "#"]
    ran = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "--inline", *lines],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = (tmp_path / "etc" / "passwd").read_text()
    assert re.search(r"^ruuvi-host:.*:/var/lib/ruuvi-host:", found, re.MULTILINE)
