"""Runs inside of tools/home_assistant_mqtt.py, by the Python that has Home Assistant: starts its
core with the MQTT integration alone, and tells on request what has come of it.

    home_assistant_mqtt_core.py PORT      of a broker on loopback

Each line on standard input is answered by a line of JSON on standard output: `tell` by what there
is, `restart` by the same after Home Assistant was stopped and started again.
"""

# mypy: ignore-errors
# Home Assistant is not there where this is checked.

import asyncio
import json
import logging
import sys
import tempfile
from io import StringIO
from pathlib import Path

from home_assistant_core import core

MQTT = "mqtt"


async def start(folder: str, port: int):
    """Home Assistant with a broker, which a user adds at the first start."""
    from homeassistant.core import CoreState

    hass = await core(folder)
    # It asks for it, and needs it for nothing but certificates that a person uploads.
    hass.config.components.add("file_upload")
    entries = hass.config_entries.async_entries(MQTT)
    if entries:
        assert await hass.config_entries.async_setup(entries[0].entry_id)
    else:
        flows = hass.config_entries.flow
        result = await flows.async_init(MQTT, context={"source": "user"})
        if result["type"].value == "menu":
            chosen = {"next_step_id": "broker"}
            result = await flows.async_configure(result["flow_id"], chosen)
        broker = {"broker": "127.0.0.1", "port": port}
        result = await flows.async_configure(result["flow_id"], broker)
        assert result["type"].value == "create_entry", result
    hass.set_state(CoreState.running)
    await hass.async_block_till_done()
    return hass


async def stop(hass) -> None:
    """As at an end in good order: what it keeps is written."""
    await hass.async_stop(force=True)


def told(hass, warnings: StringIO) -> dict:
    """Every entity of the integration by its unique id, every device, and what was warned of."""
    from homeassistant.helpers import device_registry, entity_registry

    devices = {d.id: d for d in device_registry.async_get(hass).devices.values()}
    entities = {}
    for entry in entity_registry.async_get(hass).entities.values():
        if entry.platform != MQTT:
            continue
        state = hass.states.get(entry.entity_id)
        attributes = state.attributes if state else {}
        device = devices.get(entry.device_id)
        entities[entry.unique_id] = {
            "entity": entry.entity_id,
            "device": (device.name or "") if device else "",
            "off": entry.disabled,
            "state": state.state if state else None,
            "unit": attributes.get("unit_of_measurement"),
            "class": attributes.get("device_class"),
            "is_restored": bool(attributes.get("restored")),
        }
    by_id = {d.id: d.name for d in devices.values()}
    found = [
        {
            "name": d.name,
            "model": d.model,
            "identifiers": sorted(name for _, name in d.identifiers),
            "via": by_id.get(d.via_device_id),
        }
        for d in devices.values()
        # Home Assistant has one for the broker, too.
        if any(domain == MQTT and name.startswith("ruuvi_") for domain, name in d.identifiers)
    ]
    return {"entities": entities, "devices": found, "warnings": warnings.getvalue().splitlines()}


async def main(port: int) -> None:
    warnings = StringIO()
    handler = logging.StreamHandler(warnings)
    handler.setLevel(logging.WARNING)
    logging.getLogger("homeassistant.components.mqtt").addHandler(handler)
    logging.getLogger("homeassistant.components.sensor").addHandler(handler)
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "configuration.yaml").touch()  # noqa: ASYNC240 - nothing runs yet
        hass = await start(folder, port)
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if line == "restart":
                await stop(hass)
                hass = await start(folder, port)
            print(json.dumps(told(hass, warnings)), flush=True)
        await stop(hass)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
