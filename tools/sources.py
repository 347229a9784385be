"""The project's files, as they are in the work tree or were in a revision, copied elsewhere."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[1]


class GitError(Exception):
    """What git was asked for cannot be had. The message says why."""


def copy_work_tree(target: Path, source: Path = SOURCE) -> str:
    """The files as they are now, also new ones; not those that git ignores. Raises GitError.

    What they are for people: the revision, and whether there are changes.
    """
    for name in _git(source, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
        "\0"
    ):
        file = source / name
        if name and file.is_file():  # one that was removed is still in the index
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name)
    changes = _git(source, "status", "--porcelain").strip()
    return f"{_subject(source, 'HEAD')}{', and changes' if changes else ''}"


def check_out(revision: str, target: Path, source: Path = SOURCE) -> str:
    """The files of a revision. Raises GitError. What it is for people: as for `copy_work_tree`."""
    commit = _git(source, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    target.mkdir(parents=True, exist_ok=True)
    # An archive, not a work tree of git's: that would stay in the repository if we are killed.
    archive = target.with_suffix(".tar")
    _git(source, "archive", "--output", str(archive), commit)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(target)], check=True)
    archive.unlink()
    return _subject(source, commit)


def _subject(source: Path, revision: str) -> str:
    return _git(source, "log", "-1", "--format=%h %s", revision).strip()


def _git(source: Path, *arguments: str) -> str:
    # Root may look into the folder of somebody else: nothing in it is run.
    command = ["git", "-C", str(source), "-c", f"safe.directory={source}", *arguments]
    try:
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise GitError(error.stderr.strip() or f"git has no {arguments[-1]}") from error
    return ran.stdout
