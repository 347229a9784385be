"""One real, signed post: does it arrive, and if not, what is to be done?

Source: ruuvi.gateway_esp.c validate_url.c, which stands behind the "check" button of a gateway.
"""

import random
import re
from collections.abc import Callable

from firmware_protocol.messages import DeviceId
from ruuvi_host import __version__
from ruuvi_host.config.addresses import is_ruuvi
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.config.url import parse_address
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.machine import RouteWatch, memory_available
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices
from ruuvi_host.relay.http.outcome import TOO_MANY_REQUESTS, PostOutcome, Stage, Step
from ruuvi_host.relay.http.poster import PHASE_TIMEOUT, Poster
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.kinds import CheckResult
from ruuvi_host.relay.sink import Verdict
from ruuvi_host.relay.status_document import CoprocessorFacts, StatusFacts, document, semver

TIME_LIMIT = 25.0
"""Seconds. As on the gateway."""


_OF_SIGNATURES = re.compile(r"signature|\bsigned\b|\bhmac\b", re.IGNORECASE)

_STAGES = {
    Step.FILES: Stage.FILES,
    Step.NAME: Stage.NAME,
    Step.NEAR: Stage.NEAR,
    Step.CONNECT: Stage.CONNECT,
    Step.PROXY: Stage.CONNECT,
    Step.TLS: Stage.TLS,
    Step.ANSWER: Stage.ANSWER,
    Step.REDIRECT: Stage.REDIRECT,
}

_REMEDIES = {
    Stage.FILES: "fix the file; nothing was sent",
    Stage.NAME: "see whether the name in the address is right, and whether this machine can look "
    "up names (getent hosts NAME)",
    Stage.NEAR: "use an address that others reach, too; api.check_local = true allows such checks, "
    "and the address that is saved for this target may always be checked",
    Stage.CONNECT: "see whether the server runs, its port is right, and no firewall is between",
    Stage.TLS: "fix what the sentence names, here or on the server",
    Stage.ANSWER: "see whether it is an HTTP server that listens there, and what its log says",
    Stage.REDIRECT: "use the address that the server wants to be used",
    Stage.SIGNATURE: "see whether the server verifies signatures with the coprocessor's device id "
    "as the key, or with the one that it gave",
    Stage.FORBIDDEN: "see the server's log: it is the address, a key or password, a firewall, or "
    "the signature (its key is the coprocessor's device id, or the one that the server gave)",
    Stage.AUTH: "see whether kind and value of the authentication are those that the server wants",
    Stage.PATH: "see whether the path in the address is the server's, and takes POST",
    Stage.BODY: "see what the server expects: it does not take a batch as the gateway makes it",
    Stage.SERVER: "try again later; if it stays, look into the server's log",
}

_NOT_KNOWN_TO_RUUVI = (
    "Ruuvi may not know the id of this coprocessor: it takes data of gateways that it has made; "
    "ask Ruuvi, or use a server of your own"
)


def empty_batch(gateway: DeviceId, config: Config, utc: int) -> bytes:
    """A batch without tags, in the raw format. utc: its time, in whole seconds."""
    facts = BodyFacts(config.coordinates, config.use_timestamps)
    batch = Batch(random.getrandbits(32), gateway, ())
    return b"".join(body_slices(batch, facts, utc))


def empty_status(gateway: DeviceId, config: Config) -> bytes:
    """The statistics of a gateway that has received nothing yet."""
    route = RouteWatch()
    route.look()
    firmware = semver(config.nrf_firmware) if config.nrf_firmware else "v0.0.0"
    return document(
        StatusFacts(
            coprocessor=CoprocessorFacts(gateway, firmware, answers=True),
            version=semver(__version__),
            uptime=0,
            nonce=random.getrandbits(32),
            wireless=route.wireless,
            connections_lost=0,
            start=Start(1, ResetReason.POWER_ON, ""),
            memory=memory_available(),
            samples=(),
        )
    )


async def check(
    target: HttpTarget, gateway: DeviceId, body: bytes, *, time_limit: float = TIME_LIMIT
) -> CheckResult:
    """Post `body`, and tell how that went."""
    return judge(target, await attempt(target, gateway, body, time_limit=time_limit))


async def attempt(
    target: HttpTarget,
    gateway: DeviceId,
    body: bytes,
    signer: Signer | None = None,
    *,
    permits: Callable[[str], bool] | None = None,
    time_limit: float = TIME_LIMIT,
) -> PostOutcome:
    """Post `body` once. Raises ConfigError if the target's addresses are none.

    signer, permits: see Poster. time_limit: in seconds.
    """
    phase = min(PHASE_TIMEOUT, time_limit)
    poster = Poster(target, signer, phase_timeout=phase, total_timeout=time_limit, permits=permits)
    try:
        return await poster.post(body, gateway)
    finally:
        await poster.close()


async def ask_for(
    target: HttpTarget, *, permits: Callable[[str], bool], time_limit: float = TIME_LIMIT
) -> PostOutcome:
    """A HEAD request: is a file there? Redirects are not followed. Raises ConfigError.

    permits: see Poster. time_limit: in seconds.
    """
    poster = Poster(
        target,
        phase_timeout=min(PHASE_TIMEOUT, time_limit),
        total_timeout=time_limit,
        permits=permits,
    )
    try:
        return await poster.head()
    finally:
        await poster.close()


def judge(target: HttpTarget, outcome: PostOutcome) -> CheckResult:
    """What the outcome of a check means."""
    status = outcome.code
    if outcome.verdict is Verdict.ACCEPTED:
        return CheckResult(target.name, _delivered(outcome), code=status)
    if status == TOO_MANY_REQUESTS:
        reason = f"delivered ({outcome.reason}): it only does not want posts so often"
        return CheckResult(target.name, reason, code=status)
    if advice := outcome.advice:
        return CheckResult(target.name, outcome.reason, advice.stage.value, advice.remedy, status)
    stage = _STAGES[outcome.step] if outcome.step else _stage(target, outcome)
    remedy = _REMEDIES[stage]
    if stage is Stage.SIGNATURE and is_ruuvi(parse_address(target.url).host):
        remedy = _NOT_KNOWN_TO_RUUVI
    return CheckResult(target.name, outcome.reason, stage.value, remedy, status)


def _delivered(outcome: PostOutcome) -> str:
    told = f"delivered (status {outcome.code})"
    if outcome.by:
        told += f", by {outcome.by}: the server redirects there, so name it in the address"
    if outcome.page:
        told += f"; the answer is a web page, {outcome.page!r}: see whether it is the receiver's"
    return told


def _stage(target: HttpTarget, outcome: PostOutcome) -> Stage:
    """What a server means by a status."""
    status = outcome.code or 0
    if status in (401, 407):
        return Stage.AUTH
    if status == 403:
        known = is_ruuvi(parse_address(target.url).host) or _OF_SIGNATURES.search(outcome.reason)
        return Stage.SIGNATURE if known else Stage.FORBIDDEN
    if 400 <= status < 500 and outcome.verdict is Verdict.REFUSED:
        return Stage.BODY
    if 300 <= status < 400:
        return Stage.REDIRECT
    if outcome.verdict is Verdict.LATER:  # it goes away by itself
        return Stage.SERVER
    return Stage.PATH if status < 500 else Stage.SERVER
