"""The configuration of a running host: who waits for another one, and who takes it up."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ruuvi_host.config.api import ApiSettings, Listen
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.model import Config
from ruuvi_host.config.sources import Inputs
from ruuvi_host.errors import ConfigError
from ruuvi_host.jobs.configuration import Configuration, concerns_relaying


def nothing() -> None:
    pass


def loaded(folder: Path, coordinates: str) -> Loaded:
    path = folder / "gw_cfg.json"
    path.write_text(f'{{"use_http_ruuvi": false, "coordinates": "{coordinates}"}}')
    return load(Inputs(path))


def test_who_has_changed_a_file_waits_until_it_is_in_force(tmp_path: Path) -> None:
    first, second = loaded(tmp_path, "1,1"), loaded(tmp_path, "2,2")

    async def main() -> None:
        configuration = Configuration(first, lambda: second)
        asking = [asyncio.ensure_future(configuration.renew()) for _ in range(2)]
        config, anew = await configuration.wanted(nothing, nothing)
        assert (config.coordinates, anew) == ("2,2", True)
        assert not any(each.done() for each in asking)
        configuration.taken()
        await asyncio.gather(*asking)

    asyncio.run(main())


def test_who_has_broken_it_is_told_and_others_go_on(tmp_path: Path) -> None:
    answers: list[Loaded | None] = [None, loaded(tmp_path, "2,2")]

    def reload() -> Loaded:
        if (answer := answers.pop(0)) is None:
            raise ConfigError("key", "is bad")
        return answer

    async def main() -> None:
        configuration = Configuration(loaded(tmp_path, "1,1"), reload)
        taking = asyncio.ensure_future(configuration.wanted(nothing, nothing))
        with pytest.raises(ConfigError, match="is bad"):
            await configuration.renew()
        assert configuration.loaded.config.coordinates == "1,1"
        configuration.ask()
        config, _ = await taking
        assert config.coordinates == "2,2"

    asyncio.run(main())


@pytest.mark.parametrize("read", [False, True])
def test_at_the_end_nobody_waits_any_more(tmp_path: Path, read: bool) -> None:
    """What was written counts from the next start on."""
    first = loaded(tmp_path, "1,1")

    async def main() -> None:
        configuration = Configuration(first, lambda: loaded(tmp_path, "2,2"))
        asking = asyncio.ensure_future(configuration.renew())
        if read:
            await configuration.wanted(nothing, nothing)
        else:
            await asyncio.sleep(0)
        configuration.end()
        await asking
        await configuration.renew()

    asyncio.run(main())


def test_what_only_says_who_may_ask_does_not_begin_relaying_anew() -> None:
    config = Config()
    api = ApiSettings(Listen("127.0.0.1", 80))
    assert not concerns_relaying(config, replace(config, api=api, faults=("x",)))
    assert concerns_relaying(config, replace(config, coordinates="1,1"))


def test_a_signal_without_a_change_begins_it_anew(tmp_path: Path) -> None:
    same = loaded(tmp_path, "1,1")

    async def main() -> None:
        configuration = Configuration(same, lambda: same)
        configuration.ask()
        assert await configuration.wanted(nothing, nothing) == (same.config, True)
        asking = asyncio.ensure_future(configuration.renew())
        assert await configuration.wanted(nothing, nothing) == (same.config, False)
        configuration.taken()
        await asking

    asyncio.run(main())


def test_a_signal_after_a_change_of_who_may_ask_does_not(tmp_path: Path) -> None:
    """It is how `config password` and `config key` have a running host take them up."""
    first = loaded(tmp_path, "1,1")
    path = tmp_path / "gw_cfg.json"
    path.write_text('{"use_http_ruuvi": false, "coordinates": "1,1", "lan_auth_api_key": "k"}')
    second = load(Inputs(path))

    async def main() -> None:
        configuration = Configuration(first, lambda: second)
        configuration.ask()
        assert await configuration.wanted(nothing, nothing) == (second.config, False)

    asyncio.run(main())
