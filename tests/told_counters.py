"""What a host that has ended told about a target: counters, and whether they add up."""

import re

from programs import Program


def counted(program: Program, name: str, target: str = "custom") -> int:
    """A counter of the target, as the last lines tell it."""
    told = rf"{target}: (batches|from_previous_run) \d+(,|$)"
    lines = [line for line in program.err if re.search(told, line)]
    assert lines, f"no batches of {target} were told by {program}"
    found = re.search(rf"\b{name} (\d+)", lines[-1])
    return int(found[1]) if found else 0


def assert_accounted_for(program: Program, target: str = "custom") -> None:
    def told(name: str) -> int:
        return counted(program, name, target)

    ends = ("accepted", "refused", "overflowed", "aged_out", "merged", "lost", "kept")
    cut = told("batches") + told("from_previous_run")
    ended = sum(told(name) for name in (*ends, "empty_failed", "unreadable"))
    assert cut == ended, program
    reports = sum(told(f"{name}_reports") for name in ends)
    begun = told("batch_reports") + told("from_previous_run_reports")
    assert begun == reports, program
