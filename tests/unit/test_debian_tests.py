"""tools/debian_tests.py: it asks Debian for what pyproject.toml asks for, and what it cannot do is
told in words. What it makes is seen by running it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import debian_root
import debian_tests
import pytest
from sources import SOURCE

TOOL = SOURCE / "tools" / "debian_tests.py"


def run(*arguments: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | ({"PATH": path} if path is not None else {})
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_each_requirement_is_a_package_or_has_a_reason() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["encrypted"], *extras["test"]]
    asked = {re.split(r"[<>=!~ ;\[]", line)[0] for line in lines}
    without = debian_tests.NOT_NEEDED | set(debian_tests.LACKING)
    assert asked == set(debian_tests.PACKAGES) | without
    for tests in debian_tests.LACKING.values():
        assert (SOURCE / tests).is_dir()


def arguments_of_pytest(*arguments: str) -> list[str]:
    return list(debian_tests.pytest(debian_tests.parse(arguments)))


def test_without_a_path_it_is_unit_and_property_tests(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments_of_pytest("--", "-k", "spool")[2:] == [
        *("-k", "spool", "tests/unit", "tests/property"),
        *("--ignore=tests/clients", "--ignore=tests/differential"),
    ]
    assert capsys.readouterr().out == ""
    one = "tests/unit/test_relay.py::test_no_empty_batch_is_posted_at_the_end"
    assert arguments_of_pytest("--suite", "sid", "--", one)[2:3] == [one]
    assert "tests/unit" not in arguments_of_pytest("--", one)


def test_what_cannot_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    clients = "not run: tests/clients: Debian has no aioruuvigateway, ruuvi-gateway-client\n"
    decoder = "not run: tests/differential: Debian has no bumble, ruuvitag-sensor\n"
    for path, told in (
        ("tests", clients + decoder),
        ("tests/clients", clients),
        ("tests/differential", decoder),
    ):
        arguments_of_pytest("--", path)
        assert capsys.readouterr().out == told


URIS = """\
'https://user:secret@one.example/debian-security/dists/bookworm-security/InRelease' a 0
'https://user:secret@one.example/extras/dists/stable/InRelease' b 0
'https://user:secret@one.example/debian/dists/bookworm-updates/InRelease' c 0
'https://user:secret@one.example/debian/dists/bookworm/InRelease' d 0
'https://user:secret@one.example/debian/dists/bookworm/main/binary-all/Packages.xz' e 0
"""


def test_the_mirror_is_that_of_apt() -> None:
    mirror = debian_root.mirror_of_apt(URIS)
    assert mirror == "https://user:secret@one.example/debian"
    assert debian_root.without_password(mirror) == "https://one.example/debian"
    only_other = URIS.replace("/debian/", "/copy/")
    assert str(debian_root.mirror_of_apt(only_other)).endswith("/extras")
    assert debian_root.mirror_of_apt("") is None


def test_how_archives_are_reached_is_as_apt_does() -> None:
    dump = """\
APT::Architecture "amd64";
Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::Packages::MetaKey "x";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::Verify-Peer "true";
Acquire::httpx "no";
"""
    assert debian_root.apt_settings(dump) == [
        'Acquire::Check-Valid-Until "false"',
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::https::Verify-Peer "true"',
    ]


def test_help_teaches() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    for part in ("--suite", "--python python3.15", "-- tests/unit/test_relay.py", "mmdebstrap"):
        assert part in ran.stdout


def test_what_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    ran = run(path=str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr == ("debian_tests: mmdebstrap is not installed (Debian package mmdebstrap)\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets so far")
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    programs, root = tmp_path / "bin", tmp_path / "root"
    programs.mkdir()
    root.mkdir()
    (root / "photo").touch()
    (programs / "mmdebstrap").symlink_to("/bin/false")
    ran = run("--root", str(root), path=f"{programs}:{os.environ['PATH']}")
    assert ran.returncode == 2
    assert "was not made by this program" in ran.stderr
    (root / "photo").unlink()
    ran = run("--root", str(root), "--mirror", "x", path=f"{programs}:{os.environ['PATH']}")
    assert ran.returncode == 2
    assert "mmdebstrap has failed" in ran.stderr
    assert list(tmp_path.iterdir()) == [programs]
