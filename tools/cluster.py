"""Proof that many hosts and a cluster of three brokers work: one node is killed, and comes back.

    python tools/cluster.py                       NATS with JetStream (Debian's nats-server)
    python tools/cluster.py --haproxy             the same behind haproxy, as on the page of fleets
    python tools/cluster.py --broker rabbitmq     RabbitMQ with quorum queues

Twenty hosts (`ruuvi-host run`, QoS 1), each with a simulated board, publish through a small proxy
that leads each connection to the next node that is there, and notes what is acknowledged. A
consumer with a kept session reads at a node that stays; with `--consumers killed` at the one that
is killed, with which it comes back; with `--consumers all` there is one at each node.
After all has gone as it may, three things are counted:

- acknowledged messages that a consumer has never got: none may be lost. It waits 40 s before it
  counts, for a broker gives an unacknowledged message again only after half a minute.
- the retained state of each host, as each of the nodes tells it to somebody who is new there: while
  all run, after one of them was killed, and after all were stopped.
- what the hosts say themselves: reports that were accepted, and whether their accounts add up.

Three minutes; 1 GB of memory. Exit status: 0 when all is as it should be (with RabbitMQ without the
retained states, which it keeps on one node only), 1 when not.
"""

import argparse
import asyncio
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic

from brokers import BrokerError
from cluster_brokers import CLUSTERS, Cluster, HaProxy
from cluster_clients import Consumer, let_in, retained
from cluster_tap import Tap

from firmware_protocol.messages import address_text
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer

COMMAND = str(Path(sys.executable).with_name("ruuvi-host"))
KILLED = 1
"""The node."""
AT = {"stays": (0,), "killed": (KILLED,), "all": (0, 1, 2)}
"""Nodes with a consumer."""
COUNTING_AFTER = 40.0
"""Seconds after the last message."""
PATIENCE = 120.0
"""Seconds for all hosts to publish."""
ONLINE, OFFLINE = b'{"state": "online"}', b'{"state": "offline"}'


class Host:
    """One real host, and its board."""

    def __init__(self, number: int, tags: int, folder: Path) -> None:
        board = Board(tags=tags, seed=number)
        self.server = PtyServer(board)
        self.topic = f"ruuvi/{address_text(board.device.addr)}/gw_status"
        self._state = folder / f"host{number}"
        self.log = folder / f"host{number}.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, broker: int) -> None:
        keys = ["use_http=false", "use_http_ruuvi=false", "use_http_stat=false", "use_mqtt=true"]
        keys += ["mqtt_server=127.0.0.1", f"mqtt_port={broker}"]
        settings = [word for key in keys for word in ("--set", key)]
        command = [COMMAND, "run", "--port", self.server.path, "--trust-clock", *settings]
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *command, "--state-dir", str(self._state), stdout=out, stderr=out
            )

    async def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()

    @property
    def accepted(self) -> int | None:
        """Reports, as it says at its end."""
        found = re.findall(r"mqtt: .*\baccepted_reports (\d+)", self.log.read_text("utf-8"))
        return int(found[-1]) if found else None

    @property
    def complaints(self) -> list[str]:
        return [x for x in self.log.read_text("utf-8").splitlines() if "UNACCOUNTED" in x]


class Result:
    """Lines of the table, and whether all is as it should be."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.is_good = True

    def add(self, what: str, found: str, *, good: bool = True) -> None:
        self.rows.append((what, found if good else f"{found}  WRONG"))
        self.is_good = self.is_good and good

    def lines(self) -> Iterator[str]:
        yield "| what | result |"
        yield "| --- | --- |"
        for row in self.rows:
            yield f"| {row[0]} | {row[1]} |"


def say(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


async def prove(options: argparse.Namespace, folder: Path) -> Result:
    """Raises BrokerError."""
    result = Result()
    with ExitStack() as stack:
        cluster = CLUSTERS[options.broker](folder)
        result.add("broker", f"{cluster.version}, three nodes")
        say("the cluster starts")
        began = monotonic()
        stack.enter_context(cluster)
        for port in cluster.ports:
            await asyncio.to_thread(let_in, port)
        result.add("first CONNECT after a cold start", f"{monotonic() - began:.0f} s")
        ways = cluster.ports
        if options.haproxy:
            ways = [stack.enter_context(HaProxy(folder, cluster.ports)).port]
        async with AsyncExitStack() as later:
            consumers = {
                n: Consumer(f"consumer{n}", cluster.ports[n]) for n in AT[options.consumers]
            }
            for consumer in consumers.values():
                later.callback(consumer.close)
                await asyncio.to_thread(consumer.ready)
            tap = await later.enter_async_context(Tap(ways))
            hosts = [Host(n + 1, options.tags, folder) for n in range(options.hosts)]
            boards = []
            for host in hosts:
                stack.enter_context(host.server)
                boards.append(asyncio.create_task(host.server.run()))
            try:
                await _go_through(options, cluster, tap, hosts, consumers, result)
            finally:
                for host in hosts:
                    if host.process and host.process.returncode is None:
                        host.process.kill()
                        await host.process.wait()
                for board in boards:
                    board.cancel()
                await asyncio.gather(*boards, return_exceptions=True)
    return result


async def _go_through(
    options: argparse.Namespace,
    cluster: Cluster,
    tap: Tap,
    hosts: list[Host],
    consumers: dict[int, Consumer],
    result: Result,
) -> None:
    say(f"{len(hosts)} hosts start")
    for host in hosts:
        await host.start(tap.port)
    await tap.until(10 * len(hosts), PATIENCE)
    await asyncio.sleep(options.seconds)
    say("a node is killed")
    killed = monotonic()
    await asyncio.to_thread(cluster.kill, KILLED)
    await asyncio.sleep(options.seconds)
    say("it comes back")
    await asyncio.to_thread(cluster.start, KILLED)
    await asyncio.to_thread(let_in, cluster.ports[KILLED])
    back = monotonic()
    await asyncio.sleep(options.seconds)
    result.add("the killed node was away", f"{back - killed:.0f} s")
    await _states(cluster, result, "all hosts run", {host.topic: ONLINE for host in hosts})
    dead = hosts[0]
    await dead.stop(signal.SIGKILL)
    after = {host.topic: OFFLINE if host is dead else ONLINE for host in hosts}
    await asyncio.sleep(2)
    await _states(cluster, result, "one of them was killed", after)
    gap = tap.longest_gap(killed - 1, monotonic())
    say("the hosts stop; 40 s until it is counted")
    codes = [await host.stop() for host in hosts[1:]]
    stopped = f"{codes.count(0)} of {len(codes)}"
    result.add("hosts that have stopped well", stopped, good=not any(codes))
    await asyncio.sleep(COUNTING_AFTER)
    await _states(cluster, result, "all were stopped", {host.topic: OFFLINE for host in hosts})
    acknowledged = {told for told in tap.acknowledged if not told[0].endswith("gw_status")}
    for number, consumer in consumers.items():
        for told in acknowledged - consumer.heard:
            at = tap.acknowledged[told] - killed
            say(f"consumer {number} has not got a message acknowledged {at:+.1f} s from the kill")
    result.add("acknowledged messages", f"{len(acknowledged):,}")
    result.add("longest time without any acknowledgement", f"{gap:.1f} s")
    for number, consumer in consumers.items():
        lost = len(acknowledged - consumer.heard)
        again = consumer.messages - len(consumer.heard)
        where = "that was killed" if number == KILLED else "that stays"
        found = f"lost {lost}, twice {again}"
        result.add(f"consumer at the node {where}", found, good=not lost)
    accepted = [host.accepted for host in hosts[1:]]
    known = sum(n for n in accepted if n is not None)
    result.add("reports that these hosts call accepted", f"{known:,}", good=None not in accepted)
    wrong = sum(len(host.complaints) for host in hosts)
    result.add("accounts that do not add up", f"{wrong}", good=not wrong)


async def _states(cluster: Cluster, result: Result, when: str, wanted: dict[str, bytes]) -> None:
    found = []
    for port in cluster.ports:
        filters = ["ruuvi/+/gw_status"] if cluster.takes_wildcards else list(wanted)
        told = await asyncio.to_thread(retained, port, filters, len(wanted))
        right = sum(told.get(topic) == state for topic, state in wanted.items())
        found.append(f"{right} of {len(wanted)}")
    good = len(set(found)) == 1 and found[0] == f"{len(wanted)} of {len(wanted)}"
    good = good or not cluster.takes_wildcards
    text = "; ".join(found)
    result.add(f"retained states right, by node: {when}", text, good=good)


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broker", choices=sorted(CLUSTERS), default="nats")
    parser.add_argument("--haproxy", action="store_true", help="hosts go through haproxy")
    parser.add_argument("--hosts", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--tags", type=int, default=10, metavar="N", help="each; default: 10")
    parser.add_argument(
        "--seconds", type=float, default=25.0, metavar="S", help="before, while, after; default: 25"
    )
    parser.add_argument("--consumers", choices=list(AT), default="stays", help="default: stays")
    parser.add_argument("--keep", action="store_true", help="the folder with all logs")
    options = parser.parse_args()
    if options.hosts < 2 or options.tags < 1 or options.seconds <= 0:
        parser.error("--hosts is 2 or more, --tags 1 or more, --seconds more than 0")
    folder = Path(mkdtemp(prefix="cluster-"))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        result = asyncio.run(prove(options, folder))
    except BrokerError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 2
    finally:
        if options.keep:
            print(f"logs are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(result.lines()))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
