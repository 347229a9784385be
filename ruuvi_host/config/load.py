"""A configuration to run with: read, built, and its problems logged."""

import logging
from dataclasses import dataclass

from ruuvi_host.config.build import build
from ruuvi_host.config.model import Config
from ruuvi_host.config.problems import Problem, Severity
from ruuvi_host.config.sources import Inputs, Sources
from ruuvi_host.errors import ConfigProblemsError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and where it comes from."""

    config: Config
    sources: Sources

    @property
    def problems(self) -> list[Problem]:
        return self.sources.problems.found


def load(inputs: Inputs) -> Loaded:
    """The configuration of these inputs, with all its problems."""
    sources = Sources(inputs)
    return Loaded(build(sources), sources)


def load_to_run(inputs: Inputs) -> Loaded:
    """The same, its problems logged.

    Raises ConfigProblemsError if the host must not start with it.
    """
    loaded = load(inputs)
    errors = [p for p in loaded.problems if p.severity is Severity.ERROR]
    if errors:
        raise ConfigProblemsError([(_named(p), str(p).partition(": ")[2]) for p in errors])
    sources = loaded.sources
    if sources.is_kept(sources.gateway_path):
        hidden = f" in place of {sources.hidden_path}" if sources.hidden_path else ""
        log.info("%s counts%s: the local API has written it", sources.gateway_path, hidden)
    for problem in loaded.problems:
        is_fault = problem.severity is Severity.FAULT
        where, what = _named(problem), str(problem).partition(": ")[2]
        log.log(logging.ERROR if is_fault else logging.WARNING, "%s: %s", where, what)
    return loaded


def _named(problem: Problem) -> str:
    """The key, and the place where it stands if that does not go without saying."""
    key = str(problem).partition(": ")[0]
    where = problem.source
    return key if not where or key.startswith(where) else f"{where}: {key}"
