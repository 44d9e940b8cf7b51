"""Sends requests that lie ready, over kept-alive connections, and notes when each was answered.

One thread over epoll: about 20 microseconds of work for a request, so that the machine is left to
what is measured. A server that closes its connections, as gunicorn's sync workers do, is connected
to anew each time.
"""

from __future__ import annotations

import gc
import re
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.webhooks import Webhook

Address = tuple[str, int]
"""An IP address and a port."""

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(slots=True)
class Sent:
    """One request; times by `time.monotonic()`."""

    room: str
    due: float
    """When it was to be sent: waiting for a free connection counts."""
    answered: float = 0.0
    status: int = 0


@dataclass(slots=True)
class _Connection:
    to: Address
    socket: socket.socket | None = None
    sent: Sent | None = None
    read: bytes = b""


def send(
    to: Sequence[Address],
    webhooks: Sequence[Webhook],
    *,
    connections: int = 32,
    per_second: float = 0.0,
    timeout: float = 120.0,
) -> list[Sent]:
    """Send them all.

    Args:
        to: who shares them: each has as many of the connections, as near as can be.
        webhooks: in order.
        connections: how many are in flight at most.
        per_second: how many are due each second; 0: each as soon as a connection is free.
        timeout: seconds after which what has not been answered is left without a status.
    """
    gc.disable()
    try:
        return _Sending(to, webhooks, connections, per_second).run(timeout)
    finally:
        gc.enable()


class _Sending:
    def __init__(
        self,
        to: Sequence[Address],
        webhooks: Sequence[Webhook],
        connections: int,
        per_second: float,
    ) -> None:
        self._webhooks = webhooks
        self._every = 1 / per_second if per_second else 0.0
        self._selector = selectors.DefaultSelector()
        self._free = deque(_Connection(to[n % len(to)]) for n in range(connections))
        for connection in self._free:
            self._open(connection)

    def run(self, timeout: float) -> list[Sent]:
        began = time.monotonic()
        sent: list[Sent] = []
        answered, count = 0, len(self._webhooks)
        while answered < count:
            now = time.monotonic()
            if now - began > timeout:
                break
            while len(sent) < count and self._free and self._due(began, len(sent)) <= now:
                webhook = self._webhooks[len(sent)]
                due = self._due(began, len(sent)) if self._every else time.monotonic()
                sent.append(Sent(webhook.room, due))
                self._begin(self._free.popleft(), sent[-1], webhook.request)
            wait = 0.1
            if len(sent) < count and self._free:
                wait = max(0.0, self._due(began, len(sent)) - time.monotonic())
            for key, _ in self._selector.select(wait):
                answered += self._heard(key.data)
        for connection in list(self._selector.get_map().values()):
            connection.fileobj.close()  # type: ignore[union-attr]  # they are sockets
        self._selector.close()
        return sent

    def _due(self, began: float, number: int) -> float:
        return began + number * self._every

    def _open(self, connection: _Connection) -> None:
        connection.socket = socket.create_connection(connection.to, timeout=60)
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.setblocking(False)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _close(self, connection: _Connection) -> None:
        assert connection.socket is not None
        self._selector.unregister(connection.socket)
        connection.socket.close()
        connection.socket = None

    def _begin(self, connection: _Connection, sent: Sent, request: bytes) -> None:
        if connection.socket is None:
            self._open(connection)
        assert connection.socket is not None
        connection.sent, connection.read = sent, b""
        done = connection.socket.send(request)
        if done < len(request):  # a request is far shorter than a socket's buffer
            raise RuntimeError("the server does not read its requests")

    def _heard(self, connection: _Connection) -> int:
        """Read; 1 if that made an answer whole, else 0."""
        assert connection.socket is not None
        try:
            data = connection.socket.recv(65536)
        except ConnectionError:
            data = b""
        sent = connection.sent
        if sent is None:  # closed while idle
            self._close(connection)
            return 0
        connection.read += data
        head = connection.read.find(b"\r\n\r\n")
        length = _LENGTH.search(connection.read, 0, head) if head >= 0 else None
        whole = head + 4 + (int(length[1]) if length else 0)
        if data and (head < 0 or len(connection.read) < whole):
            return 0
        sent.answered = time.monotonic()
        sent.status = int(connection.read[9:12]) if head >= 0 else 0
        closes = not data or _CLOSES.search(connection.read, 0, head) is not None
        connection.sent = None
        if closes:
            self._close(connection)
        self._free.append(connection)
        return 1
