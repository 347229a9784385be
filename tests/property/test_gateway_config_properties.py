"""A gateway's configuration under documents that nobody has thought of."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruuvi_host.config.build import build
from ruuvi_host.config.files import gateway_text, parse_json
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import (
    AUTH_KINDS,
    BY_NAME,
    FACTS,
    GATEWAY_KEYS,
    SHOWN_ONLY,
    Kind,
)
from ruuvi_host.config.host_keys import HOST_KEYS
from ruuvi_host.config.load import load, load_to_run
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sources import Inputs, Sources
from ruuvi_host.errors import ConfigError

ANY_TEXT = st.text(st.characters(), max_size=300)  # halves of characters included
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)


def fitting(name: str) -> st.SearchStrategy[Any]:
    """Values of the right type, for most keys within their limits."""
    key = BY_NAME[name]
    match key.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.U16 | Kind.U32 | Kind.SIGNED:
            return st.integers(-200, 70_000) | st.sampled_from(["0x10", "30", "x"])
        case Kind.TEXTS:
            return st.lists(st.sampled_from(["AA:BB:CC:DD:EE:FF", "x", "\ud800"]), max_size=3)
        case Kind.OBJECT:
            return st.fixed_dictionaries(
                {}, optional={"ssid": st.text(), "password": st.text(), "channel": st.integers()}
            )
    if key.choices:
        return st.sampled_from([*key.choices, "x"])
    if name.endswith("_url"):
        return st.sampled_from(
            [
                "http://server/",
                "https://network.ruuvi.com/record",
                "",
                "http://u:p@[::1]/?a",
                "http://[",
            ]
        )
    return st.text(max_size=70)


NAMES = st.sampled_from([*BY_NAME, *FACTS, *SHOWN_ONLY, "scan_extended_payload"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES | ANY_TEXT, max_size=25))
    wrong = draw(st.integers(0, 3)) == 0
    document = {}
    for name in names:
        good = fitting(name) if name in BY_NAME else st.booleans()
        document[name] = draw(VALUES if wrong or name not in BY_NAME else good)
    return document


@given(st.lists(documents(), max_size=3), st.booleans())
def test_nothing_upsets_it_and_what_is_saved_is_stable(
    given_documents: list[dict[str, Any]], own: bool
) -> None:
    gateway, problems = GatewayConfig(), Problems()
    for document in given_documents:
        gateway.update(parse_json(json.dumps(document), problems), problems, own=own)
        for key in GATEWAY_KEYS:
            check_type(key.kind, gateway[key.name])
            if key.limit is not None:
                assert len(gateway[key.name].encode()) <= key.limit
            if key.choices:
                assert gateway[key.name] in key.choices
    for problem in problems.found:
        assert str(problem).isprintable()
    text = gateway_text(gateway.document())
    text.encode()
    again = GatewayConfig()
    again.update(json.loads(text), Problems())
    assert [*again.document()] == [*json.loads(text)]
    if len(given_documents) <= 1:
        assert gateway_text(again.document()) == text
    else:
        # What is switched off later keeps its settings in memory, and they are written, but a
        # gateway does not read them: they are lost with the first restart, and nothing after it.
        settled = gateway_text(again.document())
        once_more = GatewayConfig()
        once_more.update(json.loads(settled), Problems())
        assert gateway_text(once_more.document()) == settled
    # Into the configuration that wrote it, it changes nothing that is written.
    gateway.update(json.loads(text), Problems())
    assert gateway_text(gateway.document()) == text


def check_type(kind: Kind, value: Any) -> None:
    match kind:
        case Kind.FLAG:
            assert isinstance(value, bool)
        case Kind.U16 | Kind.U32 | Kind.SIGNED:
            assert type(value) is int
        case Kind.TEXT:
            value.encode()
        case Kind.TEXTS:
            assert all(isinstance(item, str) for item in value)
        case Kind.OBJECT:
            assert isinstance(value, dict)


@given(documents())
def test_unknown_keys_survive(document: dict[str, Any]) -> None:
    gateway = GatewayConfig()
    gateway.update(document, Problems())
    known = {*BY_NAME, *FACTS, *SHOWN_ONLY, "scan_extended_payload"}
    saved = gateway.document()
    unknown = {name: value for name, value in document.items() if name not in known}
    # As UTF-8, which has no halves of characters.
    again = json.loads(json.dumps(unknown, ensure_ascii=False).encode("utf-8", "replace"))
    assert {name: saved[name] for name in again} == again or again != again  # NaN


@given(documents())
def test_a_configuration_can_always_be_built(document: dict[str, Any]) -> None:
    sources = Sources(Inputs())
    sources.gateway.update(document, sources.problems)
    config = build(sources)
    for target in config.targets:
        least = 0 if isinstance(target, MqttTarget) else 1  # 0: each change at once
        assert least <= target.period <= 3600
    assert len(config.coordinates.encode()) <= 63


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
@settings(max_examples=200)
def test_no_file_is_more_than_a_problem(tmp_path_factory: Any, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.json", "any.toml"):
        (folder / name).write_bytes(data)
        load(Inputs(config=folder / name))


# -- secrets --------------------------------------------------------------------------------------

MARK = "s3cr3tMARK"
SECRET_TEXTS = st.builds(
    lambda before, after: before + MARK + after,
    st.sampled_from(["", " ", "\r\n", "@", "ä", "x" * 300, '"', "=", "@@"]),
    st.sampled_from(["", " ", "\r\nHost: x", "\x00", "ä", "x" * 300, ": ", "\ud800"]),
)
GATEWAY_SECRETS = [key.name for key in GATEWAY_KEYS if key.secret]
HOST_SECRETS = [key.name for key in HOST_KEYS if key.secret]
WRONG_TYPES = st.sampled_from([[MARK], {"a": MARK}, [[MARK]], {MARK: 1}])


@given(
    secret=SECRET_TEXTS,
    wrong=st.none() | WRONG_TYPES,
    kind=st.sampled_from(AUTH_KINDS),
    url=st.sampled_from(
        [
            "http://server/",
            f"http://u:{MARK}@server/",
            f"http://server/?key={MARK}",
            f"http://u:{MARK}/x@server/",
            f"http://{MARK}[",
            f"ftp://u:{MARK}@server",
        ]
    ),
)
def test_no_secret_is_ever_shown(
    tmp_path_factory: Any, secret: str, wrong: Any, kind: str, url: str
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    value = secret if wrong is None else wrong
    document: dict[str, Any] = dict.fromkeys(GATEWAY_SECRETS, value)
    document |= {"use_http": True, "http_url": url, "http_auth": kind, "http_user": "u"}
    document |= {"wifi_sta_config": value if wrong else {"password": value}}
    document |= {"remote_cfg_auth_type": "basic", "lan_auth_type": "lan_auth_basic"}
    path = folder / "secrets.json"
    path.write_text(json.dumps(document))
    overrides = [(name, secret, "--set") for name in [*GATEWAY_SECRETS, *HOST_SECRETS]]
    overrides += [("http_auth", kind, "--set"), ("http.proxy", url, "--set")]
    records: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    handler = Collect()
    logger = logging.getLogger("ruuvi_host")
    logger.addHandler(handler)
    try:
        for inputs in (
            Inputs(config=path),
            Inputs(config=path, overrides=tuple(overrides)),
            Inputs(
                environment={
                    f"RUUVI_HOST_{n.upper().replace('.', '_')}": secret.replace("\0", "")
                    for n in [*GATEWAY_SECRETS, *HOST_SECRETS]
                }
            ),
        ):
            loaded = load(inputs)
            shown = [repr(loaded), str(loaded.config), repr(inputs), str(loaded.problems)]
            shown += [str(problem) for problem in loaded.problems]
            try:
                load_to_run(inputs)
            except ConfigError as error:
                shown.append(str(error))
            assert not [text for text in [*shown, *records] if MARK in text]
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', "{" * 60])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="not JSON"):
        parse_json(text, Problems())
