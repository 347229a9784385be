"""The kind "influxdb": a database that takes line protocol by HTTP."""

from collections.abc import Iterator
from dataclasses import replace

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.targets import InfluxTarget
from ruuvi_host.config.url import public_url
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.http.check import TIME_LIMIT, judge
from ruuvi_host.relay.http.faults import faults_of
from ruuvi_host.relay.http.poster import PHASE_TIMEOUT, Poster
from ruuvi_host.relay.influxdb.answers import proves_reachable
from ruuvi_host.relay.influxdb.points import PointWriter
from ruuvi_host.relay.influxdb.schemas import NAMES
from ruuvi_host.relay.influxdb.sink import WRITE_TIMEOUT, InfluxSink
from ruuvi_host.relay.kinds import CheckResult, Kind, SinkContext
from ruuvi_host.relay.pauses import TO_OWN_SERVER, Pacing
from ruuvi_host.relay.sink import Sink, Verdict

_KEYS = {"http_url": "url", "http.proxy": "proxy"}


class InfluxKind:
    """See Kind."""

    is_network = True
    needs_gateway = False
    begins_at_once = True
    is_always_kept = True

    def public_name(self, target: InfluxTarget) -> str:
        return public_url(target.server.url)

    def pacing(self, target: InfluxTarget) -> Pacing:
        return TO_OWN_SERVER

    def faults(self, target: InfluxTarget) -> Iterator[tuple[str, str]]:
        fields = set(NAMES[target.points.schema].fields.values())
        for tag, _ in target.points.tags:
            if tag in fields:
                why = (
                    f"{tag} is the name of a field, too, which databases mix up: name it otherwise"
                )
                yield f"target.{target.name}.tags", why
        for key, why in faults_of(target.server):
            yield (f"target.{target.name}.{_KEYS[key]}" if key in _KEYS else key), why

    async def probe(
        self, target: InfluxTarget, gateway: DeviceId, context: SinkContext, utc: float
    ) -> CheckResult:
        """A write request without points: a database looks at the rest first."""
        sink = _sink(target, context, TIME_LIMIT)
        try:
            outcome, _ = await sink.write(b"")
        finally:
            await sink.close()
        if proves_reachable(outcome):
            outcome = replace(outcome, verdict=Verdict.ACCEPTED)
        return judge(target.server, outcome)

    def make_sink(self, target: InfluxTarget, context: SinkContext) -> Sink:
        return _sink(target, context, WRITE_TIMEOUT)


def _sink(target: InfluxTarget, context: SinkContext, timeout: float) -> InfluxSink:
    phase = min(PHASE_TIMEOUT, timeout)
    poster = Poster(target.server, phase_timeout=phase, total_timeout=timeout, of_gateway=False)
    known = context.readings
    if known is None:
        of_config = Readings(context.config.sensors)
        known = lambda: of_config  # noqa: E731
    return InfluxSink(target.name, poster, PointWriter(target), known, compress=target.compress)


KIND: Kind[InfluxTarget] = InfluxKind()
