"""Virtual tags: sensors whose readings move as real ones do, all from one random generator."""

from collections.abc import Callable
from random import Random

from firmware_protocol.messages import address_text
from firmware_protocol.scan import AdvertisingEvent
from ruuvi_host.formats import df5

ADVERTISING_INTERVAL = 1.290
"""Mean seconds between two advertising events: 1.285 s, and half of ADVERTISING_DELAY."""
ADVERTISING_DELAY = 0.010
"""Bluetooth adds 0 to 10 ms at random, so that two tags do not stay in each other's way."""
MEASUREMENT_INTERVAL = 2.57
"""Seconds between two measurements: each is advertised about twice."""

COMPANY_ID = 0x0499
FLAGS = bytes.fromhex("020106")
"""AD structure: general discoverable, no classic Bluetooth."""

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

_SIDES = ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0))


class Tag:
    """One sensor in its place. Times are simulated seconds; the readings are public attributes.

    random: where everything comes from; the order of calls decides what it gives.
    index: which of PLACES it is in.
    interval: mean seconds between two advertising events.
    payload: makes the octets behind the company identifier of the tag's readings. To send another
    data format, give another function.
    """

    def __init__(
        self,
        random: Random,
        index: int = 0,
        interval: float = ADVERTISING_INTERVAL,
        payload: Callable[["Tag"], bytes] | None = None,
    ) -> None:
        address = random.getrandbits(48) | 0xC000_0000_0000  # random static: top two bits 1
        self.address = address.to_bytes(6, "big")
        self.next_at = random.uniform(0, interval)
        """When it advertises next."""
        self.temperature, self.humidity = PLACES[index % len(PLACES)]
        self.pressure = random.gauss(100_800, 300)
        self.acceleration = (0.0, 0.0, 0.0)
        self.battery_voltage = 0.0
        self.movements = random.randrange(255)
        self.sequence = random.randrange(65535)
        self._random = random
        self._interval = interval
        self._jitter = min(ADVERTISING_DELAY, interval)
        self._payload = payload or format_5
        self._rssi = random.uniform(-88, -45)
        self._usual = self.temperature, self.humidity, self.pressure
        self._battery = random.uniform(2.6, 3.1)
        self._side = random.choice(_SIDES)
        self._measure_at = random.uniform(0, MEASUREMENT_INTERVAL)
        self._measure()

    def advertise(self) -> AdvertisingEvent:
        """The event that is due at `next_at`; sets the time of the one after."""
        random = self._random.random
        now = self.next_at
        self.next_at += self._interval + self._jitter * (random() - 0.5)
        if now >= self._measure_at:
            # A tag that advertises seldom has measured more than once since.
            steps = 1 + int((now - self._measure_at) / MEASUREMENT_INTERVAL)
            self._measure_at += steps * MEASUREMENT_INTERVAL
            self.sequence = (self.sequence + steps) % 65535
            self._measure()
        return AdvertisingEvent(self.address, self._data, int(self._rssi + 6 * random()))

    def _measure(self) -> None:
        """One step away from the last readings, with a slight pull to what is usual."""
        noise = self._random.gauss
        temperature, humidity, pressure = self._usual
        self.temperature += (temperature - self.temperature) * 0.002 + noise(0, 0.03)
        self.humidity += (humidity - self.humidity) * 0.002 + noise(0, 0.08)
        self.pressure += (pressure - self.pressure) * 0.002 + noise(0, 3)
        self.battery_voltage = self._battery + noise(0, 0.002)
        if self._random.random() < 0.002:  # somebody picks it up and puts it down
            self._side = self._random.choice(_SIDES)
            self.movements = (self.movements + 1) % 255
        x, y, z = self._side
        self.acceleration = (x + noise(0, 0.004), y + noise(0, 0.004), z + noise(0, 0.004))
        payload = self._payload(self)
        manufacturer_data = COMPANY_ID.to_bytes(2, "little") + payload
        self._data = FLAGS + bytes((len(manufacturer_data) + 1, 0xFF)) + manufacturer_data


def format_5(tag: Tag) -> bytes:
    """The readings as data format 5, as most tags in the field send them."""
    x, y, z = tag.acceleration
    return df5.encode(
        df5.Format5(
            temperature=tag.temperature,
            humidity=tag.humidity,
            pressure=round(tag.pressure),
            acceleration_x=x,
            acceleration_y=y,
            acceleration_z=z,
            battery_voltage=tag.battery_voltage,
            tx_power=4,
            movement_counter=tag.movements,
            measurement_sequence=tag.sequence,
            mac=address_text(tag.address),
        )
    )
