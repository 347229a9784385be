"""The table [api]: what is wrong in it is told, whether the API is on or not."""

import pytest

from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs

ON = ("api.listen", "127.0.0.1:8080", "--set")


@pytest.mark.parametrize("more", [(), (ON,)])
@pytest.mark.parametrize(("key", "value"), [("api.names", "http://x"), ("api.proxies", "abc")])
def test_what_cannot_be_read(key: str, value: str, more: tuple[tuple[str, str, str], ...]) -> None:
    loaded = load(Inputs(overrides=(*more, (key, value, "--set"))))
    assert [(problem.key, problem.source) for problem in loaded.problems] == [(key, "--set")]
    assert loaded.config.api is None


def test_what_is_good() -> None:
    others = (("api.names", "GW.example.", "--set"), ("api.proxies", "::1", "--set"))
    api = load(Inputs(overrides=(ON, *others))).config.api
    assert api
    assert api.names == {"gw.example"}
    assert [str(network) for network in api.proxies] == ["::1/128"]
    assert load(Inputs(overrides=others)).config.api is None
