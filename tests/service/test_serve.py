from __future__ import annotations

import http.client
import json
import resource
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from service.serve import THREADS
from tests.service.served import alive, children, kill
from tests.service.signed import ADMIN_TOKEN, SECRET, URL, headers, joined
from tests.waiting import eventually, throughout
from workers.connection import embedded_socket

PROBE = """
import json
from service import serve
from service.cli import main

def probe(environ, start):
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: str(value) for name, value in environ.items()}).encode()]

serve.create_app = lambda settings: probe
main(["serve"])
"""


@pytest.fixture
def server(house):
    return house.start()


def test_a_webhook_is_accepted_over_the_wire(house, server):
    assert house.post(joined())[::2] == (200, {"status": "accepted"})
    assert house.post(joined())[::2] == (200, {"status": "duplicate"})


def test_a_chunked_body_over_the_limit_is_413_before_it_ends(house, server):
    def chunks():
        for _ in range(64):
            yield b"x" * 65536

    connection = socket.create_connection(("127.0.0.1", house.port), timeout=20)
    with connection:
        connection.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        try:
            for chunk in chunks():  # never the last one
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        except OSError:
            pass  # it is not read to the end
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]
    assert house.healthy()


def test_without_redis_it_is_503_and_with_it_accepted_again(house, server):
    house.post(joined("EV_1"))
    house.valkey.kill()
    house.valkey.wait()
    began = time.monotonic()
    status, given, problem = house.post(joined("EV_2"))
    assert time.monotonic() - began < 5
    assert (status, given["retry-after"]) == (503, "1")
    assert given["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:livekit-dispatcher:problem:store-unreachable"
    assert house.ask("GET", "/readyz")[0] == 503
    assert house.healthy()
    house.start_valkey()
    assert house.post(joined("EV_1"))[::2] == (200, {"status": "duplicate"})
    assert house.post(joined("EV_2"))[::2] == (200, {"status": "accepted"})


def test_no_secret_is_in_the_environ_of_requests(house):
    house.environ["MY_OTHER_SECRET"] = "hush-hush"
    house.start(sys.executable, "-c", PROBE)
    _, _, environ = house.ask("GET", "/")
    assert environ["PATH_INFO"] == "/"
    assert "PATH" not in environ
    assert not [name for name in environ if name.startswith(("LIVEKIT", "REDIS", "DISPATCHER"))]
    assert SECRET not in json.dumps(environ)
    assert ADMIN_TOKEN not in json.dumps(environ)
    assert "hush-hush" not in json.dumps(environ)


def test_a_killed_worker_process_is_started_again(house, server):
    [worker] = children(server.pid)
    kill(worker)
    eventually(lambda: children(server.pid) not in ([], [worker]) and house.healthy())
    assert house.post(joined())[0] == 200


def test_a_killed_main_process_takes_its_worker_along_and_frees_the_port(house, server):
    [worker] = children(server.pid)
    kill(server.pid)
    server.wait()
    eventually(lambda: not alive(worker), timeout=2)
    house.start()
    assert house.post(joined())[0] == 200


def dawdle(house, method=f"POST {URL}"):
    """Begin a request and do not go on."""
    connection = socket.create_connection(("127.0.0.1", house.port), timeout=30)
    head = f"{method} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    connection.sendall(head.encode() + b"{")
    return connection


def test_requests_that_dawdle_hold_up_nobody(house, server):
    slow = [dawdle(house) for _ in range(300)]
    try:
        with ThreadPoolExecutor(8) as pool:
            events = [joined(f"EV_{n}") for n in range(40)]
            assert {status for status, _, _ in pool.map(house.post, events)} == {200}
    finally:
        for connection in slow:
            connection.close()
    assert house.healthy()


def test_a_body_that_does_not_come_is_408(house, server):
    with dawdle(house) as connection:
        assert b" 408 " in connection.recv(4096).split(b"\r\n")[0]


def test_healthz_is_answered_while_redis_hangs_and_readyz_says_no(house, server):
    house.post(joined("EV_1"))
    house.valkey.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(THREADS) as pool:
        stuck = [pool.submit(house.post, joined(f"EV_{n}")) for n in range(2, THREADS + 2)]
        began = time.monotonic()
        assert house.ask("GET", "/healthz")[0] == 200
        assert time.monotonic() - began < 3
        assert {each.result()[0] for each in stuck} == {503}
    assert house.ask("GET", "/readyz")[0] == 503
    house.valkey.send_signal(signal.SIGCONT)
    assert house.post(joined("EV_99"))[0] == 200


def test_webhooks_that_wait_together_are_each_stored_once(house, server):
    house.post(joined("EV_0"))
    house.valkey.send_signal(signal.SIGSTOP)
    events = [joined(f"EV_{n}") for n in range(1, 41)] * 2
    with ThreadPoolExecutor(len(events)) as pool:
        waiting = [pool.submit(house.post, event) for event in events]
        throughout(lambda: not any(each.done() for each in waiting), seconds=0.5)
        house.valkey.send_signal(signal.SIGCONT)
        told = [each.result()[::2] for each in waiting]
    assert [status for status, _ in told] == [200] * len(events)
    assert sum(answer == {"status": "accepted"} for _, answer in told) == 40
    with Redis(unix_socket_path=str(embedded_socket(house.data))) as redis:
        [inbox] = redis.keys("lkd:inbox:*")
        assert redis.llen(inbox) == 41


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%20b/%C3%A9?x=%20&y", "/a b/é", "x=%20&y"),
        ("/a%2Fb", "/a/b", ""),
        ("/%ff", "/\ufffd", ""),
    ],
)
def test_the_application_sees_the_request_as_it_was_sent(house, target, path, query):
    house.start(sys.executable, "-c", PROBE)
    _, _, environ = house.ask("POST", target, b"body", {"X-One": "1", "Content-Type": "text/x"})
    assert environ["PATH_INFO"].encode("latin-1").decode() == path
    assert environ["QUERY_STRING"] == query
    assert (environ["REQUEST_METHOD"], environ["HTTP_X_ONE"]) == ("POST", "1")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x", "4")
    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"]) == ("127.0.0.1", "127.0.0.1")
    assert environ["SERVER_PORT"] == str(house.port)


def test_connections_that_never_say_a_word_hold_up_nobody(house, server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    silent = []
    try:
        silent += [socket.create_connection(("127.0.0.1", house.port)) for _ in range(1500)]
        assert house.post(joined())[0] == 200
    finally:
        for connection in silent:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_sigterm_ends_it_with_status_0_though_a_request_dawdles(house, server):
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        house.post(joined())
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0
    assert '"event": "web_stopped"' in house.log


def test_sigterm_ends_it_in_time_though_redis_hangs_and_webhooks_wait(house, server):
    house.post(joined("EV_0"))
    house.valkey.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(_answered, house, joined(f"EV_{n}")) for n in range(1, 21)]
        throughout(lambda: not any(each.done() for each in waiting), seconds=0.5)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        took = time.monotonic() - began
        house.valkey.send_signal(signal.SIGCONT)
        # Nobody is told that an event is stored before it is: LiveKit sends it again.
        assert {each.result() for each in waiting} <= {503, None}
    assert took < 12, "10 s, and what a busy machine adds"


def _answered(house, event):
    """The status; None: the connection was cut."""
    try:
        return house.post(event)[0]
    except (OSError, http.client.HTTPException):
        return None


def test_without_an_admin_token_it_does_not_start(house):
    del house.environ["DISPATCHER_ADMIN_TOKEN"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "service", "serve"],
        env=house.environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: DISPATCHER_ADMIN_TOKEN is not set: set it or DISPATCHER_ADMIN_TOKEN_FILE, the same"
        " on all machines; `openssl rand -hex 32` prints one\n"
    )


def test_a_port_in_use_is_one_line_and_status_1(house, server):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "service", "serve"],
        env=house.environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: port {house.port} of 127.0.0.1 is in use: stop what listens there,"
        " or set DISPATCHER_PORT to another\n"
    )


def test_what_is_refused_is_logged_without_secrets(house, server):
    raw = json.dumps(joined()).encode()
    house.ask("POST", URL, raw, headers(raw, secret="x" * 40))
    house.ask("POST", URL, raw, {**headers(raw), "Authorization": SECRET})
    house.ask("POST", URL, raw, {**headers(raw), "Authorization": ADMIN_TOKEN})
    eventually(lambda: house.log.count('"event": "webhook_refused"') == 3)
    assert SECRET not in house.log
    assert ADMIN_TOKEN not in house.log
    assert "hush-hush" not in house.log
