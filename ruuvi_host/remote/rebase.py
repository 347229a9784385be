"""A change by hand while a trial lasts: it is kept, whichever way the trial ends. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ruuvi_host.config.files import Unreadable, gateway_text, parse_json
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.problems import Problems
from ruuvi_host.remote.judgement import ON_TRIAL
from ruuvi_host.remote.trial import Trial


def rebased(trial: Trial, present: Mapping[Path, str | None]) -> Trial | None:
    """The trial with what was changed by hand on both sides, or None: it is over, as who changed it
    has decided on what is on trial, or nobody knows what was before.

    present: what is in the files of the trial now.
    """
    changed = [path for path, text in trial.before.items() if present.get(path) != text]
    if len(changed) != 1:
        return None
    (path,) = changed
    now, base = present.get(path), trial.before[path]
    if base is None:  # it has counted above the file of the user, which is the other one
        base = next((text for text in trial.before.values() if text is not None), None)
    if now is None or base is None:
        return None
    try:
        old, new, before = (_read(text) for text in (trial.after, now, base))
    except Unreadable:
        return None
    by_hand = [name for name in new.values if new[name] != old[name]]
    if not set(by_hand).isdisjoint(ON_TRIAL):
        return None
    for name in by_hand:
        before.values[name] = new[name]
    text = gateway_text(before.document())
    return replace(trial, before={**trial.before, path: text}, after=now)


def _read(text: str) -> GatewayConfig:
    """Raises Unreadable."""
    gateway, problems = GatewayConfig(), Problems()
    gateway.update(parse_json(text, problems), problems)
    return gateway
