"""Clusters of three brokers for tools/cluster.py, on loopback: NATS with JetStream, and RabbitMQ
with quorum queues. Each node is a process that can be killed and started again."""

import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from brokers import BrokerError, free_port, wait_for_port

NODES = 3
LEAVING = 10.0
"""Seconds that a node may take to end."""


class Cluster(ABC):
    """Nodes 0, 1 and 2. A context manager that starts all of them."""

    name: str
    takes_wildcards: bool
    """Do retained messages come for a topic with + in it?"""

    def __init__(self, folder: Path) -> None:
        self.ports = [free_port() for _ in range(NODES)]
        """For MQTT."""
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.prepare()
            for node in range(NODES):
                self.launch(node)
            for node in range(NODES):
                self.wait(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            _signal(process, signal.SIGTERM)
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(LEAVING)
            _signal(process, signal.SIGKILL)
            process.wait()
        self.stack.close()

    def kill(self, node: int) -> None:
        """As by a power cut."""
        process = self.processes.pop(node)
        _signal(process, signal.SIGKILL)
        process.wait()

    def start(self, node: int) -> None:
        """Until it listens. Raises BrokerError."""
        self.launch(node)
        self.wait(node)

    def wait(self, node: int) -> None:
        wait_for_port(self.ports[node], self.processes[node], self.log(node), self.patience)

    def log(self, node: int) -> Path:
        return self.folder / f"node{node}.log"

    def spawn(self, node: int, command: list[str], more: dict[str, str]) -> None:
        with self.log(node).open("ab") as out:
            # A group of its own: RabbitMQ is a shell that has a child.
            self.processes[node] = subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | more, start_new_session=True
            )

    patience = 30.0
    """Seconds until a node listens."""

    @property
    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def prepare(self) -> None:
        """What all nodes need. Raises BrokerError."""

    @abstractmethod
    def launch(self, node: int) -> None:
        """Start its process."""


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    """To it and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _installed(command: str, package: str) -> str:
    path = shutil.which(
        command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin"
    )
    if not path:
        raise BrokerError(f"{command} is not installed (Debian's package {package})")
    return path


class Nats(Cluster):
    """nats-server; retained messages and sessions are in streams of three replicas."""

    name = "nats"
    takes_wildcards = True

    @property
    def version(self) -> str:
        command = [_installed("nats-server", "nats-server"), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def prepare(self) -> None:
        clients, routes = ([free_port() for _ in range(NODES)] for _ in range(2))
        known = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        for node in range(NODES):
            lines = (
                f"server_name: node{node}",
                f"listen: 127.0.0.1:{clients[node]}",
                f'jetstream {{ store_dir: "{self.folder}/data{node}" }}',
                f"cluster {{ name: fleet, listen: 127.0.0.1:{routes[node]}, routes: [{known}] }}",
                f"mqtt {{ listen: 127.0.0.1:{self.ports[node]} }}",
                "",
            )
            (self.folder / f"node{node}.conf").write_text("\n".join(lines), "utf-8")

    def launch(self, node: int) -> None:
        path = _installed("nats-server", "nats-server")
        self.spawn(node, [path, "-c", str(self.folder / f"node{node}.conf")], {})


class RabbitMq(Cluster):
    """rabbitmq-server with its MQTT plugin. Retained messages stay on the node that took them."""

    name = "rabbitmq"
    takes_wildcards = False
    patience = 180.0

    @property
    def version(self) -> str:
        command = ["dpkg-query", "-W", "-f", "rabbitmq-server ${Version}", "rabbitmq-server"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return ran.stdout or "rabbitmq-server"

    def prepare(self) -> None:
        _installed("rabbitmq-server", "rabbitmq-server")
        self._epmd = str(free_port())
        self._environment = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": self._epmd,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text("a-cluster-on-loopback")
        cookie.chmod(0o400)
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        command = [_installed("epmd", "erlang-base"), "-address", "127.0.0.1"]
        epmd = subprocess.Popen([*command, "-port", self._epmd], env=os.environ | self._environment)
        self.stack.callback(epmd.wait)
        self.stack.callback(epmd.kill)
        names = [f"fleet{node}@localhost" for node in range(NODES)]
        for node in range(NODES):
            lines = (
                f"listeners.tcp.1 = 127.0.0.1:{free_port()}",
                f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.ports[node]}",
                "mqtt.allow_anonymous = true",
                "mqtt.durable_queue_type = quorum",
                "cluster_formation.peer_discovery_backend = classic_config",
                *(
                    f"cluster_formation.classic_config.nodes.{n + 1} = {names[n]}"
                    for n in range(NODES)
                ),
                "",
            )
            (self.folder / f"node{node}.conf").write_text("\n".join(lines), "utf-8")
        self._names = names
        self._distribution = [str(free_port()) for _ in range(NODES)]

    def launch(self, node: int) -> None:
        # Debian's own command runs it as another user, who owns none of this.
        ours = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        path = ours if Path(ours).exists() else _installed("rabbitmq-server", "rabbitmq-server")
        environment = {
            "RABBITMQ_NODENAME": self._names[node],
            "RABBITMQ_DIST_PORT": self._distribution[node],
            "RABBITMQ_MNESIA_BASE": str(self.folder / f"data{node}"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.folder / f"node{node}.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
        }
        self.spawn(node, [path], self._environment | environment)


class HaProxy:
    """haproxy in front of a cluster, as on the page about fleets. A context manager."""

    def __init__(self, folder: Path, nodes: list[int]) -> None:
        self.port = free_port()
        self._path = folder / "haproxy.cfg"
        page = Path(__file__).parents[1] / "docs" / "pages" / "fleets.md"
        text = page.read_text("utf-8").partition("```haproxy\n")[2].partition("```")[0]
        for number, port in enumerate(nodes, 1):
            text = text.replace(f"node{number}.example:1883", f"127.0.0.1:{port}")
        self._path.write_text(text.replace("*:1883", f"127.0.0.1:{self.port}"), "utf-8")

    def __enter__(self) -> Self:
        command = [_installed("haproxy", "haproxy"), "-db", "-f", str(self._path)]
        log = self._path.with_suffix(".log")
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_for_port(self.port, self._process, log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


CLUSTERS: dict[str, type[Cluster]] = {kind.name: kind for kind in (Nats, RabbitMq)}
