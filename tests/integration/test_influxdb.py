"""Real databases: points that are written by the v1 and the v2 path are queried back, what a
database refuses is understood, and an outage with `kill -9` loses and doubles nothing."""

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from databases import (
    ADMIN,
    MAX_BODY,
    PASSWORD,
    Influx,
    exported,
    influxdb,
    needs_influxdb,
    needs_victoria_metrics,
    victoria_metrics,
)
from influx_world import ADDRESS, AIR, GATEWAY, TAG, TIME, batch, heard, many, named, target
from line_protocol import points
from programs import PATIENCE, Program, ruuvi_host
from spooled import rows
from tcp_ports import free_port

from firmware_protocol.messages import address_text
from ruuvi_host.config.model import Config
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.influxdb.kind import KIND
from ruuvi_host.relay.influxdb.points import PointWriter
from ruuvi_host.relay.kinds import CheckResult, SinkContext
from ruuvi_host.relay.sink import Outcome, Verdict

CASES = [bytes.fromhex(case["adv_hex"]) for case in load_vectors("formats.json")["cases"]]
EVERYTHING = batch(*(heard(data, TIME + n) for n, data in enumerate(CASES)))
"""A report of each kind that sensors send, each at its own time."""
WHO: dict[str, Any] = {"user": ADMIN, "pass": PASSWORD}


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influxdb(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with victoria_metrics(tmp_path_factory.mktemp("victoria")) as url:
        yield url


@pytest.fixture
def database(influx: Influx, request: pytest.FixtureRequest) -> str:
    """A new one, of this test's own."""
    name = request.node.name
    influx.query(f'CREATE DATABASE "{name}"')
    return str(name)


def deliver(given: Batch, url: str, *, known: Readings | None = None, **settings: Any) -> Outcome:
    async def main() -> Outcome:
        context = SinkContext(Config(), readings=(lambda: known) if known else None)
        sink = KIND.make_sink(target(url=url, **settings), context)
        try:
            return await sink.deliver(given, 0.0)
        finally:
            await sink.close()

    return asyncio.run(main())


def check(url: str, **settings: Any) -> CheckResult:
    probe = KIND.probe(target(url=url, **settings), GATEWAY, SinkContext(Config()), 0.0)
    return asyncio.run(probe)


def expected(**settings: Any) -> dict[int, dict[str, Any]]:
    """Time → fields, as a strict reader has them."""
    writer, known = PointWriter(target(**settings)), Readings()
    written = [writer.line(known, report, GATEWAY.addr) for report in EVERYTHING.advertisements]
    return {p.time: p.fields for p in points(b"".join(line for line in written if line))}


def awkward() -> tuple[Batch, Readings, dict[str, str]]:
    """Reports of sensors with awkward names, and the name of each by its address, as it is read
    back by a strict reader."""
    dice, reports, sensors = random.Random(14), [], []
    for number in range(300):
        report = heard(address=number.to_bytes(6, "big"))
        name = "".join(dice.choices(" ,=\\\"'#\t\näö😀ab", k=dice.randint(1, 6)))
        reports.append(report)
        sensors.append(SensorSettings(report.address, name))
    known, writer = Readings(sensors), PointWriter(target())
    lines = [writer.line(known, report, GATEWAY.addr) for report in reports]
    tags = [point.tags for point in points(b"".join(line for line in lines if line))]
    assert len(tags) == len(reports)
    return batch(*reports), known, {each["address"]: each["name"] for each in tags}


# -- InfluxDB 1.x ---------------------------------------------------------------------------------


@needs_influxdb
@pytest.mark.parametrize("schema", ["ruuvi", "ruuvibridge", "ruuvicollector"])
def test_all_that_sensors_send_is_queried_back(influx: Influx, database: str, schema: str) -> None:
    more = {"derived": ["dew_point", "iaqs", "iaqs_grade", "battery_low"]}
    settings: dict[str, Any] = {"schema": schema} | (more if schema == "ruuvi" else {})
    outcome = deliver(EVERYTHING, influx.url, database=database, **WHO, **settings)
    assert (outcome.verdict, outcome.refused, outcome.reason) == (Verdict.ACCEPTED, 0, "")
    found = influx.rows('SELECT * FROM "ruuvi_measurements"', db=database)
    wanted = expected(**settings)
    assert [row["time"] for row in found] == sorted(wanted)
    for row in found:
        fields = wanted[row["time"]]
        assert {name: row[name] for name in fields} == fields
    types = {
        row["fieldKey"]: row["fieldType"] for row in influx.rows("SHOW FIELD KEYS", db=database)
    }
    names = {bool: "boolean", int: "integer", float: "float", str: "string"}
    for fields in wanted.values():
        assert {name: names[type(value)] for name, value in fields.items()}.items() <= types.items()


@needs_influxdb
def test_names_and_tags_with_every_awkward_character(influx: Influx, database: str) -> None:
    name = 'Sauna, "upper" = C:\\dir äö😀'
    settings: dict[str, Any] = {
        "tags": ["my site=a, b=c"],
        "measurement": "my sensors, all = of them",
    }
    outcome = deliver(
        batch(heard(TAG), heard(AIR, TIME + 1)),
        influx.url,
        known=named(name),
        database=database,
        **WHO,
        **settings,
    )
    assert outcome.verdict is Verdict.ACCEPTED, outcome.reason
    found = influx.rows(f'SELECT * FROM "{settings["measurement"]}"', db=database)
    assert [row["data_format"] for row in found] == ["5", "E1"]
    for row in found:
        assert row["name"] == name
        assert row["my site"] == "a, b=c"
        assert row["address"] == address_text(ADDRESS)


@needs_influxdb
def test_every_name_is_read_back(influx: Influx, database: str) -> None:
    given, known, names = awkward()
    outcome = deliver(given, influx.url, known=known, database=database, **WHO)
    assert outcome.verdict is Verdict.ACCEPTED, outcome.reason
    found = influx.rows('SELECT address, "name", rssi FROM ruuvi_measurements', db=database)
    assert {row["address"]: row["name"] for row in found} == names
    assert len(found) == len(names)


@needs_influxdb
def test_what_it_refuses_is_counted(influx: Influx, database: str) -> None:
    deliver(batch(heard()), influx.url, schema="ruuvibridge", database=database, **WHO)
    # Ours has rssi as a float: a database that has had another program's points refuses them all.
    given = batch(*many(3), heard(rssi=127))
    outcome = deliver(given, influx.url, database=database, **WHO)
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.fates(given)[:2] == (1, 3), "the one without rssi was taken"
    assert "field type conflict" in outcome.reason
    assert outcome.body


@needs_influxdb
def test_what_it_finds_too_large_is_halved(influx: Influx, database: str) -> None:
    given = batch(*many(400))
    outcome = deliver(given, influx.url, database=database, gzip=False, **WHO)
    assert outcome.verdict is Verdict.ACCEPTED, outcome.reason
    [row] = influx.rows('SELECT count("temperature") FROM "ruuvi_measurements"', db=database)
    assert row["count"] == 400
    assert 2 * MAX_BODY < 400 * 250


@needs_influxdb
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database": "nosuch"}, 'database not found: "nosuch"; make the database'),
        ({"retention": "nosuch"}, "retention policy not found: nosuch; make the retention policy"),
        ({"database": ""}, "database is required; name the database"),
        ({"pass": "wrong"}, "authorization failed; see whether token, or user and pass"),
        ({"user": "", "pass": ""}, "see whether token, or user and pass"),
        ({"user": "reader", "pass": "r"}, "not authorized"),
        ({"api": "v2"}, "nothing takes points there"),
    ],
)
def test_what_a_person_has_to_fix(influx: Influx, settings: dict[str, Any], words: str) -> None:
    influx.query("CREATE DATABASE ours")
    influx.query("CREATE USER reader WITH PASSWORD 'r'")
    given: dict[str, Any] = {"database": "ours"} | WHO | settings
    outcome = deliver(batch(heard()), influx.url, **given)
    assert outcome.verdict is Verdict.FIX
    assert words in outcome.reason
    result = check(influx.url, **given)
    if "retention" not in settings:  # it is looked at with the points
        assert not result.delivered
        assert words in str(result)


@needs_influxdb
def test_check_where_all_is_right(influx: Influx, database: str) -> None:
    assert str(check(influx.url, database=database, **WHO)) == "db: delivered (status 204)"


def until_spooled(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(SpoolError):  # it is not there yet, or just being made
            if rows(path):
                return
        assert time.monotonic() < deadline, "nothing is in the spool"
        time.sleep(0.05)


@needs_influxdb
def test_an_outage_with_kill_nine(tmp_path: Path) -> None:
    port = free_port()

    def host() -> Program:
        settings = ["kind=influxdb", f"url=http://127.0.0.1:{port}", "interval=1"]
        settings += [f"{key}={value}" for key, value in WHO.items()]
        pairs = [f"target.db.{setting}" for setting in settings]
        options = [word for pair in pairs for word in ("--set", pair)]
        return ruuvi_host("run", "--simulate", "--state-dir", str(tmp_path / "state"), *options)

    waiting: set[tuple[str, int]] = set()
    with host() as first:
        first.wait_for("db: not delivered")
        until_spooled(tmp_path / "state" / "db.spool")
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    (copy := tmp_path / "copy").mkdir()  # the host has to recover it by itself
    for file in (tmp_path / "state").glob("db.spool*"):
        shutil.copy(file, copy)
    for entry in rows(copy / "db.spool"):
        for report in entry.batch.advertisements:
            waiting.add((address_text(report.address), report.timestamp))
    assert waiting
    with influxdb(tmp_path, port) as server, host() as second:
        second.wait_for("db: needs fixing .*database not found")
        assert second.stop() == 0
        server.query("CREATE DATABASE ruuvi")
        with host() as third:
            third.wait_for("db: batches are accepted")
            assert third.stop() == 0
        found = server.rows('SELECT "temperature" FROM ruuvi_measurements GROUP BY *', db="ruuvi")
        times = [(row["address"], row["time"]) for row in found]
        assert len(times) == len(set(times))
        assert waiting <= set(times)


# -- VictoriaMetrics ------------------------------------------------------------------------------


@needs_victoria_metrics
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_victoria_metrics_takes_both_paths(victoria: str, api: str) -> None:
    settings: dict[str, Any] = {"api": api, "measurement": api, "tags": ["site=a, b=c"]}
    outcome = deliver(EVERYTHING, victoria, known=named("Sauna 1"), **settings)
    assert outcome.verdict is Verdict.ACCEPTED, outcome.reason
    found: dict[int, dict[str, float]] = {}
    for series in exported(victoria, f'{{__name__=~"{api}_.*"}}'):
        labels = series["metric"]
        assert (labels["site"], labels["name"]) == ("a, b=c", "Sauna 1")
        assert labels.get("db") == ("ruuvi" if api == "v1" else None)
        for value, at in zip(series["values"], series["timestamps"], strict=True):
            field = labels["__name__"].removeprefix(f"{api}_")
            found.setdefault(at // 1000, {})[field] = value
    for at, written in expected().items():
        fields = {name: float(value) for name, value in written.items()}
        assert found.pop(at) == pytest.approx(fields, rel=1e-11), "it keeps some 12 digits"
    assert not found
    assert check(victoria, api=api).delivered


@needs_victoria_metrics
def test_victoria_metrics_reads_every_name(victoria: str) -> None:
    given, known, names = awkward()
    deliver(given, victoria, known=known, measurement="awkward")
    series = exported(victoria, '{__name__="awkward_temperature"}')
    assert {each["metric"]["address"]: each["metric"]["name"] for each in series} == names


@needs_victoria_metrics
def test_victoria_metrics_keeps_what_is_written_twice(victoria: str) -> None:
    """The page says so; InfluxDB takes it for one."""
    for _ in range(2):
        deliver(batch(heard()), victoria, measurement="twice")
    [series] = exported(victoria, '{__name__="twice_temperature"}')
    assert series["timestamps"] == [TIME * 1000] * 2
