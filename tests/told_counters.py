"""What a host that has ended told about its own server: counters, and whether they add up."""

import re

from programs import Program


def counted(program: Program, name: str) -> int:
    """A counter of the target, as the last lines tell it."""
    told = r"custom: (batches|from_previous_run) \d+(,|$)"
    line = [line for line in program.err if re.search(told, line)][-1]
    found = re.search(rf"\b{name} (\d+)", line)
    return int(found[1]) if found else 0


def assert_accounted_for(program: Program) -> None:
    ends = ("accepted", "refused", "overflowed", "aged_out", "merged", "lost", "kept")
    cut = counted(program, "batches") + counted(program, "from_previous_run")
    ended = sum(counted(program, name) for name in (*ends, "empty_failed", "unreadable"))
    assert cut == ended, program
    reports = sum(counted(program, f"{name}_reports") for name in ends)
    begun = counted(program, "batch_reports") + counted(program, "from_previous_run_reports")
    assert begun == reports, program
