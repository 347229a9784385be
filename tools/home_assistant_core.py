"""Runs inside of tools/home_assistant.py, by the Python that has Home Assistant: starts its core,
adds a Ruuvi Gateway as a user does, and tells what comes of it.

    home_assistant_core.py requirements        packages that the integrations need
    home_assistant_core.py HOST KEY FILE       writes to FILE: result, errors, sensors, entities
"""

# mypy: ignore-errors
# Home Assistant is not there where this is checked.

import asyncio
import json
import sys
import tempfile
from importlib.resources import files
from time import monotonic

GATEWAY, TAG, MQTT = "ruuvi_gateway", "ruuvitag_ble", "mqtt"
PATIENCE = 90.0
"""Seconds. It asks every five."""


def requirements() -> None:
    """Of the integrations that are tried, and of those that they depend on."""
    seen, open_ = set(), [GATEWAY, TAG, MQTT]
    components = files("homeassistant") / "components"
    while open_:
        domain = open_.pop()
        if domain not in seen:
            seen.add(domain)
            manifest = json.loads((components / domain / "manifest.json").read_text("utf-8"))
            open_ += manifest.get("dependencies", [])
            print(*manifest.get("requirements", []), sep="\n")


async def core(folder: str):
    """Home Assistant's core, with the registries that a start loads."""
    from homeassistant import auth, config_entries, loader
    from homeassistant.core import CoreState, HomeAssistant
    from homeassistant.helpers import (
        area_registry,
        category_registry,
        device_registry,
        entity,
        entity_registry,
        floor_registry,
        frame,
        issue_registry,
        label_registry,
        restore_state,
        template,
        translation,
    )
    from homeassistant.helpers.storage import get_internal_store_manager
    from homeassistant.setup import async_setup_component

    hass = HomeAssistant(folder)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await loader.async_get_custom_components(hass)
    for module in (entity, frame, template, translation):
        module.async_setup(hass)
    await get_internal_store_manager(hass).async_initialize()
    for registry in (
        *(area_registry, category_registry, device_registry, entity_registry, floor_registry),
        *(issue_registry, label_registry, restore_state),
    ):
        await registry.async_load(hass)
    await hass.config_entries.async_initialize()
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    hass.set_state(CoreState.running)
    web = {"http": {"server_host": ["127.0.0.1"]}}  # it is not started, but has to be there
    assert await async_setup_component(hass, "homeassistant", web)
    assert await async_setup_component(hass, "http", web)
    return hass


async def until(condition) -> bool:
    """Home Assistant has no event for all of what is waited for here."""
    end = monotonic() + PATIENCE
    while not (there := condition()) and monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return bool(there)


def values(hass) -> dict[str, str]:
    return {
        state.entity_id: f"{state.state} {state.attributes.get('unit_of_measurement', '')}".strip()
        for state in hass.states.async_all("sensor")
        if state.state not in ("unknown", "unavailable")
    }


async def add(host: str, key: str, folder: str) -> dict:
    hass = await core(folder)
    flows = hass.config_entries.flow
    result = await flows.async_init(
        GATEWAY, context={"source": "user"}, data={"host": host, "token": key}
    )
    told = {"result": str(result["type"].value), "errors": result.get("errors")}
    if told["result"] == "create_entry":
        told["title"] = result["title"]

        def found() -> list:
            return [flow for flow in flows.async_progress() if flow["handler"] == TAG]

        sensors = set()
        # Each sensor that it hears it offers to add; so a user does.
        while await until(lambda: found() or len(values(hass)) >= 10):
            if not found():
                break
            for flow in found():
                sensors.add(flow["context"]["unique_id"])
                await flows.async_configure(flow["flow_id"], {})
        await until(lambda: values(hass))
        told["sensors"], told["entities"] = sorted(sensors), values(hass)
        before = dict(told["entities"])
        await until(lambda: any(v != before.get(k) for k, v in values(hass).items()))
        told["changed"] = [k for k, v in values(hass).items() if v != before.get(k)]
    await hass.async_stop(force=True)
    return told


def main(host: str, key: str, file: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(add(host, key, folder))
    with open(file, "w", encoding="utf-8") as out:
        json.dump(told, out)


if __name__ == "__main__":
    requirements() if sys.argv[1:] == ["requirements"] else main(*sys.argv[1:])
