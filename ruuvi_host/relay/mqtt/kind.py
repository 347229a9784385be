"""The kind "mqtt": a broker."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from math import inf
from typing import TYPE_CHECKING

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.mqtt_target import Backlog, MqttTarget
from ruuvi_host.config.target_parts import MQTT, TlsFiles
from ruuvi_host.monitoring.host_status import what_matters
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.kinds import CheckResult, Kind, SinkContext
from ruuvi_host.relay.mqtt.announced import path_of
from ruuvi_host.relay.mqtt.messages import Members, MessageMaker
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.sink import Sink

if TYPE_CHECKING:
    from ruuvi_host.relay.mqtt.companions import Companion

MISSING = (
    "MQTT needs the Python package aiomqtt: install ruuvi-host[mqtt], or Debian's "
    "python3-asyncio-mqtt"
)
_REMEDIES = {
    Step.HERE: "fix what the sentence names; nothing was sent",
    Step.NAME: "see whether the server's name is right, and whether this machine can look up names "
    "(getent hosts NAME)",
    Step.CONNECT: "see whether the broker runs, its port is right, and no firewall is between",
    Step.TLS: "fix what the sentence names, here or at the broker; 8883 is the usual port for SSL, "
    "1883 for TCP",
    Step.WEBSOCKET: "see whether port and mqtt.websocket_path are those of the broker's WebSockets",
    Step.SILENT: "see whether it is a broker that listens there, and whether the transport is "
    "right: a port for TLS does not answer TCP, nor the other way round",
    Step.CLOSED: "see whether it is a broker that listens there, and whether the transport is "
    "right: a port for TLS does not answer TCP, nor the other way round; one that keeps no "
    "retained messages wants mqtt_disable_retained_messages",
    Step.NO_MQTT: "see which port and transport the broker has; 1883 is usual for TCP, 8883 for "
    "SSL",
    Step.NEAR: "use an address that others reach, too",
    Step.REFUSED: "see whether user, password and client id are those that the broker knows, and "
    "what its log says",
    Step.LOST: "see what the log of the broker says",
}


class MqttKind:
    """See Kind."""

    is_network = True
    needs_gateway = True
    begins_at_once = False
    is_always_kept = True

    def public_name(self, target: MqttTarget) -> str:
        return target.address

    def pacing(self, target: MqttTarget) -> Pacing:
        return Pacing(
            gap=0.0,
            window=inf if target.backlog is Backlog.NEWEST else 0.0,
            in_order=True,
            rate=float(target.drain_rate),
            keeps_newest=target.backlog is Backlog.NEWEST,
        )

    def faults(self, target: MqttTarget) -> Iterator[tuple[str, str]]:
        own = target.name == MQTT
        if find_spec("aiomqtt") is None:
            yield "use_mqtt" if own else f"target.{target.name}.kind", MISSING
        files = target.broker.tls
        if not target.broker.transport.is_tls:
            return
        for one in (TlsFiles(server_cert=files.server_cert), replace(files, server_cert=None)):
            path = one.server_cert or one.client_cert
            if path:
                try:
                    Tls(one, resume=False)
                except NotDelivered as error:
                    yield path.name, str(error)

    async def probe(
        self, target: MqttTarget, gateway: DeviceId, context: SinkContext, utc: float
    ) -> CheckResult:
        """Connect and disconnect; nothing is published."""
        if find_spec("aiomqtt") is None:
            return CheckResult(target.name, MISSING, Step.HERE.value, _REMEDIES[Step.HERE])
        from ruuvi_host.relay.mqtt.client import connect

        hello = connect_of(target, gateway.addr, check=True, same_id=context.same_id)
        try:
            connection = await connect(target, hello)
        except NoConnectionError as error:
            remedy = _REMEDIES[error.step]
            return CheckResult(target.name, str(error), error.step.value, remedy, error.code)
        await connection.close()
        return CheckResult(target.name, f"{target.address} has accepted the connection")

    def make_sink(self, target: MqttTarget, context: SinkContext) -> Sink:
        if find_spec("aiomqtt") is None:
            from ruuvi_host.relay.mqtt.missing import MissingSink

            return MissingSink(MISSING)
        from ruuvi_host.relay.mqtt.seat import Seat
        from ruuvi_host.relay.mqtt.sink import MqttSink
        from ruuvi_host.relay.mqtt.standing import Standing

        coordinates, members = context.config.coordinates, own_members(target, context)
        maker = MessageMaker(target.prefix, target.data_format, coordinates, members)

        def make() -> Standing:  # it may outlive `context`
            return Standing(target, tuple(_companions(target, context)), context.gateway)

        return MqttSink(target, maker, context.remembered.of(target.name, Seat), make)


def _companions(target: MqttTarget, context: SinkContext) -> Iterator["Companion"]:
    """What is published besides readings. Imported only then."""
    if target.options.status_topic and context.host:
        from ruuvi_host.relay.mqtt.host_status import HostStatus

        yield HostStatus(target, context.host, what_matters)
    path = path_of(context.folder, target.name) if context.folder else None
    if target.extras.homeassistant or (path and path.exists()):
        from ruuvi_host.relay.mqtt.homeassistant import ToHomeAssistant

        known = context.known()
        yield ToHomeAssistant(target, lambda address: known().name(address), path)


def own_members(target: MqttTarget, context: SinkContext) -> Members | None:
    """What messages tell beyond a gateway's; None: nothing. Imported only then."""
    extras = target.extras
    if not extras.decode_all and not extras.derived:
        return None
    from ruuvi_host.relay.mqtt.own_members import OwnMembers

    return OwnMembers(extras, context.known())


KIND: Kind[MqttTarget] = MqttKind()
