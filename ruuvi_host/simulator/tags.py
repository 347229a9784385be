"""Virtual tags: sensors whose readings move as real ones do, all from one random generator."""

from collections.abc import Container
from math import asin, degrees, hypot
from random import Random
from typing import Any

from firmware_protocol.messages import address_text
from firmware_protocol.scan import AdvertisingEvent
from ruuvi_host.simulator.kinds import KINDS, Kind, advert

ADVERTISING_INTERVAL = 1.290
"""Mean seconds between two advertising events: 1.285 s, and half of ADVERTISING_DELAY."""
ADVERTISING_DELAY = 0.010
"""Bluetooth adds 0 to 10 ms at random, so that two tags do not stay in each other's way."""
MEASUREMENT_INTERVAL = 2.57
"""Seconds between two measurements: each is advertised about twice."""

PHY_2M = 2

PLACES = (
    # usual temperature in degC and relative humidity in %
    (21.5, 38.0),  # living room
    (8.0, 78.0),  # outdoors
    (4.5, 52.0),  # fridge
    (23.5, 61.0),  # bathroom
    (-18.5, 66.0),  # freezer
    (12.5, 71.0),  # cellar
    (62.0, 19.0),  # sauna
    (26.0, 74.0),  # greenhouse
)

AIR = {
    # what is usual, and how much it changes from one measurement to the next
    "pm2_5": (6.0, 0.2),
    "co2": (620.0, 6.0),
    "voc_index": (100.0, 2.0),
    "nox_index": (2.0, 0.1),
    "luminosity": (180.0, 4.0),
    "sound_average": (41.0, 0.8),
}

_SIDES = ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0))
_TAG_IDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"


class Sensor:
    """What is measured in one place. The readings are public attributes.

    random: where everything comes from; the order of calls decides what it gives.
    place: which of PLACES it is in, counted on from the first one after the last.
    air: which of AIR it measures.
    """

    def __init__(self, random: Random, place: int, air: Container[str]) -> None:
        self.temperature, self.humidity = PLACES[place % len(PLACES)]
        self.pressure = random.gauss(100_800, 300)
        self.air = {name: usual for name, (usual, _) in AIR.items() if name in air}
        self.acceleration = (0.0, 0.0, 0.0)
        self.battery_voltage = 0.0
        self.movements = random.randrange(255)
        self.sequence = random.randrange(65535)
        """Measurements so far; each data format sends as much of it as it has room for."""
        self.rssi = random.uniform(-88, -45)
        """The weakest of what is received from there, in dBm."""
        self._random = random
        battery = random.uniform(2.6, 3.1)
        self._usual = self.temperature, self.humidity, self.pressure, battery
        self._side = random.choice(_SIDES)

    def measure(self) -> bool:
        """One step away from the last readings, with a slight pull to what is usual. Returns: was
        it moved?"""
        noise = self._random.gauss
        temperature, humidity, pressure, battery = self._usual
        self.temperature += (temperature - self.temperature) * 0.002 + noise(0, 0.03)
        self.humidity += (humidity - self.humidity) * 0.002 + noise(0, 0.08)
        self.pressure += (pressure - self.pressure) * 0.002 + noise(0, 3)
        self.battery_voltage = battery + noise(0, 0.002)
        moves = self._random.random() < 0.002  # somebody picks it up and puts it down
        if moves:
            self._side = self._random.choice(_SIDES)
            self.movements = (self.movements + 1) % 255
        x, y, z = self._side
        self.acceleration = (x + noise(0, 0.004), y + noise(0, 0.004), z + noise(0, 0.004))
        for name, value in self.air.items():
            usual, change = AIR[name]
            self.air[name] = max(value + (usual - value) * 0.01 + noise(0, change), 1.0)
        return moves

    def values(self, address: str, *, moves: bool) -> dict[str, Any]:
        """The readings under the names of the fields that carry them."""
        x, y, z = self.acceleration
        total = hypot(x, y, z)
        values = {
            "temperature": self.temperature,
            "humidity": self.humidity,
            "pressure": round(self.pressure),
            "acceleration_x": x,
            "acceleration_y": y,
            "acceleration_z": z,
            "tilt_x": degrees(asin(x / total)),
            "tilt_y": degrees(asin(y / total)),
            "battery_voltage": self.battery_voltage,
            "tx_power": 4,
            "movement_counter": self.movements,
            "measurement_sequence": self.sequence,
            "mac": address,
            "mac_suffix": address[-8:],
            "tag_id": _TAG_IDS[int(address[-2:], 16) % len(_TAG_IDS)],
            "color_temperature": 4000,
            "motion_detected": moves,
            "presence_detected": moves,
            "motion_intensity": 9 * moves,
            **self.air,
        }
        if "pm2_5" in self.air:
            pm2_5 = self.air["pm2_5"]
            values |= {"pm1_0": 0.7 * pm2_5, "pm4_0": 1.2 * pm2_5, "pm10_0": 1.3 * pm2_5}
        if "sound_average" in self.air:
            sound = self.air["sound_average"]
            values |= {"sound_instant": sound, "sound_peak": sound + 14}
        return values


class Tag:
    """A sensor that advertises. Times are simulated seconds.

    random: where everything comes from; the order of calls decides what it gives.
    index: which of PLACES it is in.
    interval: mean seconds between two advertising events.
    kind: what it measures and sends.
    """

    def __init__(
        self,
        random: Random,
        index: int = 0,
        interval: float = ADVERTISING_INTERVAL,
        kind: Kind = KINDS["5"],
    ) -> None:
        address = random.getrandbits(48) | 0xC000_0000_0000  # random static: top two bits 1
        self.address = address.to_bytes(6, "big")
        self.next_at = random.uniform(0, interval)
        """When it advertises next."""
        self.kind = kind
        self.sensor = Sensor(random, index, kind.fields)
        self._random = random.random
        self._interval = interval
        self._jitter = min(ADVERTISING_DELAY, interval)
        self._measure_at = random.uniform(0, MEASUREMENT_INTERVAL)
        self._turn = 0
        self._measure()

    def advertise(self) -> AdvertisingEvent:
        """The event that is due at `next_at`; sets the time of the one after."""
        random = self._random
        now = self.next_at
        self.next_at += self._interval + self._jitter * (random() - 0.5)
        if now >= self._measure_at:
            # A tag that advertises seldom has measured more than once since.
            steps = 1 + int((now - self._measure_at) / MEASUREMENT_INTERVAL)
            self._measure_at += steps * MEASUREMENT_INTERVAL
            self.sensor.sequence += steps
            self._measure()
        data, is_extended = self._adverts[self._turn]
        self._turn = (self._turn + 1) % len(self._adverts)
        rssi = int(self.sensor.rssi + 6 * random())
        if not is_extended:
            return AdvertisingEvent(self.address, data, rssi)
        return AdvertisingEvent(
            self.address, data, rssi, secondary_phy=PHY_2M, secondary_channel=int(37 * random())
        )

    def _measure(self) -> None:
        sensor, kind = self.sensor, self.kind
        moves = sensor.measure()
        values = sensor.values(address_text(self.address), moves=moves)
        self._adverts = [advert(number, values, kind.missing) for number in kind.formats]
