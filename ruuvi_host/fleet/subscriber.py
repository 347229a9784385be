"""Listening to a broker for as long as it takes: connect, subscribe, and again when that ends."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.errors import SinkError
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.connection import Connection
from ruuvi_host.relay.mqtt.parameters import Connect
from ruuvi_host.relay.mqtt.refusals import NoConnectionError

log = logging.getLogger(__name__)

FIRST, LONGEST = 1.0, 60.0
"""Seconds from one attempt to the next: a person waits at first."""
CHANCE = 0.2
GOOD = 60.0
"""Seconds for which a connection holds that is a good one."""
SUBSCRIBING = 10.0
"""Seconds for the broker's answer."""


async def follow(
    target: MqttTarget,
    filters: Sequence[str],
    received: Callable[[str, bytes], None],
    client_id: str,
) -> None:
    """Call `received` with topic and payload of each message, until cancelled.

    Raises SinkError when the first attempt fails for a reason that a person has to do something
    about: a password, a certificate, a right. Later ones are logged, and tried again.
    """
    login = target.login
    user = login.user if login.user or login.password else None
    hello = Connect(client_id, user, login.password or None, None)
    loop = asyncio.get_running_loop()
    failures, told, was_up = 0, "", False
    while True:
        began = loop.time()
        try:
            connection = await connect(target, hello)
            try:
                await _subscribe(connection, filters, received)
                by = "" if connection.version == "3.1.1" else " by MQTT 5"
                log.info("connected to %s%s", connection.server, by)
                was_up, told, began = True, "", loop.time()
                raise await asyncio.shield(connection.lost)
            finally:
                await connection.close()
        except NoConnectionError as error:
            if error.fix and not was_up:
                raise SinkError(target.name, str(error)) from None
            if loop.time() - began >= GOOD:
                failures = 0
            pause = min(LONGEST, FIRST * 2.0 ** min(failures, 9))
            pause *= 1 - CHANCE + 2 * CHANCE * random.random()
            failures += 1
            if told != str(error):  # an hour without a broker is one line
                told = str(error)
                log.warning("no connection: %s; next try in %.0f s", error, pause)
        await asyncio.sleep(pause)


async def _subscribe(
    connection: Connection, filters: Sequence[str], received: Callable[[str, bytes], None]
) -> None:
    """Raises NoConnectionError."""
    connection.received = received
    for topic in filters:
        await connection.subscribed(topic, SUBSCRIBING)
