"""A webhook receiver: keeps every request it gets and answers as it is told."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Received:
    """One POST, whatever was answered to it."""

    at: float
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        return self.event["event"]

    @property
    def room(self) -> str:
        return self.event.get("room", {}).get("name", "")

    @property
    def identity(self) -> str:
        return self.event.get("participant", {}).get("identity", "")


@dataclass
class Failing:
    """What a room's next requests are answered, and what they were."""

    answers: deque[int]
    headers: dict[str, str]
    attempts: list[Received] = field(default_factory=list)


@dataclass
class Receiver:
    """Listens on a free port of loopback for as long as the `with` block lasts."""

    received: list[Received] = field(default_factory=list)
    rooms: dict[str, Failing] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = _server_of(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/webhooks"

    @contextmanager
    def failing(self, room: str, *statuses: int, **headers: str) -> Iterator[list[Received]]:
        """Answer a room's next requests with these statuses, then 200; the requests.

        `Retry_After="2"` is a header of the failures.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        failing = self.rooms[room] = Failing(deque(statuses), named)
        try:
            yield failing.attempts
        finally:
            del self.rooms[room]

    def of(self, room: str, *names: str) -> list[Received]:
        """What was accepted of a room, in the order it came, of these events or of all."""
        return [
            one
            for one in list(self.received)
            if one.status == 200 and one.room == room and (not names or one.name in names)
        ]

    def told(self, room: str) -> list[str]:
        """A room's events in words: `participant_joined ana`, `room_finished`."""
        return [f"{one.name} {one.identity}".strip() for one in self.of(room)]


def _server_of(receiver: Receiver) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            named = {name.lower(): value for name, value in self.headers.items()}
            failing = receiver.rooms.get(Received(0, named, body, 0).room)
            status = failing.answers.popleft() if failing and failing.answers else 200
            one = Received(time.time(), named, body, status)
            receiver.received.append(one)
            if failing is not None:
                failing.attempts.append(one)
            headers = failing.headers if failing is not None and status != 200 else {}
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return _Server(("127.0.0.1", 0), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that goes away is no fault of the receiver."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
