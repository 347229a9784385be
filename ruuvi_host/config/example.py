"""All keys of both files explained: a commented example, and the tables of the reference page."""

import json
from textwrap import wrap
from typing import Any

from ruuvi_host.config.arrays import ARRAYS
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, GatewayKey
from ruuvi_host.config.host_keys import HOST_KEYS
from ruuvi_host.config.keys import HostKey, HostKind
from ruuvi_host.config.sensor_tables import EXAMPLE, MEANING, SENSORS
from ruuvi_host.config.sensors import SensorSettings

_WITHOUT_A_FILE = (
    "Keys of a gateway, with their defaults as long as there is no gw_cfg.json: nothing is sent. "
    "With one use_http_ruuvi and use_http_stat are true unless it says otherwise."
)


def example_toml() -> str:
    """A ruuvi-host.toml with every key, its meaning and its default, all commented out."""
    text = [
        "# Settings of ruuvi-host: every key with its default. Take away the # to change one.",
        "# Those of a gateway stand in gw_cfg.json beside this file, or in [gateway] below.",
    ]
    table = ""
    for key in HOST_KEYS:
        prefix, _, name = key.name.rpartition(".")
        if prefix != table:
            text += ["", f"[{prefix}]"]
            table = prefix
        text += ["", *_comment(meaning(key)), f"# {name} = {_toml(key.default)}"]
    for array in ARRAYS:
        text += ["", *_comment(array.meaning)]
        for settings in array.kinds.values():
            text += [f"# [[{array.name}]]"]
            for key in settings.KEYS:
                value = _toml(key.required or key.default)
                text += [*_comment(meaning(key)), f"# {key.name} = {value}"]
    text += ["", *_comment(MEANING), f'# [{SENSORS}."{EXAMPLE}"]']
    for key in SensorSettings.KEYS:
        text += [*_comment(meaning(key)), f"# {key.name} = {_toml(key.default)}"]
    text += ["", *_comment(_WITHOUT_A_FILE), "[gateway]"]
    gateway = GatewayConfig()
    gateway.switch_off()
    for gateway_key in GATEWAY_KEYS:
        if not gateway_key.is_kept_only:
            text += ["", *_comment(gateway_meaning(gateway_key))]
            text += [f"# {gateway_key.name} = {_toml(gateway[gateway_key.name])}"]
    return "\n".join(text) + "\n"


def example_gateway() -> dict[str, Any]:
    """The gw_cfg.json of a gateway as it is sold."""
    return GatewayConfig().document()


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, 96)]


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # the same for all types that we use


def reference() -> str:
    """The tables of the page about the configuration, in Markdown."""
    text = ["## ruuvi-host.toml", "", "| key | default | meaning |", "| --- | --- | --- |"]
    text += [_row(key.name, key.default, meaning(key)) for key in HOST_KEYS]
    for array in ARRAYS:
        for kind, settings in array.kinds.items():
            text += ["", f"### [[{array.name}]]" + (f" of kind {kind}" if kind else "")]
            text += ["", array.meaning, "", "| key | default | meaning |", "| --- | --- | --- |"]
            text += [_row(key.name, key.default, meaning(key)) for key in settings.KEYS]
    text += ["", f'### [{SENSORS}."{EXAMPLE}"]', "", MEANING, ""]
    text += ["| key | default | meaning |", "| --- | --- | --- |"]
    text += [_row(key.name, key.default, meaning(key)) for key in SensorSettings.KEYS]
    served = [key for key in GATEWAY_KEYS if not key.is_kept_only]
    text += ["", "## gw_cfg.json", "", "| key | default | meaning |", "| --- | --- | --- |"]
    text += [_row(key.name, key.default, gateway_meaning(key)) for key in served]
    kept = ", ".join(f"`{key.name}`" for key in GATEWAY_KEYS if key.is_kept_only)
    text += ["", f"Accepted, kept and written back, without an effect here: {kept}."]
    return "\n".join(text) + "\n"


def _row(name: str, default: Any, meaning: str) -> str:
    return f"| `{name}` | `{_toml(default)}` | {meaning.replace('|', chr(92) + '|')} |"


def meaning(key: HostKey) -> str:
    parts = [key.meaning]
    if len(key.choices) > 1:
        which = "Any of" if key.kind is HostKind.TEXTS else "One of"
        parts.append(f"{which} {', '.join(key.choices)}.")
    if key.lowest is not None and key.highest is not None:
        parts.append(f"{key.lowest:g} to {key.highest:.0f}.")
    return " ".join(parts)


def gateway_meaning(key: GatewayKey) -> str:
    choices = f" One of {', '.join(key.choices)}." if key.choices else ""
    limit = f" At most {key.limit} bytes." if key.limit else ""
    return key.meaning + choices + limit
