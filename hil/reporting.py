"""What pytest does for the report: collects the results, writes the files, ends with a summary."""

from collections.abc import Generator
from pathlib import Path

import pytest

from .report import HTML_NAME, write
from .results import Run
from .rig import BareRig

RUN = pytest.StashKey[Run]()
"""Where the plugin keeps the results of this run, in pytest's configuration."""
MOST_REASONS = 3


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    phase = yield
    if phase.failed and isinstance(item, pytest.Function):
        rig = item.funcargs.get("rig")
        if isinstance(rig, BareRig) and (trouble := rig.trouble()):
            phase.sections.append((f"rig {rig.name}", trouble))
    run = item.config.stash[RUN]
    run.note(item, phase)
    if phase.when == "teardown":
        result = run.of(item)
        for name, value in (
            ("rig", result.rig),
            ("firmware", result.firmware),
            ("address", result.address),
            *(
                (f.name, f"{f.value:g} {f.unit} (bound: {f.bound or 'none'})".replace("  ", " "))
                for f in result.figures.figures
            ),
        ):
            item.user_properties.append((name, value))
        phase.user_properties = item.user_properties
    return phase


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    run = session.config.stash.get(RUN, None)
    if run and run.results:
        write(run, Path(session.config.option.report))
        # All skipped is not passed; that there is no rig at all has been told.
        untested = bool(run.description) and not _anything(run, "passed")
        if exitstatus == pytest.ExitCode.OK and untested:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def _anything(run: Run, *outcomes: str) -> bool:
    return any(result.outcome in outcomes for result in run.results)


def pytest_report_header(config: pytest.Config) -> str:
    return f"rig: {config.option.rig}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: "pytest.TerminalReporter", config: pytest.Config
) -> Generator[None, None, None]:
    """At the very end, where one looks first."""
    yield
    run = config.stash[RUN]
    if not run.results:
        return
    terminalreporter.section("hardware in the loop")
    kind = "hardware" if run.is_hardware else "no hardware was tested"
    terminalreporter.line(f"rig {run.rig} ({kind}): {run.description or 'there is none'}")
    terminalreporter.line(f"report: {Path(config.option.report) / HTML_NAME}")
    for alike in run.failures():
        first = alike[0]
        others = f" and {len(alike) - 1} others alike" if len(alike) > 1 else ""
        terminalreporter.line(f"failed: {first.test}{others}", red=True)
        terminalreporter.line(f"  {first.reason.splitlines()[0] if first.reason else ''}")
    if not _anything(run, "passed", "failed"):
        terminalreporter.line("nothing was tested: every test was skipped", red=True)
        reasons = {result.reason for result in run.results}
        terminalreporter.line(f"  {'; '.join(sorted(reasons)[:MOST_REASONS])}")
