"""How far the suite for boards is, and which test runs: a bar below what pytest writes.

A plugin of pytest, for a terminal only. It takes the place of pytest's dots.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.progress import TaskID

REFRESHES = 2
"""A second: the suite measures times in this very process."""


class Bar:
    """To be made before pytest captures standard error."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(file=self._file),
            transient=True,
            refresh_per_second=REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        if reporter := config.pluginmanager.get_plugin("terminalreporter"):
            reporter.showfspath = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._task = self._progress.add_task("", total=len(session.items))
            self._progress.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, description=nodeid.rpartition("/")[2])

    def pytest_runtest_logfinish(self) -> None:
        if self._task is not None:
            self._progress.advance(self._task)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """Counted as always, without a letter of its own."""
        is_counted = report.when == "call" or report.outcome != "passed"
        if hasattr(report, "wasxfail") or not is_counted:
            return None
        category = report.outcome
        if category == "failed" and report.when != "call":
            category = "error"  # type: ignore[assignment]
        return category, "", ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._progress.stop()
        self._file.close()
