"""Changes a configuration in its files: one key, or all of a gateway's."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruuvi_host.config.advice import advise
from ruuvi_host.config.arrays import ARRAYS, Tables
from ruuvi_host.config.bounds import too_much_toml
from ruuvi_host.config.files import (
    GATEWAY_FILE,
    HOST_FILE,
    Unreadable,
    check_toml,
    gateway_text,
    is_json,
    parse_json,
    read_text,
)
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME, CREDENTIALS, NEVER_GUESSED
from ruuvi_host.config.gateway_values import from_text
from ruuvi_host.config.host_keys import HOST_BY_NAME
from ruuvi_host.config.host_values import GATEWAY, HostValues, unknown
from ruuvi_host.config.keys import value_from_text
from ruuvi_host.config.problems import Problem, Problems, Severity
from ruuvi_host.config.sensor_tables import SENSORS, SensorTables, divided, is_of_sensor
from ruuvi_host.errors import ConfigError

LINEAR_TOMLKIT = (0, 15, 1)
"""The first version whose work grows with the number of dotted keys, and not with its cube."""
MOST_DOTS_OF_OLD = 150
"""In dotted keys, for older ones: they take a second for these, and more than ten for MAX_DOTS."""


def with_keys(
    config: Path, pairs: Sequence[tuple[str, str]], kept_gateway: Path | None = None
) -> dict[Path, str]:
    """The files of `config` that change when these keys are set, with their new texts.

    kept_gateway: the gateway's file in the state folder, if it counts in place of the user's.
    Raises ConfigError when one of the keys cannot be used.
    """
    gateway, own = _divided(pairs)
    gateway_path, host_path = _paths(config)
    gateway_path = kept_gateway or gateway_path
    if gateway and (gateway_path is None or not (gateway_path.exists() or gateway_path == config)):
        own |= {f"{GATEWAY}.{name}": value for name, value in gateway.items()}
        gateway = {}
    texts = {}
    if gateway:
        assert gateway_path
        texts[gateway_path] = _gateway_with(gateway_path, gateway)
    if own:
        texts[host_path] = host_text(host_path, own)
    return texts


def with_import(
    config: Path, source: Path, text: str, kept_gateway: Path | None = None
) -> tuple[dict[Path, str], list[Problem]]:
    """Take over what `source` says (a gateway's file, or what it answers to GET /ruuvi.json) into
    the gateway's file of `config`, as a gateway takes a POST. Returns the files that change, that
    one first, and what was wrong. Raises ConfigError.

    kept_gateway: as in `with_keys`.
    """
    gateway_path, _ = _paths(config)
    path = kept_gateway or gateway_path or config.parent / GATEWAY_FILE
    problems = Problems(source=str(source))
    try:
        document = parse_json(text, problems)
    except Unreadable as error:
        raise ConfigError(str(source), str(error)) from error
    present = _gateway_at(path)
    present.update(document, problems)
    _refuse_to_guess(present, problems)
    advise(present, problems)
    secrets = list(CREDENTIALS[present["http_auth"]]) if present["use_http"] else []
    if present["use_http_stat"] and present["http_stat_user"]:
        secrets.append("http_stat_pass")
    for name in secrets:
        if not present[name]:
            problems.add(name, "is not in it, as gateways do not tell secrets", "set it")
    texts = {path: gateway_text(present.document())}
    if path != config and not config.exists():  # so that `run --config` finds what was named
        texts[config] = "# Settings of ruuvi-host: see `ruuvi-host config example`.\n"
    return texts, problems.found


def host_keys_of(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Keys of the host's own with their values. Raises ConfigError for all others."""
    gateway, own = _divided(pairs)
    for name in gateway:
        raise ConfigError(name, "is a gateway's key, and not one of ruuvi-host.toml")
    return own


def _divided(pairs: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of a gateway, and the host's own, with their values. What a text in an array stands
    for is not known yet."""
    gateway: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, text in pairs:
        if name.partition(".")[0] in _ARRAYS or is_of_sensor(name):
            own[name] = text
        elif name in HOST_BY_NAME:
            own[name] = value_from_text(HOST_BY_NAME[name], text)
        elif name in BY_NAME:
            gateway[name] = from_text(BY_NAME[name], text)
        else:
            of_arrays = [
                f"{array.name}.{key.name}"
                for array in ARRAYS
                for settings in array.kinds.values()
                for key in settings.KEYS
            ]
            raise ConfigError(name, unknown(name, [*HOST_BY_NAME, *BY_NAME, *of_arrays]))
    return gateway, own


def _paths(config: Path) -> tuple[Path | None, Path]:
    """The gateway's file, if there is to be one, and the host's own."""
    try:
        text = read_text(config) if config.exists() else ""
    except Unreadable as error:
        raise ConfigError(str(config), str(error)) from error
    if is_json(config, text):
        return config, config.parent / HOST_FILE
    own = _toml(config)
    named = own.get("gateway_config")
    beside = config.parent / (Path(named) if isinstance(named, str) and named else GATEWAY_FILE)
    return (beside if named or beside.exists() else None), config


def _gateway_at(path: Path) -> GatewayConfig:
    present = GatewayConfig()
    if path.exists():
        try:
            present.update(parse_json(read_text(path), Problems()), Problems())
        except Unreadable as error:
            raise ConfigError(str(path), str(error)) from error
    return present


def _gateway_with(path: Path, keys: dict[str, Any]) -> str:
    present = _gateway_at(path)
    _update(lambda problems: present.update(keys, problems, own=True))
    _refuse_to_guess(present, Problems(source=str(path)))
    document = present.document()
    again = GatewayConfig()
    again.update(document, Problems())
    for name in keys:
        if again[name] != present[name]:
            raise ConfigError(
                name, "is not kept while only Ruuvi Cloud is on: set use_http=true and http_url too"
            )
    return gateway_text(document)


def host_text(path: Path, keys: Mapping[str, Any]) -> str:
    """What is in a ruuvi-host.toml with these keys set; comments stay. Raises ConfigError."""
    import tomlkit

    document = _toml(path)
    own: dict[str, Any] = {}
    gateway: dict[str, Any] = {}
    in_arrays: dict[str, dict[str, str]] = {}
    of_sensors: dict[str, str] = {}
    for name, value in keys.items():
        table, _, last = name.partition(".")
        if table == GATEWAY:
            gateway[last] = value
        elif is_of_sensor(name):
            of_sensors[name] = value
        elif table in _ARRAYS:
            in_arrays.setdefault(table, {})[name] = value
        else:
            own[name] = value
    for name, value in own.items():
        _update(lambda p, n=name, v=value: HostValues().update({n: v}, p))  # type: ignore[misc]
        _put(document, name, value)
    for array, texts in in_arrays.items():
        _set_in_tables(document, Tables(_ARRAYS[array]), texts)
    if of_sensors:
        _set_of_sensors(document, of_sensors)
    if gateway:
        table = document.setdefault(GATEWAY, tomlkit.table())
        before = {name: value for name, value in table.unwrap().items() if name not in gateway}
        present = GatewayConfig()
        present.update(before, Problems(), own=True)
        _update(lambda problems: present.update(gateway, problems, own=True))
        for name, value in gateway.items():
            table[name] = value
    return tomlkit.dumps(document)


def _put(where: Any, name: str, value: Any) -> None:
    """Set a key of a table: a.b is key b of table a in it."""
    import tomlkit

    *tables, last = name.split(".")
    for each in tables:
        where = where.setdefault(each, tomlkit.table())
    where[last] = value


def _set_in_tables(document: Any, tables: Tables, texts: dict[str, str]) -> None:
    """Change keys of [[coprocessor]] or [[target]] tables. Raises ConfigError."""
    import tomlkit

    array = tables.array
    tables.replace(document.unwrap().get(array.name, []), Problems())
    before, problems = len(tables.found), Problems()
    for name, text in sorted(texts.items(), key=lambda pair: not pair[0].endswith(".kind")):
        table, key = array.divided(name)
        changed = tables.set(table, key, text, problems)
        _raise_first(problems)
        assert changed
        if changed in tables.found[:before]:
            _put(document[array.name][tables.found.index(changed)], key, changed.values[key])
    for new in tables.found[before:]:
        tables.make(new, problems)
        made = tomlkit.table()
        for key, value in new.values.items():
            _put(made, key, value)
        document.setdefault(array.name, tomlkit.aot()).append(made)
    _raise_first(problems)


def _set_of_sensors(document: Any, texts: dict[str, str]) -> None:
    """Change keys of [sensors."AA:BB:CC:DD:EE:FF"] tables. Raises ConfigError."""
    import tomlkit

    tables, problems = SensorTables(), Problems()
    tables.update(document.unwrap().get(SENSORS, {}), Problems())
    of_all = document.setdefault(SENSORS, tomlkit.table(is_super_table=True))
    spelled = {name.upper(): name for name in of_all}
    for name, text in texts.items():
        address, key = divided(name)
        changed = tables.set(name, text, problems)
        _raise_first(problems)
        assert changed
        tables.make(address.upper(), problems)
        _raise_first(problems)
        where = spelled.setdefault(address.upper(), address.upper())
        of_all.setdefault(where, tomlkit.table())[key] = changed.values[key]


_ARRAYS = {array.name: array for array in ARRAYS}


def _refuse_to_guess(present: GatewayConfig, problems: Problems) -> None:
    """Raises ConfigError if what a file says would be lost with writing it anew."""
    for name in NEVER_GUESSED:
        if name in present.unreadable:
            told = next((p.why for p in problems.found if p.key == name), "cannot be read")
            raise ConfigError(f"{problems.source}: {name}", f"{told}; nothing was changed")


def _update(change: Callable[[Problems], None]) -> None:
    """Do `change`. Raises ConfigError for the first thing that keeps a key from being taken."""
    problems = Problems()
    change(problems)
    _raise_first(problems)


def _raise_first(problems: Problems) -> None:
    for problem in problems.found:
        if problem.severity is not Severity.WARNING or problem.instead == "ignored":
            raise ConfigError(*str(problem).split(": ", 1))


def _check_dots(text: str, version: str) -> None:
    """Can tomlkit of this version read it in a time that can be borne? Raises Unreadable."""
    numbers = tuple(int(number) for number in re.findall(r"[0-9]+", version)[:3])
    if numbers < LINEAR_TOMLKIT and too_much_toml(text, MOST_DOTS_OF_OLD):
        needed = ".".join(map(str, LINEAR_TOMLKIT))
        raise Unreadable(
            f"has more than {MOST_DOTS_OF_OLD} dots in its keys, for which tomlkit {version} takes "
            f"too long: install tomlkit {needed} or newer, or edit the file by hand"
        )


def _toml(path: Path) -> Any:
    """The host's own file, with its comments."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if not path.exists():
        return tomlkit.document()
    try:
        text = read_text(path)
        check_toml(text)
        _check_dots(text, tomlkit.__version__)
        return tomlkit.parse(text)
    except Unreadable as error:
        raise ConfigError(str(path), str(error)) from error
    except TOMLKitError as error:
        raise ConfigError(str(path), f"not TOML: {error}") from error
