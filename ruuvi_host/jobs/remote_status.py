"""Tells where the configuration of a host comes from, and how fetching another one goes."""

import json

from ruuvi_host.config.load import Loaded
from ruuvi_host.config.show import lines
from ruuvi_host.config.sources import Sources
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.remote_take import fingerprint
from ruuvi_host.jobs.remote_trial import TrialWatch
from ruuvi_host.monitoring.configuration_status import (
    DEFAULT,
    LOCAL,
    REMOTE,
    ConfigurationStatus,
    FetchStatus,
    text_hash,
)
from ruuvi_host.remote.book import Book


class Teller:
    """Of one host."""

    def __init__(self, configuration: Configuration, book: Book, trial: TrialWatch) -> None:
        self._configuration = configuration
        self._book = book
        self._trial = trial
        self._told: tuple[Loaded, str, str] | None = None
        """The configuration in force, the hash of its text, and its fingerprint."""

    def status(self, due: float | None) -> ConfigurationStatus:
        """due: UTC of the next fetch; None: there is none."""
        record, loaded = self._book.record, self._configuration.loaded
        local_hash, print_ = self._of(loaded)
        applied = record.in_force
        fetched = applied is not None and applied.saved == print_
        sources, facts = loaded.sources, record.fetch
        origins = {*sources.host.origins.values(), *sources.gateway.origins.values()}
        is_local = sources.host_path or sources.gateway_path or origins != {"default"}
        refused = record.refused
        return ConfigurationStatus(
            source=REMOTE if fetched else LOCAL if is_local else DEFAULT,
            hash=applied.hash if applied and fetched else local_hash,
            applied=applied.at if applied and fetched else None,
            fetch=FetchStatus(
                facts.last,
                facts.result or None,
                facts.status or None,
                facts.url or None,
                due,
                facts.failures,
            )
            if loaded.config.remote
            else None,
            refused={"at": int(refused.at), "hash": refused.hash, "reason": refused.reason}
            if refused
            else None,
            trial=self._trial_document(),
            degraded=self._trial.degraded,
            error=self._configuration.failure,
            fetches=self._book.fetches,
            success=facts.success,
        )

    def _trial_document(self) -> dict[str, object] | None:
        record = self._book.record
        if trial := record.trial:
            return {"until": int(trial.until), "waiting_for": trial.waiting_for}
        if back := record.rolled_back:
            return {"rolled_back": int(back.at), "reason": back.reason}
        return None

    def _of(self, loaded: Loaded) -> tuple[str, str]:
        if self._told is None or self._told[0] is not loaded:
            self._told = loaded, text_hash(text_of(loaded.sources)), fingerprint(loaded)
        return self._told[1:]


def text_of(sources: Sources) -> str:
    """All settings, the same for the same ones; of a secret only whether there is one."""
    shown = {line.key: line.value for line in lines(sources)}
    return json.dumps(shown, default=str, sort_keys=True)
