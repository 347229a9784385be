"""`GET /validate_url` for a broker: one connection with values that may not be saved.

It connects and disconnects, and publishes nothing. As for servers, a saved password goes to no
other broker than the one it is saved for, and this machine and its neighbours on the wire are asked
only at the address that is saved, or where `[api] check_local` allows it.

Source of the texts: ruuvi.gateway_esp.c http_check_mqtt.c.
"""

from importlib.util import find_spec
from urllib.parse import urlsplit

from ruuvi_host.api.door import Door
from ruuvi_host.api.trial import permits
from ruuvi_host.api.validation import Wish
from ruuvi_host.config.mqtt_target import Broker, MqttLogin, MqttTarget, Transport, mqtt_problems
from ruuvi_host.config.target_parts import MQTT, TlsFiles
from ruuvi_host.relay.mqtt.kind import MISSING
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.refusals import CONNACK, NOT_AUTHORIZED, NoConnectionError, Step

_TRANSPORTS = {
    "mqtt": Transport.TCP,
    "mqtts": Transport.SSL,
    "mqttws": Transport.WS,
    "mqttwss": Transport.WSS,
}
OTHER_BROKER = (
    "The saved password is for another broker: it is sent only where transport, host and port are "
    "those that are saved. Enter it again"
)


async def try_broker(wish: Wish, door: Door) -> tuple[int, str]:
    """Status and message of a gateway."""
    target = _target(wish, door)
    gateway = door.loaded.sources.gateway
    broker = target.broker
    is_saved = (broker.server.lower(), broker.port, broker.transport.value) == (
        *(gateway["mqtt_server"].lower(), gateway["mqtt_port"], gateway["mqtt_transport"]),
    )
    if wish.uses_saved and not is_saved:
        return 400, OTHER_BROKER
    if not broker.server:
        return 502, "Failed to connect ()"
    for _, why in mqtt_problems(target):
        return 502, f"Failed to connect ({why})"
    if find_spec("aiomqtt") is None:
        return 502, f"Failed to connect ({MISSING})"
    # Imported here, because only who uses MQTT needs to have it.
    from ruuvi_host.relay.mqtt.client import connect

    hello = connect_of(target, door.identity().device.addr, check=True)
    try:
        connection = await connect(target, hello, permits=permits(door, is_saved=is_saved))
    except NoConnectionError as error:
        return told(error, target)
    await connection.close()
    return 200, ""


def told(error: NoConnectionError, target: MqttTarget) -> tuple[int, str]:
    """What a check that failed is called, in the gateway's words; without paths of this machine."""
    text = str(error)
    tls = target.broker.tls
    for path in (tls.client_cert, tls.client_key, tls.server_cert):
        text = text.replace(str(path), path.name) if path else text
    match error.step:
        case Step.REFUSED:
            name, _ = CONNACK.get(error.code or 0, ("Unknown", ""))
            refusal = f"(Refusal to connect: {name})"
            if error.code in NOT_AUTHORIZED:
                return 401, f"Access with the specified credentials is prohibited {refusal}"
            return 502, f"Failed to connect {refusal}"
        case Step.NAME:
            return 502, "Failed to resolve hostname"
        case Step.SILENT:
            return 502, "Timeout waiting for a response from the server"
    return 502, f"Failed to connect ({text})"


def _target(wish: Wish, door: Door) -> MqttTarget:
    sources = door.loaded.sources
    parts = urlsplit(wish.url)
    server, _, port = parts.netloc.rpartition(":")
    transport = _TRANSPORTS[parts.scheme]
    tls = TlsFiles()
    if transport.is_tls:
        where = sources.places.where
        tls = TlsFiles(
            where("mqtt_cli_cert") if wish.client_cert else None,
            where("mqtt_cli_key") if wish.client_cert else None,
            sources.host["mqtt.client_key_password"] or None,
            where("mqtt_srv_cert") if wish.server_cert else None,
        )
    password = ""
    if wish.auth != "none":
        password = sources.gateway["mqtt_pass"] if wish.secret is None else wish.secret
    return MqttTarget(
        MQTT,
        Broker(server, int(port), transport, tls, sources.host["mqtt.websocket_path"]),
        MqttLogin(wish.client_id, wish.user, password),
        wish.prefix,
    )
