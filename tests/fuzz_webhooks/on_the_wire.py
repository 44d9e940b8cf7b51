"""The same over a socket: what granian makes of a request is tried with it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz_webhooks.delivery import Delivery


class OnTheWire:
    """Posts deliveries to a port of this machine, over one connection while that lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: socket.socket | None = None

    def post(self, delivery: Delivery) -> tuple[int, bytes]:
        """The status and the content of the answer; 400 where it is a closed connection."""
        for _ in range(2):  # a kept connection may have been closed meanwhile
            fresh = self._connection is None
            try:
                return self._exchange(_written(delivery))
            except (OSError, EOFError):
                self.close()
                if fresh:
                    return 400, b"closed"
        return 400, b"closed"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        self._connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, content = received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        while len(content) < sum(lengths):
            content += self._more()
        if b"connection: close" in lines:
            self.close()
        return int(lines[0].split()[1]), content

    def _more(self) -> bytes:
        assert self._connection is not None
        part = self._connection.recv(65536)
        if not part:
            raise EOFError
        return part


def _written(delivery: Delivery) -> bytes:
    """A request as bytes."""
    lines = [f"POST {delivery.path} HTTP/1.1", "Host: x", f"Content-Length: {len(delivery.body)}"]
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + delivery.body
