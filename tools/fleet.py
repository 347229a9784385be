"""A thousand hosts and one broker, on this machine: how they come, what they send, how they return.

    python tools/fleet.py                             1,000 hosts with 20 sensors, every 10 s
    python tools/fleet.py --hosts 200 --interval 0    news at once, as for a house
    python tools/fleet.py --firmware                  the pauses of a gateway in place of ours

The hosts are simulated in one process, with real connections to a real mosquitto on loopback, which
is started for it. Three parts are measured:

1. All hosts connect in the same moment: until each has its CONNACK.
2. They publish: messages and bytes a second, the time until a PUBACK, the CPU of broker and hosts.
   Beside it stands what is calculated for such a fleet (docs/pages/fleets.md). Bytes are those of
   PUBLISH packets; on a wire 52 come to each for TCP/IP and 22 for TLS, and a PUBACK comes back.
3. The broker is killed, is away for --down seconds, and comes back: until all hosts are back. They
   wait 10 s after the first failure and double that up to 120 s, 20 % more or less by chance.
   --scale makes those pauses shorter; times are then also told as they would be without it.

QoS 1 unless --qos 0. Rates are those of this machine, which does the work of all hosts, too.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from brokers import BrokerError, Mosquitto, allow_connections
from fleet_hosts import DISCONNECT, NEWS, Host, Plan, Tally

from ruuvi_host.config.mqtt_target import MQTT_FORMATS
from ruuvi_host.config.target_parts import DataFormat

PACKET = {DataFormat.RAW: 214, DataFormat.RAW_AND_DECODED: 443, DataFormat.DECODED: 371}
"""Bytes of a PUBLISH with a reading of format 5 and the usual prefix, about; QoS 0."""
IDENTIFIER, TCP, TLS = 2, 52, 22
LONGEST = 600.0
"""Seconds to wait for all to be there."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Fleet:
    """All hosts."""

    def __init__(self, count: int, plan: Plan) -> None:
        self.tally = Tally()
        self._changed = asyncio.Event()
        self.hosts = [Host(n, plan, self.tally, self._changed.set) for n in range(count)]

    @property
    def connected(self) -> int:
        return sum(host.link is not None for host in self.hosts)

    async def alone(self) -> None:
        """Wait until each has noticed that the broker is gone."""
        while self.connected:
            self._changed.clear()
            await self._changed.wait()

    async def until(self, share: float) -> float:
        """Wait until this share of them is connected; returns the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(LONGEST):
            while self.connected < share * len(self.hosts):
                self._changed.clear()
                await self._changed.wait()
        return loop.time() - began


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What came out, by name."""
    data_format = MQTT_FORMATS[options.format]
    told: dict[str, Any] = {}
    with Mosquitto(folder) as broker:
        plan = Plan(
            broker.port,
            options.sensors,
            options.interval,
            data_format,
            options.qos,
            options.scale,
            options.firmware,
        )
        fleet = Fleet(options.hosts, plan)
        tally = fleet.tally
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(host.run()) for host in fleet.hosts]
            told["connected_s"] = await fleet.until(1.0)
            told["connect_p99_s"] = _p99(tally.connecting)
            running += [tasks.create_task(host.measure()) for host in fleet.hosts]
            told |= await _steady(tally, broker.pid, options, data_format)
            told |= await _restart(fleet, broker, options)
            for task in running:
                task.cancel()
            for host in fleet.hosts:
                if host.link:
                    host.link.write(DISCONNECT)
    return told


async def _steady(
    tally: Tally, broker: int, options: argparse.Namespace, data_format: DataFormat
) -> dict[str, Any]:
    await asyncio.sleep(min(options.interval or NEWS, options.seconds))  # until each has begun
    tally.delays.clear()
    sent, size, skipped = tally.sent, tally.bytes_sent, tally.skipped
    cpu = [_cpu(broker), _cpu(os.getpid())]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(options.seconds)
    passed = loop.time() - began
    rate = options.hosts * options.sensors / (options.interval or NEWS)
    packet = PACKET[data_format] + (IDENTIFIER if options.qos else 0)
    return {
        "messages_per_s": (tally.sent - sent) / passed,
        "messages_per_s_calculated": rate,
        "bytes_per_s": (tally.bytes_sent - size) / passed,
        "bytes_per_s_calculated": rate * packet,
        "bytes_per_s_wire_tls": rate * (packet + TCP + TLS),
        "skipped": tally.skipped - skipped,
        "puback_p99_s": _p99(tally.delays) if options.qos else None,
        "broker_cpu_percent": 100 * (_cpu(broker) - cpu[0]) / passed,
        "hosts_cpu_percent": 100 * (_cpu(os.getpid()) - cpu[1]) / passed,
    }


async def _restart(fleet: Fleet, broker: Mosquitto, options: argparse.Namespace) -> dict[str, Any]:
    if options.down is None:
        return {}
    refused = fleet.tally.refused
    broker.kill()
    await fleet.alone()
    await asyncio.sleep(options.down / options.scale)
    await asyncio.to_thread(broker.start)
    back = {"half": 0.5, "99_percent": 0.99, "all": 1.0}
    passed, told = 0.0, {}
    for name, share in back.items():
        passed += await fleet.until(share)
        told[f"back_{name}_s"] = passed
        told[f"back_{name}_s_unscaled"] = passed * options.scale
    return told | {"attempts_refused": fleet.tally.refused - refused}


def _p99(values: list[float]) -> float | None:
    return quantiles(values, n=100)[98] if len(values) > 1 else None


def _cpu(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def lines(options: argparse.Namespace, told: dict[str, Any]) -> Iterator[str]:
    """For people."""
    hosts = options.hosts
    every = f"every {options.interval:g} s" if options.interval else "at once"
    yield f"{hosts:,} hosts, {options.sensors} sensors each, {every}, QoS {options.qos}"
    rate = hosts / told["connected_s"]
    yield f"all connected       {told['connected_s']:8.2f} s   {rate:,.0f} a second; " + _ms(
        "CONNACK", told["connect_p99_s"]
    )
    yield (
        f"messages            {told['messages_per_s']:8,.0f} /s  "
        f"calculated {told['messages_per_s_calculated']:,.0f}; "
        + _ms("PUBACK", told["puback_p99_s"])
    )
    yield (
        f"bytes               {told['bytes_per_s'] / 1e6:8.3f} MB/s calculated "
        f"{told['bytes_per_s_calculated'] / 1e6:.3f}, on a wire with TLS "
        f"{told['bytes_per_s_wire_tls'] / 1e6:.3f}"
    )
    yield f"left out            {told['skipped']:8,}      the broker was too slow, or away"
    yield (
        f"CPU of one core     {told['broker_cpu_percent']:8.0f} %   the broker; all hosts together "
        f"{told['hosts_cpu_percent']:.0f} %"
    )
    if "back_all_s" not in told:
        return
    scaled = f", pauses {options.scale:g} times shorter" if options.scale != 1 else ""
    yield f"the broker was away for {options.down:g} s{scaled}; from then on"
    for name, words in (("half", "half are back"), ("99_percent", "99 %"), ("all", "all")):
        as_it_is = told[f"back_{name}_s_unscaled"]
        yield f"{words:<19} {told[f'back_{name}_s']:8.2f} s   " + (
            f"as hosts wait: {as_it_is:.0f} s" if options.scale != 1 else ""
        )
    yield f"attempts refused    {told['attempts_refused']:8,}"


def _ms(what: str, seconds: float | None) -> str:
    return "" if seconds is None else f"99 % have {what} within {1000 * seconds:.0f} ms"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--sensors", type=int, default=20, metavar="N", help="each; default: 20")
    parser.add_argument(
        "--interval", type=float, default=10.0, metavar="S", help="0: at once; default: 10"
    )
    parser.add_argument("--format", choices=list(MQTT_FORMATS), default="ruuvi_raw")
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="of part 2; default: 20"
    )
    parser.add_argument(
        "--down",
        type=float,
        default=2.0,
        metavar="S",
        help="the broker is away in part 3, before --scale; default: 2",
    )
    parser.add_argument("--no-restart", dest="down", action="store_const", const=None)
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="F", help="pauses are so many times shorter"
    )
    parser.add_argument(
        "--firmware", action="store_true", help="pauses of a gateway: always 10 to 15 s"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    if not 1 <= options.hosts <= 20_000 or not 1 <= options.sensors <= 255:
        parser.error("--hosts is 1 to 20000, --sensors 1 to 255")
    if options.interval < 0 or options.seconds <= 0 or options.scale <= 0:
        parser.error("--interval, --seconds and --scale cannot be negative, the last two not 0")
    return options


def main() -> None:
    options = parse()
    try:
        allow_connections(options.hosts + 100)
        with TemporaryDirectory(prefix="fleet-") as folder, suppress(KeyboardInterrupt):
            told = asyncio.run(measure(options, Path(folder)))
            print(
                json.dumps(vars(options) | told)
                if options.json
                else "\n".join(lines(options, told))
            )
    except BrokerError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


if __name__ == "__main__":
    main()
