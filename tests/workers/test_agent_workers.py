"""Workers of livekit-agents are asked what they are, and what they say goes stale by itself."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.addresses import WorkerAddress, parse_addresses
from workers.agent_workers import AskedWorker, read_workers
from workers.clock import date_of
from workers.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

TOLD = {
    "worker_type": "JT_ROOM", "agent_name": "greeter", "sdk_version": "1.8.9",
    "worker_load": 0.25, "protocol_version": 1, "active_jobs": 2,
}  # fmt: skip


@contextmanager
def worker(answer: Any, status: int = 200, port: int = 0) -> Iterator[str]:
    """A worker's HTTP server that answers so; its URL."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status if self.path == "/worker" else 404)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), 16):
                self.wfile.write(content[start : start + 16])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def asking(house: House, text: str) -> None:
    """Start a worker of ours that asks these."""
    house.rules.write_text(GREET)
    found = parse_addresses(text)
    assert isinstance(found, tuple)
    house.settings = _with(house, found)
    house.start_worker()


def _with(house: House, addresses: tuple[WorkerAddress, ...]) -> Any:
    return replace(house.settings, agent_workers=addresses)


def told(house: House) -> AskedWorker:
    [found] = read_workers(house.redis)
    return found


def test_one_that_answers_tells_its_agent_and_load(house: House) -> None:
    with worker(TOLD) as url:
        asking(house, f"staging@{url}/")
        found = eventually(lambda: read_workers(house.redis) and told(house))
    assert (found.url, found.deployment, found.agent) == (url, "staging", "greeter")
    assert (found.is_up, found.load, found.jobs, found.sdk_version) == (True, 0.25, 2, "1.8.9")


def test_one_that_is_idle_leaves_out_what_is_nothing(house: House) -> None:
    with worker({"worker_type": "JT_ROOM", "agent_name": "greeter", "protocol_version": 1}) as url:
        asking(house, url)
        found = eventually(lambda: read_workers(house.redis) and told(house))
    assert (found.is_up, found.load, found.jobs) == (True, 0.0, 0)


def test_one_that_stops_is_down_and_its_agent_is_remembered_until_it_is_back(
    house: House,
) -> None:
    with worker(TOLD) as url:
        asking(house, url)
        up = eventually(lambda: read_workers(house.redis) and told(house))
    down = eventually(lambda: not told(house).is_up and told(house), timeout=15)
    assert (down.agent, down.load) == ("greeter", None)
    assert down.since > up.since
    with worker(TOLD, port=int(url.rpartition(":")[2])):
        eventually(lambda: told(house).is_up, timeout=15)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"<html>", 200, "it is no worker of livekit-agents: "),
        ({"agent_name": "a"}, 200, "it is no worker of livekit-agents: it does not tell its"),
        ({**TOLD, "worker_load": "much"}, 200, "it is no worker of livekit-agents: "),
        ([], 200, "it is no worker of livekit-agents: "),
        (1, 200, "it is no worker of livekit-agents: "),
        ({**TOLD, "active_jobs": float("inf")}, 200, "it is no worker of livekit-agents: its act"),
        (
            b'{"worker_type": 1, "worker_load": 1e999}',
            200,
            "it is no worker of livekit-agents: its",
        ),
        ({**TOLD, "agent_name": ["a"]}, 200, "it is no worker of livekit-agents: its agent_name"),
        (
            b'{"worker_type": 1, "agent_name": "\\ud800"}',
            200,
            "it is no worker of livekit-agents: ",
        ),
        ({**TOLD, "worker_load": 10**400}, 200, "it is no worker of livekit-agents: "),
        ({**TOLD, "active_jobs": 10**4000}, 200, "it is no worker of livekit-agents: "),
        (
            {**TOLD, "agent_name": "a" * 1001},
            200,
            "it is no worker of livekit-agents: its agent_na",
        ),
        (b"[" * 60_000, 200, "it is no worker of livekit-agents: "),
        (b" " * 70_000 + b"{}", 200, "it is no worker of livekit-agents: it answers with more"),
        (TOLD, 302, "it is no worker of livekit-agents: it answers with 302"),
        (b"{" * 100_000, 200, "it is no worker of livekit-agents: "),
    ],
)
def test_something_else_that_answers_is_not_taken_for_one(
    house: House, answer: Any, status: int, words: str
) -> None:
    with worker(answer, status) as url:
        asking(house, url)
        eventually(lambda: read_workers(house.redis))
        found = told(house)
    assert (found.is_up, found.agent) == (False, None)
    assert found.error.startswith(words)


def test_one_that_answers_oddly_does_not_keep_others_from_being_asked(house: House) -> None:
    with worker(b"[" * 60_000) as odd, worker(TOLD) as url:
        asking(house, f"{odd}, {url}")
        first = eventually(lambda: {w.url: w for w in read_workers(house.redis)})
        assert {w.url: w.is_up for w in first.values()} == {odd: False, url: True}

        def all_asked_again() -> bool:
            return all(w.asked_at > first[w.url].asked_at for w in read_workers(house.redis))

        eventually(all_asked_again, timeout=15)


def test_what_another_version_has_kept_is_read(house: House) -> None:
    kept = {"url": "http://a:1", "deployment": "", "asked_at": 1.0, "rack": 7}
    house.redis.hset(keys.AGENT_WORKERS, "http://a:1", json.dumps(kept))
    assert told(house) == AskedWorker("http://a:1", "", 1.0)


def test_the_most_sessions_of_the_day_are_kept(house: House, sandbox: Sandbox) -> None:
    asking(house, "")
    for room in ("support-1", "support-2"):
        sandbox.join(room, "ana")

    def peak() -> dict[bytes, bytes]:
        found = house.redis.hgetall(keys.PEAK + date_of(house.redis.time()[0]))
        return dict(found)

    eventually(lambda: peak() == {b"greeter\x1f": b"2"})
    sandbox.delete_room("support-1")
    eventually(lambda: house.dispatches(state="ended"))
    sandbox.join("support-3", "ana")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    assert peak() == {b"greeter\x1f": b"2"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://a:1", [("http://a:1", "")]),
        ("staging@http://a:1/, https://b", [("http://a:1", "staging"), ("https://b", "")]),
        ("\nhttp://a:1\n\n  old@http://[::1]:8081\n", [("http://a:1", ""),
         ("http://[::1]:8081", "old")]),
        ("http://a:1,http://a:1", [("http://a:1", "")]),
    ],
)  # fmt: skip
def test_addresses_are_read(text: str, found: list[tuple[str, str]]) -> None:
    addresses = load_settings({"DISPATCHER_AGENT_WORKERS": text}).agent_workers
    assert [(each.url, each.deployment) for each in addresses] == found


@pytest.mark.parametrize(
    "text",
    [
        "a:8081", "ftp://a", "http://", "http://u:p@a", "st_aging@http://a", "http://a?x=1",
        "http://a:1,staging@http://a:1", "http://a:99999",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^DISPATCHER_AGENT_WORKERS="):
        load_settings({"DISPATCHER_AGENT_WORKERS": text})
