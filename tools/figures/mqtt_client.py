"""The client for MQTT alone, for figures/mqtt.py, in a process of its own: no host around it.

    python mqtt_client.py BROKER_PORT RATE SECONDS

Publishes one message RATE times a second with QoS 1, at most 20 unconfirmed, over the host's own
connection, and prints as JSON: CPU seconds and messages.
"""

import asyncio
import json
import sys
from time import process_time

from ruuvi_host.config.mqtt_target import Broker, MqttTarget
from ruuvi_host.config.target_parts import MQTT
from ruuvi_host.relay.mqtt.client import connect
from ruuvi_host.relay.mqtt.parameters import Connect

TOPIC = "ruuvi/C8:25:2D:8E:9C:2C/CB:00:00:00:00:01"
PAYLOAD = (
    b'{"gw_mac":"C8:25:2D:8E:9C:2C","rssi":-60,"aoa":[],"gwts":1700000000,"ts":1700000000,'
    b'"data":"0201061BFF9904050000000000000000000000000000000000000000000000","coords":""}'
)
STEP = 0.01


async def publish(port: int, rate: int, seconds: float) -> None:
    target = MqttTarget(MQTT, Broker("127.0.0.1", port))
    connection = await connect(target, Connect("client-alone", None, None, None))
    loop = asyncio.get_running_loop()
    began, cpu, sent = loop.time(), process_time(), 0
    while (passed := loop.time() - began) < seconds:
        while sent < rate * passed:
            await connection.room()
            connection.publish(TOPIC, PAYLOAD, qos=1)
            sent += 1
        await asyncio.sleep(STEP)
    cpu = process_time() - cpu
    await connection.close()
    print(json.dumps({"cpu": cpu, "messages": sent}))


if __name__ == "__main__":
    asyncio.run(publish(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
