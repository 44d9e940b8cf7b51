"""A receiver of notifications: verifies what comes, keeps it, and answers as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdefghijklmnopqrstuv").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"vutsrqponmlkjihgfedcba9876543210").decode()


@dataclass(frozen=True)
class Told:
    """One request, verified."""

    at: float
    id: str
    body: dict[str, Any]
    status: int

    @property
    def data(self) -> dict[str, Any]:
        return self.body["data"]


@dataclass
class Receiving:
    """What has come, and how the next is answered."""

    secret: str = SECRET
    answer: Callable[[str], tuple[int, dict[str, str]]] = field(default=lambda _: (200, {}))
    """From the id of a notification to a status and headers."""
    told: list[Told] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What was wrong with requests."""
    go_on: threading.Event = field(default_factory=threading.Event)
    """Until it is set, nothing is answered; set from the start."""
    url: str = ""
    port: int = 0
    inside: int = 0
    most_inside: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.go_on.set()

    def taken(self, topic: str = "") -> list[Told]:
        """What was answered with 2xx."""
        return [t for t in self.told if t.status < 300 and topic in ("", t.body["type"])]

    def times(self) -> Counter[str]:
        """How often each id has come."""
        return Counter(each.id for each in self.told)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        about = self.server.receiving
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        given = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify_by_hand(about.secret, raw, given)
            body = Webhook(about.secret).verify(raw, given)
        except Exception as error:  # noqa: BLE001 - told to the test
            about.faults.append(repr(error))
            self._answer(401, {})
            return
        with about.lock:
            about.inside += 1
            about.most_inside = max(about.inside, about.most_inside)
        about.go_on.wait()
        status, headers = about.answer(given["webhook-id"])
        with about.lock:
            about.inside -= 1
            about.told.append(Told(time.monotonic(), given["webhook-id"], body, status))
        self._answer(status, headers)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
        except OSError:
            pass  # whoever asked has gone

    def do_GET(self) -> None:
        self.server.receiving.faults.append(f"GET {self.path}")
        self._answer(200, {})

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiving: Receiving

    def handle_error(self, *_: object) -> None:
        pass  # a worker was killed in the middle of a request


def verify_by_hand(secret: str, raw: bytes, headers: dict[str, str]) -> None:
    """As the specification says it, without the library that signs."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split(" ")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"
    json.loads(raw)


@contextmanager
def receiving(port: int = 0, **about: Any) -> Iterator[Receiving]:
    """A receiver that listens; at a port that is given, or any."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.receiving = Receiving(**about)
    server.receiving.port = server.server_port
    server.receiving.url = f"http://127.0.0.1:{server.server_port}/hooks/s3cr3t-path"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiving
    finally:
        server.receiving.go_on.set()
        server.shutdown()
        server.server_close()
