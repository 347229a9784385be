"""`GET /history`: the newest advertisement of every sensor, in the form of a batch.

Source: ruuvi.gateway_esp.c http_server_cb_on_get.c, adv_table.c. Other than there every sensor is
looked at, so that a clock that was set back hides none.
"""

import asyncio
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door
from ruuvi_host.api.pieces import Pieces
from ruuvi_host.api.query import parameter, unsigned
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.gateway_json import BodyFacts, history_slices

DEFAULT_SECONDS = 60
"""Without `time=`."""
MOST_AT_ONCE = 500
"""Tags whose answer is made before it is sent: a third of a megabyte. A gateway has a hundred."""


async def get_history(request: Request, door: Door) -> Response:
    """What the table holds, or what of it is new enough."""
    query: bytes = request.scope["query_string"]
    config = door.loaded.config
    now = int(door.clock.wall())
    newest = door.newest_first()
    if not config.use_timestamps:
        counter = parameter(query, "counter")
        chosen = list(newest) if counter is None else counted_after(newest, unsigned(counter))
    elif door.clock_is_right:
        seconds = parameter(query, "time")
        chosen = not_older(
            newest, now - (DEFAULT_SECONDS if seconds is None else unsigned(seconds))
        )
    else:
        chosen = list(newest)
    is_raw = parameter(query, "decode") == "false"
    facts = BodyFacts(
        config.coordinates,
        config.use_timestamps,
        DataFormat.RAW if is_raw else DataFormat.RAW_AND_DECODED,
        config.signed_tx_power,
    )
    pieces = history_slices(door.identity().device, chosen, facts, now)
    if len(chosen) > MOST_AT_ONCE:
        return Pieces(pieces)
    made = []
    for piece in pieces:
        made.append(piece)
        await asyncio.sleep(0)
    return answer(200, b"".join(made))


def not_older(newest: Iterable[Advertisement], than: int) -> list[Advertisement]:
    """Those with a timestamp of `than` or later; also one of the future."""
    return [advertisement for advertisement in newest if advertisement.timestamp >= than]


def counted_after(newest: Iterable[Advertisement], counter: int) -> list[Advertisement]:
    """Those with a higher counter. It has 32 bits and starts over, so the half of all numbers that
    follows counts as higher."""
    return [each for each in newest if 0 < (each.timestamp - counter) & 0xFFFFFFFF < 1 << 31]
