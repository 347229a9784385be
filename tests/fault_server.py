"""An HTTP server of plain sockets that fails in every way a real one can, and keeps count.

It shares no code with the host. `behave` says for each post, by its number from 0, what is done.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tcp_ports import free_port

PATIENCE = 30.0
"""Seconds until a test gives up waiting; a slow machine is not a failure."""

TAKEN = frozenset({"ok", "late", "lost", "cut"})
"""Of what can be done with a post: the server has it, whatever its sender learns about that."""


@dataclass(frozen=True)
class Post:
    """A post that arrived whole."""

    nonce: int
    tags: tuple[str, ...]
    action: str
    at: float = field(default_factory=time.monotonic)


class FaultServer:
    """Listens on a free port of this machine, each connection in a thread. A context manager.

    What can be done: ok; a status, as "503"; "429" with Retry-After 1; late (200 after a second);
    lost (taken, and closed without an answer); cut (taken, and closed within the answer); reset;
    reset_early (before it is read); hold (read, and closed after two seconds); hang (read, and no
    answer); hang_early (not even read); drip (an answer of a byte a second); garbage.
    """

    def __init__(self, behave: Callable[[int], str] = lambda number: "ok") -> None:
        self.behave = behave
        self.posts: list[Post] = []
        self.connections = 0
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._port = free_port()
        self._listener: socket.socket | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/record"

    @property
    def taken(self) -> dict[int, tuple[str, ...]]:
        """Nonce → tags of every post that the server has."""
        return {post.nonce: post.tags for post in list(self.posts) if post.action in TAKEN}

    def failed(self) -> list[Post]:
        """Posts with data that the server does not have."""
        return [post for post in list(self.posts) if post.tags and post.action not in TAKEN]

    def listen(self) -> None:
        """Again, after `refuse`: on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Nobody listens any more."""
        if self._listener:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            self._listener.close()
            self._listener = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.refuse()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until `condition` holds; looked at after each post."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while not condition():
                left = deadline - time.monotonic()
                assert self._news.wait(max(left, 0)) or condition(), f"posts: {self.posts}"

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with self._news:
            number, self.connections = self.connections, self.connections + 1
            self._news.notify_all()
        action = self.behave(number)
        with connection, suppress(OSError):
            if action == "reset_early":
                reset(connection)
                return
            if action == "hang_early":
                self._tell(None)
                self._stopped.wait()
                return
            body = read_body(connection)
            if body is None:
                return
            data = json.loads(body)["data"]
            self._tell(Post(data["nonce"], tuple(data["tags"]), action))
            self._act(connection, action)

    def _tell(self, post: Post | None) -> None:
        with self._news:
            if post:
                self.posts.append(post)
            self._news.notify_all()

    def _act(self, connection: socket.socket, action: str) -> None:
        if action == "ok":
            connection.sendall(answer("200"))
        elif action.isdigit():
            connection.sendall(answer(action))
        elif action == "late":
            self._stopped.wait(1.0)
            connection.sendall(answer("200"))
        elif action == "cut":
            connection.sendall(answer("200")[:7])
        elif action == "reset":
            reset(connection)
        elif action == "hold":
            self._stopped.wait(2.0)
        elif action == "hang":
            self._stopped.wait()
        elif action == "drip":
            for byte in answer("200"):
                connection.sendall(bytes([byte]))
                if self._stopped.wait(1.0):
                    return
        elif action == "garbage":
            connection.sendall(bytes(range(256)) * 4)
        else:
            assert action == "lost", action


def answer(status: str) -> bytes:
    again = "Retry-After: 1\r\n" if status == "429" else ""
    return f"HTTP/1.1 {status} X\r\n{again}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_body(connection: socket.socket) -> bytes | None:
    """The body of one request; None: it did not arrive whole."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    assert length, head
    while len(body) < int(length[1]):
        part = connection.recv(65536)
        if not part:
            return None
        body += part
    return body
