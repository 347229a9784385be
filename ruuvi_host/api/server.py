"""Serves the local API until it is cancelled."""

from ruuvi_host.api.door import Door
from ruuvi_host.config.api import Listen


async def serve(listen: Listen, door: Door) -> None:
    """Until cancelled. What keeps it from listening is logged; the host goes on."""
    raise NotImplementedError
