"""`GET /live` of a real `dispatcher serve`: webhooks do not suffer, streams end when they must."""

from __future__ import annotations

import http.client
import resource
import signal
import socket
import statistics
import time
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest

from service.dashboard import live
from service.sessions import COOKIE
from tests.service.conftest import RULES
from tests.service.pages import form_text
from tests.service.served import Served
from tests.service.signed import ADMIN_TOKEN, joined
from tests.waiting import eventually

STREAMS = 300
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def served(tmp_path):
    served = Served(tmp_path, RULES)
    try:
        served.start_valkey()
        served.start()
        yield served
    finally:
        served.stop()


@pytest.fixture
def cookie(served):
    """Of somebody who has signed in."""
    status, headers, page = ask(served, "GET", "/sign-in")
    assert status == 200
    given = {"csrf": form_text(page), "next": "/", "token": ADMIN_TOKEN}
    form = {**FORM, "Cookie": headers["set-cookie"].partition(";")[0]}
    status, headers, _ = ask(served, "POST", "/sign-in", urlencode(given), form)
    assert status == 303
    text = headers["set-cookie"]
    return COOKIE + text.split(COOKIE, 1)[1].partition(";")[0]


def ask(served, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        told = {}
        for name, value in answer.headers.items():
            told[name.lower()] = f"{told[name.lower()]}, {value}" if name.lower() in told else value
        return answer.status, told, answer.read().decode()
    finally:
        connection.close()


class Stream:
    """One page that listens."""

    def __init__(self, served, cookie):
        self._socket = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        head = f"GET {live.PATH} HTTP/1.1\r\nHost: dispatcher\r\nCookie: {cookie}\r\n\r\n"
        self._socket.sendall(head.encode())
        self.heard = ""

    def until(self, words):
        def heard():
            self.listen()
            return words in self.heard

        eventually(heard)

    def listen(self):
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(65536):
                self.heard += data.decode()
        except BlockingIOError:
            pass

    def close(self):
        self._socket.close()


@pytest.fixture
def listen(served, cookie):
    with ExitStack() as open_streams:

        def listen():
            stream = Stream(served, cookie)
            open_streams.callback(stream.close)
            return stream

        yield listen


def took(served, number):
    began = time.monotonic()
    assert served.post(joined(f"EV_{number}", room=f"support-{number}"))[0] == 200
    return time.monotonic() - began


def test_nobody_listens_without_a_session(served):
    assert ask(served, "GET", live.PATH)[0] == 401


def test_a_stream_tells_that_something_has_changed_and_nothing_else(served, listen, redis_of):
    stream = listen()
    stream.until("event: change")
    assert "content-type: text/event-stream" in stream.heard.lower()
    first = stream.heard.count("event: change")
    redis_of.zadd("lkd:events", {"somebody's room": 1.0})
    eventually(lambda: stream.listen() or stream.heard.count("event: change") > first)
    assert "somebody" not in stream.heard


@pytest.fixture
def redis_of(served):
    from redis import Redis  # noqa: PLC0415 - of this one's own server

    from workers.connection import embedded_socket  # noqa: PLC0415

    with Redis(unix_socket_path=str(embedded_socket(served.data))) as client:
        yield client


def test_hundreds_of_streams_leave_webhooks_answered_quickly(served, listen, figure):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    alone = statistics.median(took(served, number) for number in range(50))
    streams = [listen() for _ in range(STREAMS)]
    for stream in streams:
        stream.until("event: change")
    times = [took(served, 1000 + number) for number in range(100)]
    beside = statistics.median(times)
    figure(
        f"a webhook's answer: {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms (slowest"
        f" {max(times) * 1000:.0f} ms) beside {STREAMS} open streams"
    )
    assert beside < alone * 3 + 0.02
    assert max(times) < 1.0


def test_while_nobody_listens_redis_is_not_asked(served, listen, redis_of):
    def asked():
        return redis_of.info("commandstats").get("cmdstat_smembers", {}).get("calls", 0)

    stream = listen()
    stream.until("event: change")
    first = asked()
    eventually(lambda: asked() > first)
    stream.close()
    last = [asked(), time.monotonic()]

    def quiet():
        if (now := asked()) != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > 3 * live.LOOK_SECONDS

    eventually(quiet, timeout=20)


def test_a_stream_ends_when_its_session_is_signed_out(served, cookie, listen):
    stream = listen()
    stream.until("event: change")
    _, _, page = ask(served, "GET", "/calls", headers={"Cookie": cookie})
    form = {**FORM, "Cookie": cookie}
    out = urlencode({"csrf": form_text(page)})
    assert ask(served, "POST", "/sign-out", out, form)[0] == 303
    stream.until("event: end")


def test_the_process_ends_soon_though_streams_are_open(served, listen):
    streams = [listen() for _ in range(20)]
    for stream in streams:
        stream.until("event: change")
    process = served.started[-1]
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - began < 4
