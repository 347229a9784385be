"""When a thousand hosts that start together ask one server for their configuration: simulated.

    python tools/fetch_times.py [--hosts N] [--minutes N] [--hours N] [--anew] [--two] [--splay N]
                                [--fleets N]

Seconds and minutes with the most requests are printed; with --anew also what it would be if each
host drew its offset anew for each fetch. It uses `ruuvi_host.remote.schedule`, and no network.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.schedule import SPREAD, Schedule, offset_of

HOUR = 3600
SETTLED = 3 * HOUR
"""Seconds after the start at which the fourth hour begins."""


class Load(NamedTuple):
    """What a server gets to see."""

    per_second: int
    """The most in one second."""
    per_minute: int
    """The most in one minute from the fourth hour on."""
    mean: float
    """Requests a minute, from the fourth hour on."""
    requests: int

    @property
    def ratio(self) -> float:
        return self.per_minute / self.mean


def fetches(mac: str, minutes: int, splay: float, until: float, chance: Random) -> Iterator[float]:
    """The times of one host; what it fetches is there each time."""
    schedule = Schedule(offset_of(mac), minutes)
    now = schedule.first(splay, chance.random(), has_saved=True)
    while now < until:
        yield now
        pause = schedule.succeeded().pause(chance.random())
        assert pause is not None
        now += pause


def fetches_anew(
    mac: str, minutes: int, splay: float, until: float, chance: Random
) -> Iterator[float]:
    """The same with another offset for each fetch."""
    now = splay * chance.random()
    while now < until:
        yield now
        now += minutes * 60 * (1 + SPREAD * (2 * chance.random() - 1))


def simulated(
    hosts: int = 1000,
    *,
    minutes: int = 30,
    hours: int = 24,
    splay: float = 30.0,
    anew: bool = False,
    two: bool = False,
    seed: int = 1,
) -> Load:
    """two: hosts without memory of a folder in which there is only a file for all."""
    times: Counter[int] = Counter()
    draw = fetches_anew if anew else fetches
    for number in range(hosts):
        mac = (0xAA_CC_EE_00_00_00 + seed * hosts + number).to_bytes(6, "big").hex(":").upper()
        memory, chance = Memory(), Random(f"{seed} {number}")
        for now in draw(mac, minutes, splay, hours * HOUR, chance):
            times[int(now)] += 1
            if two:
                if memory.is_absent(mac, now):
                    memory = memory.passed_over(mac)
                else:
                    memory = memory.missed(mac, None, now)
                    times[int(now)] += 1
    by_minute: Counter[int] = Counter()
    for second, count in times.items():
        if second >= SETTLED:
            by_minute[second // 60] += count
    mean = sum(by_minute.values()) / (60 * hours - SETTLED / 60)
    most = max(by_minute.values(), default=0)
    return Load(max(times.values()), most, mean, sum(times.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=30, help="interval")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--splay", type=float, default=30.0, help="seconds of the first fetch")
    parser.add_argument("--anew", action="store_true", help="an offset drawn anew, too")
    parser.add_argument("--two", action="store_true", help="a new fleet, a folder, no own files")
    parser.add_argument(
        "--fleets", type=int, default=1, help="of other addresses, the worst counts"
    )
    given = parser.parse_args()
    for anew in (False, True) if given.anew else (False,):
        loads = [
            simulated(
                given.hosts,
                minutes=given.minutes,
                hours=given.hours,
                splay=given.splay,
                anew=anew,
                two=given.two,
                seed=seed,
            )
            for seed in range(1, given.fleets + 1)
        ]
        print("offset drawn anew each time" if anew else "one offset for each host")
        print(f"  most requests in a second:  {max(load.per_second for load in loads)}")
        print(
            f"  from the fourth hour on, most in a minute: {max(load.per_minute for load in loads)}"
            f" of a mean of {loads[0].mean:.1f} ({max(load.ratio for load in loads):.2f} times)"
        )


if __name__ == "__main__":
    main()
