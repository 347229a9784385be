"""Which configs go out, in which order, and how many in a second."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ruuvi_host.relay.mqtt import announcements as module
from ruuvi_host.relay.mqtt.announcements import RATE, SPREAD, Announcements
from ruuvi_host.relay.mqtt.discovery import Config, Discovery

DISCOVERY = Discovery(bytes.fromhex("AACCEE001122"), "ruuvi/AA:CC:EE:00:11:22/", "1.0.0")
ONE, OTHER = b"\x01" * 6, b"\x02" * 6


class Home:
    """Announcements of one target, and what went out."""

    def __init__(self, discovery: Discovery = DISCOVERY) -> None:
        self.names: dict[bytes, str] = {}
        self.announcements = Announcements(discovery, lambda address: self.names.get(address, ""))
        self.now = 0.0

    def reading(self, address: bytes, data_format: int | None = 5) -> list[Config]:
        """All that goes out before it, as fast as is allowed."""
        return list(self._all_before(address, data_format))

    def _all_before(self, address: bytes, data_format: int | None) -> Iterator[Config]:
        while found := self.announcements.missing(address, data_format):
            self.now += self.announcements.wait(self.now)
            self.announcements.sent(found, self.now)
            yield found.config

    def due(self) -> list[tuple[float, Config]]:
        """All that goes out by itself, and when."""
        sent = []
        while (wait := self.announcements.next_due(self.now)) is not None:
            self.now += wait
            if found := self.announcements.due(self.now):
                self.announcements.sent(found, self.now)
                sent.append((self.now, found.config))
        return sent


def sensor(address: bytes, data_format: int = 5, name: str = "") -> Config:
    return DISCOVERY.sensor_config(address, data_format, name)


def address_of(number: int) -> bytes:
    return number.to_bytes(6, "big")


def test_the_gateway_goes_first_and_each_once() -> None:
    home = Home()
    assert home.reading(ONE) == [DISCOVERY.gateway_config(), sensor(ONE)]
    assert home.reading(ONE) == []
    assert home.reading(OTHER, 0xE1) == [sensor(OTHER, 0xE1)]
    assert home.reading(ONE) == home.reading(OTHER, 0xE1) == []


@pytest.mark.parametrize("data_format", [None, 0x03, 0xE0, 0xF0])
def test_what_is_not_decoded_is_not_announced(data_format: int | None) -> None:
    home = Home()
    assert home.reading(ONE, data_format) == []
    home.reading(ONE)
    assert home.reading(ONE, data_format) == []
    assert home.reading(ONE) == [], "and does not count as another format"


def test_what_waits_is_asked_for_again() -> None:
    home = Home()
    first = home.announcements.missing(ONE, 5)
    assert first is not None
    assert first == home.announcements.missing(ONE, 5)
    assert first == home.announcements.missing(OTHER, 5)


def test_again_over_each_connection() -> None:
    home = Home()
    both = home.reading(ONE)
    home.announcements.connected()
    assert home.reading(ONE) == both


def test_again_with_another_format_or_name() -> None:
    home = Home()
    home.reading(ONE)
    assert home.reading(ONE, 6) == [sensor(ONE, 6)]
    home.names[ONE] = "Sauna"
    assert home.reading(ONE, 6) == [sensor(ONE, 6, "Sauna")]
    assert home.reading(ONE, 6) == []


def test_a_format_that_another_one_covers_changes_nothing() -> None:
    """A Ruuvi Air sends 6 beside E1: the config stays that of E1, which has all of 6."""
    home = Home()
    home.reading(ONE, 6)
    assert home.reading(ONE, 0xE1) == [sensor(ONE, 0xE1)]
    for data_format in (6, 0xE1, 6):
        assert home.reading(ONE, data_format) == []
    home.names[ONE] = "Bedroom"
    assert home.reading(ONE, 6) == [sensor(ONE, 0xE1, "Bedroom")]


def test_formats_in_turn_are_shown_together() -> None:
    discovery = replace(DISCOVERY, decode_all=True)
    home = Home(discovery)
    assert home.reading(ONE, 3) == [discovery.gateway_config(), discovery.sensor_config(ONE, 3)]
    assert home.reading(ONE, 5) == [discovery.sensor_config(ONE, 5)]
    assert home.reading(ONE, 3) == [discovery.sensor_config(ONE, 5, others=[3])]
    for data_format in (3, 5, 3, 5):
        assert home.reading(ONE, data_format) == []
    both = json.loads(discovery.sensor_config(ONE, 5, others=[3]).payload)["components"]
    assert {"voltage", "battery_voltage", "accelx", "acceleration_x"} <= both.keys()


def test_all_again_with_other_settings() -> None:
    home = Home()
    home.reading(ONE)
    home.reading(OTHER)
    other = replace(DISCOVERY, interval=300)
    home.announcements.changed(replace(DISCOVERY))
    assert home.reading(ONE) == [], "the same settings are no change"
    home.announcements.changed(other)
    assert home.reading(ONE) == [other.gateway_config(), other.sensor_config(ONE, 5)]
    assert home.reading(OTHER) == [other.sensor_config(OTHER, 5)]


def test_a_name_that_changes_while_its_config_waits() -> None:
    home = Home()
    home.reading(OTHER)
    found = home.announcements.missing(ONE, 5)
    assert found is not None
    home.names[ONE] = "Sauna"
    home.announcements.sent(found, 0.0)
    assert home.reading(ONE) == [sensor(ONE, 5, "Sauna")]


# -- the rate -------------------------------------------------------------------------------------


def test_ten_in_a_second_also_over_several_connections() -> None:
    home, times = Home(), []
    for number in range(60):
        if number % 7 == 6:
            home.announcements.connected()
        for _ in home._all_before(address_of(number), 5):
            times.append(home.now)
    assert times[RATE - 1] == 0.0, "a small home need not wait"
    assert times[RATE] == 1.0
    assert all(b - a > 1.0 - 1e-9 for a, b in zip(times, times[RATE:], strict=False))


def test_the_wait_ends_with_the_second() -> None:
    home = Home()
    for number in range(RATE - 1):
        home.reading(address_of(number))
    assert home.announcements.wait(0.25) == 0.75
    assert home.announcements.wait(1.0) == home.announcements.wait(50.0) == 0.0


# -- all of them ----------------------------------------------------------------------------------


def test_when_home_assistant_starts_all_go_out_again() -> None:
    home = Home()
    for number in range(4):
        home.reading(address_of(number))
    assert home.due() == []
    home.now = 100.0
    home.announcements.started(home.now)
    sent = home.due()
    assert [config for _, config in sent] == [
        DISCOVERY.gateway_config(),
        *(sensor(address_of(number)) for number in range(4)),
    ]
    assert [when for when, _ in sent] == [100.0 + SPREAD / 5 * place for place in range(5)]
    assert home.reading(address_of(0)) == []


def test_more_than_fit_into_ten_seconds_keep_the_rate() -> None:
    home = Home()
    for number in range(299):
        home.reading(address_of(number))
    home.now = 1000.0
    home.announcements.started(home.now)
    times = [when for when, _ in home.due()]
    assert len(times) == 300
    assert all(b - a > 1.0 - 1e-9 for a, b in zip(times, times[RATE:], strict=False))
    assert times[-1] < 1030.0


def test_a_second_start_begins_anew() -> None:
    home = Home()
    home.reading(ONE)
    home.announcements.started(0.0)
    home.now = 2.0
    home.announcements.started(home.now)
    assert len(home.due()) == 2


def test_nothing_is_due_before_anything_was_announced() -> None:
    home = Home()
    home.announcements.started(0.0)
    assert home.due() == []


def test_what_is_due_is_true_now() -> None:
    home = Home()
    home.reading(ONE)
    home.announcements.started(0.0)
    home.names[ONE] = "Sauna"
    assert [config for _, config in home.due()][1] == sensor(ONE, 5, "Sauna")
    assert home.reading(ONE) == []


def test_a_lost_connection_has_nothing_due() -> None:
    home = Home()
    home.reading(ONE)
    home.announcements.started(0.0)
    home.announcements.connected()
    assert home.announcements.next_due(0.0) is None


# -- the end --------------------------------------------------------------------------------------


def test_removal_of_what_was_announced() -> None:
    home = Home()
    assert list(home.announcements.removals()) == []
    home.reading(ONE)
    home.reading(OTHER)
    assert list(home.announcements.removals()) == [
        *(DISCOVERY.removal(ONE), DISCOVERY.removal(OTHER), DISCOVERY.removal(None)),
    ]


def test_shared_sensors_stay_for_the_other_hosts() -> None:
    shared = replace(DISCOVERY, shared=True)
    home = Home(shared)
    home.reading(ONE)
    assert list(home.announcements.removals()) == [shared.removal(None)]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SENSORS", 3)
    home = Home()
    for number in range(4):
        home.reading(address_of(number))
    assert home.reading(address_of(3)) == []
    assert home.reading(address_of(0)) == [sensor(address_of(0))], "forgotten, so told again"
    assert home.reading(address_of(2)) == []
