"""The kind "http": a server that takes batches as a Ruuvi Gateway posts them."""

from collections.abc import Iterator
from contextlib import suppress

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.addresses import is_ruuvi
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import RUUVI, HttpTarget
from ruuvi_host.config.url import parse_address, public_url
from ruuvi_host.relay.gateway_json import BodyFacts
from ruuvi_host.relay.http.faults import faults_of
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.http.sink import HttpSink
from ruuvi_host.relay.kinds import CheckResult, Kind, SinkContext
from ruuvi_host.relay.pauses import ADAPTING, TO_CLOUD, TO_OWN_SERVER, Pacing
from ruuvi_host.relay.sink import Sink


class HttpKind:
    """See Kind."""

    is_network = True
    needs_gateway = True
    begins_at_once = True
    is_always_kept = False

    def public_name(self, target: HttpTarget) -> str:
        return public_url(target.url)

    def pacing(self, target: HttpTarget) -> Pacing:
        if target.name == RUUVI:
            return TO_CLOUD
        with suppress(ValueError):
            if not is_ruuvi(parse_address(target.url).host):
                return ADAPTING
        return TO_OWN_SERVER

    def faults(self, target: HttpTarget) -> Iterator[tuple[str, str]]:
        return faults_of(target)

    async def probe(
        self, target: HttpTarget, gateway: DeviceId, context: SinkContext, utc: float
    ) -> CheckResult:
        from ruuvi_host.relay.http.check import check, empty_batch  # for people, and rarely

        return await check(target, gateway, empty_batch(gateway, context.config, int(utc)))

    def make_sink(self, target: HttpTarget, context: SinkContext) -> Sink:
        return HttpSink(make_poster(target, context), body_facts(target, context.config))


def make_poster(target: HttpTarget, context: SinkContext) -> Poster:
    """For documents that are no batches. Raises ConfigError."""
    return Poster(target, context.remembered.of(target.name, Signer))


def body_facts(target: HttpTarget, config: Config) -> BodyFacts:
    return BodyFacts(
        config.coordinates, config.use_timestamps, target.data_format, config.signed_tx_power
    )


KIND: Kind[HttpTarget] = HttpKind()
