"""Where changes of the local API are kept, and the way back."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.config import store
from ruuvi_host.config.kept import API, UNDO, KeptConfigurations
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.store import UnwritableError
from ruuvi_host.errors import ConfigError

SERVER = {"use_http_ruuvi": False, "use_http": True, "http_url": "http://server/"}
ROOT = os.geteuid() == 0


class House:
    """A folder of configuration, and one of state."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir()
        self.state.mkdir()
        self.gateway, self.own = self.etc / "gw_cfg.json", self.etc / "ruuvi-host.toml"
        self.named: Path | None = None
        self.options: tuple[tuple[str, str, str], ...] = ()

    def with_gateway(self, document: dict[str, Any]) -> "House":
        self.gateway.write_text(json.dumps(document))
        self.named = self.gateway
        return self

    def with_own(self, text: str) -> "House":
        self.own.write_text(text)
        self.named = self.own
        return self

    def load(self) -> Loaded:
        return load(Inputs(self.named, overrides=self.options, state=self.state))

    def post(self, document: dict[str, Any], at: float = 0.0) -> store.Plan:
        sources = self.load().sources
        plan = store.plan_post(sources, document, "")
        store.carry_out(plan, self.state, API, at)
        return plan

    def undo(self, number: int = 1) -> None:
        store.carry_out(store.plan_undo(self.load().sources, number), self.state, UNDO, 0.0)

    @property
    def coordinates(self) -> str:
        return str(self.load().config.coordinates)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@contextmanager
def not_to_be_written(path: Path) -> Iterator[None]:
    """Root may write everywhere, but follows no link in a folder of another user."""
    if ROOT:
        elsewhere = path.rename(path.with_name("elsewhere"))
        path.symlink_to(elsewhere)
        os.chown(path.parent, 1234, 1234)
        yield
    else:
        path.parent.chmod(0o500)
        try:
            yield
        finally:
            path.parent.chmod(0o700)


def test_a_change_goes_to_the_gateways_file_in_use(house: House) -> None:
    house.with_gateway(SERVER | {"coordinates": "1,1", "new_key": 5})
    plan = house.post({"coordinates": "2,2"})
    assert plan.keys == ("coordinates",)
    written = json.loads(house.gateway.read_text())
    assert (written["coordinates"], written["new_key"]) == ("2,2", 5)
    assert stat.S_IMODE(house.gateway.stat().st_mode) == 0o600
    assert not (house.state / "gw_cfg.json").exists()
    assert house.load().sources.gateway.origins["coordinates"] == str(house.gateway)


def test_nothing_is_written_when_nothing_changes(house: House) -> None:
    house.with_gateway(SERVER)
    before = house.gateway.stat()
    assert not house.post({"http_url": "http://server/", "use_eth": False}).writes
    assert house.gateway.stat() == before
    assert KeptConfigurations(house.state).read() == []


def test_without_a_file_it_goes_to_the_state_folder(house: House) -> None:
    """And nothing begins to be sent to Ruuvi by that."""
    house.post({"coordinates": "2,2"})
    loaded = house.load()
    assert loaded.config.coordinates == "2,2"
    assert (loaded.config.targets, loaded.config.statistics) == ((), None)
    assert loaded.sources.gateway_path == house.state / "gw_cfg.json"
    assert stat.S_IMODE((house.state / "gw_cfg.json").stat().st_mode) == 0o600


def test_options_are_not_written_into_it(house: House) -> None:
    house.options = (("use_http", "true", "--url"), ("http_url", "http://option/", "--url"))
    house.post({"coordinates": "2,2"})
    written = json.loads((house.state / "gw_cfg.json").read_text())
    assert not written["use_http"]
    assert "option" not in str(written)


def test_where_the_file_cannot_be_written_it_goes_to_the_state_folder(house: House) -> None:
    house.with_gateway(SERVER | {"coordinates": "1,1"})
    with not_to_be_written(house.gateway):
        house.post({"coordinates": "2,2"})
        assert json.loads(house.gateway.read_text())["coordinates"] == "1,1"
        loaded = house.load()
        sources = loaded.sources
        assert sources.gateway["coordinates"] == "2,2"
        assert sources.gateway["http_url"] == "http://server/", "all of it was taken along"
        assert sources.gateway.origins["coordinates"] == str(house.state / "gw_cfg.json")
        assert sources.hidden_path == house.gateway
        assert not [problem for problem in loaded.problems if "newer" in problem.why]
        house.post({"coordinates": "3,3"})
        assert house.coordinates == "3,3"
        house.undo(2)
        assert house.coordinates == "1,1"
        assert house.load().sources.hidden_path is None


def test_what_counts_is_told_when_the_other_file_is_newer(house: House) -> None:
    house.with_gateway(SERVER)
    kept = house.state / "gw_cfg.json"
    kept.write_text(json.dumps(SERVER | {"coordinates": "2,2"}))
    kept.chmod(0o600)
    os.utime(kept, ns=(0, house.gateway.stat().st_mtime_ns - 1))
    (problem,) = (p for p in house.load().problems if p.key == str(house.gateway))
    assert str(kept) in problem.why
    assert house.coordinates == "2,2"
    os.utime(kept, ns=(0, house.gateway.stat().st_mtime_ns + 1))
    assert not [p for p in house.load().problems if p.key == str(house.gateway)]


def test_the_state_folder_is_found_by_every_source(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for inputs in (
        Inputs(overrides=(("state_dir", str(other), "--set"),), state=house.state),
        Inputs(environment={"RUUVI_HOST_STATE_DIR": str(other)}, state=house.state),
        Inputs(house.with_own('state_dir = "../other"\n').own, state=house.state),
    ):
        found = load(inputs).sources.state
        assert found is not None
        assert found.resolve() == other.resolve()
    assert load(Inputs(state=house.state)).sources.state == house.state


def test_five_are_kept_with_time_and_who(house: House) -> None:
    house.with_gateway(SERVER)
    for number in range(7):
        house.post({"coordinates": f"{number},0"}, at=1000.0 + number)
    kept = store.undoable(house.state)
    assert [(each.at, each.by, each.keys) for each in kept] == [
        (1000.0 + number, "api", ("coordinates",)) for number in (6, 5, 4, 3, 2)
    ]
    mode = (house.state / "configurations.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_undo_goes_back_and_forth(house: House) -> None:
    house.with_gateway(SERVER | {"coordinates": "0,0"})
    text = house.gateway.read_text()
    house.post({"coordinates": "1,1"})
    house.post({"coordinates": "2,2"})
    house.undo()
    assert house.coordinates == "1,1"
    house.undo()
    assert house.coordinates == "2,2", "the way back from the way back"
    house.undo(4)
    assert house.gateway.read_text() == text, "as the user wrote it"
    with pytest.raises(ConfigError, match="there are 5"):
        house.undo(6)


def test_there_is_nothing_to_go_back_to_at_first(house: House) -> None:
    with pytest.raises(ConfigError, match="there is none"):
        house.undo()


def test_a_damaged_history_is_none(house: House, caplog: pytest.LogCaptureFixture) -> None:
    (house.state / "configurations.json").write_text('[{"at": 1}]')
    assert store.undoable(house.state) == []
    assert "cannot be used" in caplog.text
    house.with_gateway(SERVER).post({"coordinates": "1,1"})
    house.undo()
    assert house.coordinates == ""


def test_a_change_that_is_taken_back_leaves_nothing(house: House) -> None:
    house.with_gateway(SERVER)
    text = house.gateway.read_text()
    plan = store.plan_post(house.load().sources, {"coordinates": "2,2"}, "")
    written = store.carry_out(plan, house.state, API, 0.0)
    store.take_back(written, house.state)
    assert house.gateway.read_text() == text
    assert store.undoable(house.state) == []


# -- ruuvi-host.toml ------------------------------------------------------------------------------


def set_host(house: House, *pairs: tuple[str, str]) -> None:
    plan = store.plan_host(house.load().sources, pairs)
    store.carry_out(plan, house.state, API, 0.0)


def test_comments_of_our_own_file_stay(house: House) -> None:
    house.with_own('# mine\nmax_sensors = 5  # few\n\n[log]\nlevel = "info"\n')
    set_host(house, ("max_sensors", "7"), ("api.names", "a.example"))
    text = house.own.read_text()
    assert text.startswith("# mine\nmax_sensors = 7  # few\n")
    loaded = house.load()
    assert loaded.config.max_sensors == 7
    assert loaded.sources.host["api.names"] == ["a.example"]
    house.undo()
    assert house.own.read_text().startswith("# mine\nmax_sensors = 5  # few\n")


def test_without_a_file_of_our_own_one_is_made_beside_the_gateways(house: House) -> None:
    house.with_gateway(SERVER)
    set_host(house, ("max_sensors", "7"))
    assert house.own.read_text() == "max_sensors = 7\n"


def test_without_any_file_it_is_in_the_state_folder_and_counts(house: House) -> None:
    set_host(house, ("max_sensors", "7"))
    loaded = house.load()
    assert loaded.config.max_sensors == 7
    assert loaded.sources.host.origins["max_sensors"] == str(house.state / "ruuvi-host.toml")
    with pytest.raises(ConfigError, match="of your own"):
        set_host(house, ("state_dir", "/elsewhere"))


def test_a_gateways_key_is_none_of_ours(house: House) -> None:
    with pytest.raises(ConfigError, match="coordinates"):
        store.plan_host(house.load().sources, [("coordinates", "1,2")])


def test_without_a_state_folder_and_a_file_there_is_no_place(house: House) -> None:
    sources = load(Inputs()).sources
    plan = store.plan_post(sources, {"coordinates": "2,2"}, "")
    with pytest.raises(UnwritableError, match="no file"):
        store.carry_out(plan, None, API, 0.0)


def test_what_is_said_of_sensors_lies_on_top_of_the_users_words(house: House) -> None:
    """As long as the file in the state folder is there, it gets all that is changed."""
    house.with_own('[sensors."AA:BB:CC:DD:EE:01"]\nname = "Sauna"\ntemperature_offset = 1.0\n')
    (house.state / "ruuvi-host.toml").write_text("max_sensors = 7\n")
    set_host(house, ("sensors.AA:BB:CC:DD:EE:01.name", "Kitchen"))
    set_host(house, ("sensors.AA:BB:CC:DD:EE:02.name", "Cellar"))
    assert "Sauna" in house.own.read_text()
    sensors = house.load().config.sensors
    said = {sensor.name: sensor.temperature_offset for sensor in sensors}
    assert said == {"Kitchen": 1.0, "Cellar": 0.0}


def test_all_of_a_change_or_nothing(house: House) -> None:
    house.with_gateway(SERVER)
    before = house.gateway.read_text()
    post = store.plan_post(house.load().sources, {"coordinates": "2,2"}, "")
    for bad in ([("max_sensors", "0")], [("log.level", "x")]):
        host = store.plan_host(house.load().sources, bad)
        with pytest.raises(ConfigError):
            store.carry_out(store.Plan([*post.writes, *host.writes]), house.state, API, 0.0)
    full = store.Write((house.etc / "no" / "room",), lambda _: "x")
    (house.etc / "no").touch()
    with pytest.raises(UnwritableError):
        store.carry_out(store.Plan([*post.writes, full]), house.state, API, 0.0)
    assert house.gateway.read_text() == before
    assert not house.own.exists()
    assert store.undoable(house.state) == []


def test_what_is_no_utf8_comes_back_as_it_was(house: House) -> None:
    house.with_gateway(SERVER)
    certificate = house.etc / "http_srv_cert"
    certificate.write_bytes(b"\xef\xbb\xbf# \xe4\r\n")
    plan = store.Plan([store.Write((certificate,), lambda _: "new")])
    store.carry_out(plan, house.state, API, 0.0)
    assert certificate.read_text() == "new"
    house.undo()
    assert certificate.read_bytes() == b"\xef\xbb\xbf# \xe4\r\n"


def test_the_same_again_is_not_written(house: House) -> None:
    house.with_own("max_sensors = 7\n")
    before = house.own.stat()
    set_host(house, ("max_sensors", "7"))
    assert house.own.stat() == before
    assert store.undoable(house.state) == []


def test_undo_writes_no_file_of_others(house: House) -> None:
    """Whoever owns the state must not have root write elsewhere."""
    house.with_gateway(SERVER).post({"coordinates": "1,1"})
    kept = house.state / "configurations.json"
    victim = house.etc / "other.conf"
    kept.write_text(kept.read_text().replace("gw_cfg.json", "other.conf"))
    with pytest.raises(ConfigError, match=r"other\.conf.* is no file of this configuration"):
        house.undo()
    assert not victim.exists()


def test_undo_from_another_folder(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.with_gateway(SERVER)
    monkeypatch.chdir(house.etc)
    house.named = Path("gw_cfg.json")
    house.post({"coordinates": "1,1"})
    monkeypatch.chdir(house.state)
    house.named = Path("..", "etc", "gw_cfg.json")
    house.undo()
    assert house.coordinates == ""


@pytest.mark.skipif(not ROOT, reason="only root is kept from it")
def test_root_reads_and_writes_nothing_by_a_link_of_another(house: House) -> None:
    house.post({"coordinates": "1,1"})
    victim = house.etc / "shadow"
    victim.write_text("secret")
    (house.state / "gw_cfg.json").unlink()
    (house.state / "gw_cfg.json").symlink_to(victim)
    os.chown(house.state, 1234, 1234)
    kept = (house.state / "configurations.json").read_text()
    with pytest.raises(ConfigError, match="cannot be read: Too many levels"):
        house.undo()
    assert (house.state / "configurations.json").read_text() == kept
    plan = store.Plan([store.Write((house.state / "gw_cfg.json",), lambda _: "{}")])
    with pytest.raises(UnwritableError, match="Too many levels"):
        store.carry_out(plan, house.state, API, 0.0)
    assert victim.read_text() == "secret"
    assert "secret" not in (house.state / "configurations.json").read_text()


@pytest.mark.skipif(not ROOT, reason="only root can write for another")
def test_what_root_writes_belongs_to_whom_the_folder_belongs(house: House) -> None:
    """Else the service could not read what an administrator has changed."""
    for folder in (house.etc, house.state):
        os.chown(folder, 1234, 1234)
    house.with_gateway(SERVER)
    os.chown(house.gateway, 1234, 1234)
    house.post({"coordinates": "1,1"})
    set_host(house, ("max_sensors", "7"))
    written = (house.gateway, house.own, house.state / "configurations.json")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(1234, 1234)}


def test_where_our_own_file_cannot_be_written_the_state_folder_has_what_changes(
    house: House,
) -> None:
    house.with_own('max_sensors = 5\n[api]\nnames = ["a.example"]\n')
    with not_to_be_written(house.own):
        set_host(house, ("max_sensors", "7"))
        assert (house.state / "ruuvi-host.toml").read_text() == "max_sensors = 7\n"
        loaded = house.load()
        assert loaded.config.max_sensors == 7
        assert loaded.sources.host["api.names"] == ["a.example"]
        assert loaded.sources.host.origins["api.names"] == str(house.own)
        set_host(house, ("api.names", "b.example"))
        assert house.load().sources.host["api.names"] == ["b.example"]
        house.undo(2)
        assert house.load().config.max_sensors == 5
