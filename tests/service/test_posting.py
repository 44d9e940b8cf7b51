"""Posting goes on where the service has ended a connection that was idle."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.service.cli import dispatcher
from tests.service.signed import KEY, SECRET, joined

LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
}


class Service(ThreadingHTTPServer):
    """Ends each connection after its answer without saying so, as `serve` does with an idle one.

    Of the request with the number `silent` and those after it, none is answered.
    """

    def __init__(self, silent):
        super().__init__(("127.0.0.1", 0), _Route)
        self.silent = silent
        self.came = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/webhooks/livekit"


class _Route(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((raw, self.headers["Authorization"]))
        self.close_connection = True
        if len(self.server.came) < self.server.silent:
            self.send_response(200)
            self.send_header("Content-Length", "21")
            self.end_headers()
            self.wfile.write(b'{"status":"accepted"}')

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    made = []

    def start(silent=1_000):
        made.append(Service(silent))
        threading.Thread(target=made[-1].serve_forever, daemon=True).start()
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.fixture
def recorded(tmp_path):
    file = tmp_path / "friday.jsonl"
    file.write_text("".join(f"{json.dumps(joined(f'EV_{n}'))}\n" for n in range(5)))
    return file


@pytest.fixture
def replay(recorded):
    return lambda service: dispatcher("replay", recorded, "--to", service.url, environ=LIVEKIT)


def test_a_replay_goes_on_over_a_new_connection(service, replay):
    there = service()
    done = replay(there)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "5 events: 5 accepted\n"
    ids = [json.loads(raw)["id"] for raw, _ in there.came]
    assert list(dict.fromkeys(ids)) == [f"EV_{n}" for n in range(5)]


def test_who_gives_up_says_how_many_were_posted(service, replay):
    done = replay(service(silent=4))
    assert done.returncode == 1
    assert done.stderr.endswith(" (3 of 5 events were posted)\n")
    assert done.stderr.count("\n") == 1
