"""Changes of a configuration, and the ways back, in any order: against a list of what was there."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ruuvi_host.config import store
from ruuvi_host.config.kept import API, MOST_KEPT
from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs, Sources

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["post", "host", "file", "undo", "broken off"]), st.integers(0, 7)),
    max_size=12,
)


@settings(deadline=None, max_examples=30)
@given(STEPS, st.sampled_from(["gateway", "toml", "none"]))
def test_every_way_back_leads_where_it_says(steps: list[Step], begin: str) -> None:
    with TemporaryDirectory() as folder:
        etc, state = Path(folder, "etc"), Path(folder, "state")
        etc.mkdir()
        state.mkdir()
        named = {"gateway": etc / "gw_cfg.json", "toml": etc / "ruuvi-host.toml", "none": None}[
            begin
        ]
        if named:
            named.write_text('{"use_http_ruuvi": false}' if begin == "gateway" else "# mine\n")

        def sources() -> Sources:
            return load(Inputs(named, state=state)).sources

        def there() -> dict[str, bytes]:
            files = (path for path in Path(folder).rglob("*") if path.is_file())
            return {str(p): p.read_bytes() for p in files if p.name != "configurations.json"}

        before: list[dict[str, bytes]] = []
        """What was there before each change that can be undone, the newest first."""
        for what, number in steps:
            now = there()
            if what == "undo":
                back = number % (len(before) + 1)
                if not back:
                    continue
                store.carry_out(store.plan_undo(sources(), back), state, "undo", 0.0)
                assert there() == before[back - 1]
            else:
                written = store.carry_out(_plan(what, number, sources()), state, API, 0.0)
                if what == "broken off":
                    store.take_back(written, state)
                    assert there() == now
            if there() != now:
                before = [now, *before][:MOST_KEPT]
            assert len(store.undoable(state)) == len(before)


def _plan(what: str, number: int, sources: Sources) -> store.Plan:
    if what == "host":
        return store.plan_host(sources, [("max_sensors", str(number + 1))])
    if what == "file":
        path, text = sources.places.writing[0] / "http_path", str(number) if number else None
        return store.Plan([store.Write((path,), lambda _: text)], ("http_path",))
    return store.plan_post(sources, {"coordinates": f"{number},0"}, "")
