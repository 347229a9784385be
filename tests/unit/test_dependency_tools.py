"""tools/audit.py, sbom.py and successors.py: what they make of what others say."""

from pathlib import Path
from typing import Any

import audit
import pytest
import sbom
import successors
import user_environment
from sources import SOURCE
from successors import CANDIDATES, Candidate, CannotTryError, Edit

from ruuvi_host import __version__

LOOKED_UP = {"name": "h11", "version": "0.16.0", "vulns": []}
OURS = {"name": "Ruuvi_Host", "skip_reason": "not found"}
SKIPPED = {"name": "idna", "skip_reason": "not found"}
BAD = {
    "name": "anyio",
    "version": "4.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["4.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}


def judged(*packages: Any) -> tuple[int, str]:
    return audit.judge({"dependencies": packages, "fixes": []}, "")


def test_all_that_was_looked_up_is_good() -> None:
    status, told = judged(LOOKED_UP, OURS)
    assert (status, told) == (0, "audit: 1 packages were looked up; nothing is known of them")


def test_what_nobody_looked_at_is_not_called_good() -> None:
    status, told = judged(LOOKED_UP, SKIPPED, OURS)
    assert status == 3
    assert "NOT AUDITED: 1 of 2 packages" in told
    assert told.endswith(": idna")
    assert judged(OURS)[0] == 3
    assert judged()[0] == 3


def test_what_is_known_is_told_with_what_mends_it() -> None:
    status, told = judged(LOOKED_UP, BAD, SKIPPED)
    assert status == 1
    assert "known: 2\nanyio 4.0: PYSEC-1, mended in 4.1\nanyio 4.0: PYSEC-2\n" in told
    assert "NOT AUDITED: 1 of 3" in told


def test_a_database_that_is_not_reached() -> None:
    said = "WARNING:…\nERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n"
    status, told = audit.judge(None, said)
    assert status == 3
    assert "NOT AUDITED: the database was not reached: ERROR:pip_audit._cli:Could not" in told
    assert audit.judge(None, "")[0] == 3


def test_names_as_an_index_compares_them() -> None:
    assert user_environment.normalized("PyYAML") == "pyyaml"
    assert user_environment.foreign(["typing_extensions", "ruuvi.host", "H11"]) == [
        "h11",
        "typing-extensions",
    ]


def test_the_document_has_our_version() -> None:
    assert sbom.version() == __version__
    document = sbom.completed({"metadata": {"component": {"name": "ruuvi-host"}}})
    assert document["metadata"]["component"]["version"] == __version__


def test_packages_without_a_license_are_told() -> None:
    components = [{"name": "b", "licenses": [{}]}, {"name": "a"}]
    told = sbom.summary({"components": components})
    assert told == "2 packages: a, b\nno license is told by: a"


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=[*CANDIDATES])
def test_what_would_have_to_change_is_still_there(candidate: Candidate, tmp_path: Path) -> None:
    files = {edit.file for edit in candidate.edits} | {file for file, _ in candidate.replaced}
    for name in files | {f"tools/{module}" for _, module in candidate.replaced}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((SOURCE / name).read_bytes())
    successors.change(tmp_path, candidate)
    for name in files:
        changed = (tmp_path / name).read_text("utf-8")
        assert changed != (SOURCE / name).read_text("utf-8")
        compile(changed, name, "exec")
    for test in candidate.tests:
        assert (SOURCE / test).exists(), test


def test_a_text_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    candidate = Candidate("x", ("y",), (), (Edit("a.py", "import x\n", "import y\n"),))
    with pytest.raises(CannotTryError, match=r"a\.py does not have this once: import x"):
        successors.change(tmp_path, candidate)


def test_arguments() -> None:
    options = successors.parse(["httpx2", "--keep", "here", "--", "-x", "-k", "a"])
    assert options.candidates == ["httpx2"]
    assert options.pytest == ["-x", "-k", "a"]
    assert successors.parse([]).candidates == []
    with pytest.raises(SystemExit):
        successors.parse(["httpx3"])
    assert audit.parse(["--newest", "--", "--service", "osv"])[1] == ["--service", "osv"]
