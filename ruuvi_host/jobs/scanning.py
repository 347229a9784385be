"""Scanning with settings that are not saved: while somebody looks at what can be received."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ruuvi_host.config.build import scan_settings
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.problems import Problems
from ruuvi_host.jobs.receiving import Receiving

LASTS = 300.0
"""Seconds until the saved settings are back, unless it is asked for again."""


class OtherScanning:
    """Begins and ends it."""

    def __init__(self, receiving: Receiving) -> None:
        self._receiving = receiving
        self._back: asyncio.TimerHandle | None = None
        self._loaded: Loaded | None = None

    def begin(self, document: Mapping[str, Any], loaded: Loaded) -> None:
        """`document` has keys of a gateway about scanning; a missing one is as in `loaded`."""
        from ruuvi_host.config.posted import SCANNING, posted

        keys = {
            name: value
            for name, value in posted(document, Problems()).items()
            if name.startswith(SCANNING) and not name.startswith("scan_filter_")
        }
        gateway = deepcopy(loaded.sources.gateway)
        gateway.update(keys, Problems())
        self.forget()
        self._receiving.scan_with(scan_settings(gateway, Problems()))
        self._loaded = loaded
        self._back = asyncio.get_running_loop().call_later(LASTS, self.end)

    def end(self) -> None:
        """Back to the settings that it began from; nothing, if it has not begun."""
        loaded = self._loaded
        self.forget()
        if loaded:
            self._receiving.scan_with(loaded.config.scan)

    def forget(self) -> None:
        """The coprocessors get other settings in another way."""
        if self._back:
            self._back.cancel()
        self._back = self._loaded = None
