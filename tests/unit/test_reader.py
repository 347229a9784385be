"""Whether the service's user could read a file, as its modes have it."""

import os
from pathlib import Path

import pytest

from ruuvi_host.config.reader import Reader

ME, GROUP = os.geteuid(), os.getegid()
STRANGER = Reader("x", ME + 12_345, frozenset({GROUP + 12_345}))
FELLOW = Reader("y", ME + 12_345, frozenset({GROUP}))
OWNER = Reader("z", ME, frozenset({GROUP}))


@pytest.mark.parametrize(
    ("mode", "readers"),
    [
        (0o600, {"z"}),
        (0o640, {"y", "z"}),
        (0o604, {"x", "z"}),
        (0o644, {"x", "y", "z"}),
        (0o040, {"y"}),
    ],
)
def test_whose_mode_it_is(tmp_path: Path, mode: int, readers: set[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    # The folders above are pytest's, for one user alone.
    told = {r.name: r.why_not(file) for r in (STRANGER, FELLOW, OWNER)}
    of_file = {n for n, why in told.items() if why is None or "read it" not in why[0]}
    if ME:
        assert "z" in of_file or mode == 0o040
    assert {"x", "y"} & of_file >= {"x", "y"} & readers
    assert (told["z"] is None) is ("z" in readers or ME == 0)


def test_a_folder_above_it_counts(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o644)
    tmp_path.chmod(0o700)
    told = STRANGER.why_not(file)
    assert told
    assert "may not look into" in told[0]
    assert "chmod g+x" in told[1]


def test_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert STRANGER.why_not(Path("/nonexistent/x")) is None
