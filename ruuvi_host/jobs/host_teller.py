"""Gathers what a host tells of itself to others: how it is, and which configuration it has."""

import json
from typing import Any

from ruuvi_host.config.load import Loaded
from ruuvi_host.config.show import lines
from ruuvi_host.config.sources import Sources
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.monitoring.host_status import ConfigurationFacts, host_status


class HostTeller:
    """Of one host."""

    def __init__(
        self, reporting: Reporting, receiving: Receiving, configuration: Configuration
    ) -> None:
        self._reporting = reporting
        self._receiving = receiving
        self._configuration = configuration
        self._told: tuple[Loaded, str] | None = None
        """The configuration in force, and its text."""

    def document(self) -> dict[str, Any]:
        """As of now; see host_status."""
        receiving, loaded = self._receiving, self._configuration.loaded
        sources = loaded.sources
        path = sources.host_path or sources.gateway_path
        known = receiving.identified.is_set()
        return host_status(
            self._reporting.overview(),
            ConfigurationFacts(
                self._text(loaded), str(path) if path else "", self._configuration.failure
            ),
            receiving.gateway().addr if known else None,
            receiving.clock.wall(),
            receiving.clock.monotonic(),
        )

    def _text(self, loaded: Loaded) -> str:
        if self._told is None or self._told[0] is not loaded:
            self._told = loaded, text_of(loaded.sources)
        return self._told[1]


def text_of(sources: Sources) -> str:
    """All settings, the same for the same ones; of a secret only whether there is one."""
    shown = {line.key: line.value for line in lines(sources)}
    return json.dumps(shown, default=str, sort_keys=True)
