"""DISPATCHER_ADMIN_PORT: webhooks on one port, and all else on the other."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.admin_port import CONNECTIONS
from service.dashboard.live import PATH as LIVE
from tests.ports import free_ports
from tests.service.conftest import RULES
from tests.service.served import Served, children, kill
from tests.service.signed import ADMIN_TOKEN, URL, headers, joined
from tests.service.test_serve import PROBE
from tests.waiting import eventually

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
def house(tmp_path):
    house = Served(tmp_path, RULES)
    house.start_valkey()
    [house.admin_port] = free_ports(1)
    house.environ["DISPATCHER_ADMIN_PORT"] = str(house.admin_port)
    yield house
    house.stop()


@pytest.fixture
def server(house):
    return house.start()


def ask_admin(house, method, path, body=None, given=None):
    public, house.port = house.port, house.admin_port
    try:
        return house.ask(method, path, body, given)
    finally:
        house.port = public


@pytest.mark.usefixtures("server")
def test_only_webhooks_are_answered_on_the_public_port(house):
    assert house.post(joined())[::2] == (200, {"status": "accepted"})
    assert house.ask("GET", "/healthz")[0] == 200
    api = ("/api/v1/dispatches", "/api/v1/openapi.json")
    for path in ("/", "/readyz", "/metrics", "/sign-in", *api, "/x"):
        status, told, problem = house.ask("GET", path, given=BEARER)
        assert (status, told["content-type"]) == (404, "application/problem+json"), path
        assert problem["detail"] == "There is nothing of this path on this port."


@pytest.mark.usefixtures("server")
def test_all_else_is_answered_on_the_admin_port(house):
    assert house.post(joined())[0] == 200
    raw = json.dumps(joined()).encode()
    assert ask_admin(house, "POST", URL, raw, headers(raw))[0] == 404
    assert ask_admin(house, "GET", "/healthz")[0] == 200
    status, _, told = ask_admin(house, "GET", "/readyz")
    assert status == 200
    assert told["checks"]["webhooks"]["accepted"] == 1, "counted by the same process"
    assert ask_admin(house, "GET", "/api/v1/dispatches")[0] == 401
    assert ask_admin(house, "GET", "/api/v1/dispatches", given=BEARER)[0] == 200
    asked = json.dumps({"room": {"name": "r"}, "participant": {"identity": "ana"}})
    given = {**BEARER, "Content-Type": "application/json"}
    assert ask_admin(house, "POST", "/api/v1/decide", asked, given)[0] == 200


@pytest.mark.usefixtures("server")
def test_a_body_over_the_limit_is_413_there_too(house):
    def chunks():
        for _ in range(40):
            yield b" " * 65536

    given = {**BEARER, "Content-Type": "application/json"}
    assert ask_admin(house, "POST", "/api/v1/decide", b" " * (2 << 20), given)[0] == 413
    assert ask_admin(house, "POST", "/api/v1/decide", chunks(), given)[0] == 413


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
    _, _, environ = ask_admin(house, "POST", target, b"body", {"X-One": "1", "Content-Type": "t/x"})
    assert environ["PATH_INFO"].encode("latin-1").decode() == path
    assert environ["QUERY_STRING"] == query
    assert (environ["REQUEST_METHOD"], environ["HTTP_X_ONE"]) == ("POST", "1")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("t/x", "4")
    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"]) == ("127.0.0.1", "127.0.0.1")
    assert environ["SERVER_PORT"] == str(house.admin_port)


def most_memory(pid):
    """The most a process has had resident, in bytes."""
    [line] = [x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1]) * 1024


def test_a_compressed_body_stays_as_small_as_it_is(house, server):
    [worker] = children(server.pid)
    bomb = gzip.compress(bytes(256 << 20))
    before = most_memory(worker)
    given = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert ask_admin(house, "POST", "/api/v1/decide", bomb, given)[0] == 401
    assert most_memory(worker) - before < 50 << 20


@pytest.mark.usefixtures("server")
def test_connections_more_than_there_may_be_leave_webhooks_alone(house):
    with contextlib.ExitStack() as open_ones:
        for _ in range(CONNECTIONS + 200):
            connection = socket.create_connection(("127.0.0.1", house.admin_port))
            open_ones.callback(connection.close)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost")  # and it does not go on
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):  # the last one is refused at once
            assert connection.recv(1) == b""
        assert house.post(joined())[0] == 200
        # The others are ended in time, and others let in.
        eventually(lambda: _answers(house), timeout=30, interval=0.5)


@pytest.mark.usefixtures("server")
def test_a_sender_that_waits_to_be_told_to_go_on_is_told(house):
    with socket.create_connection(("127.0.0.1", house.admin_port), timeout=20) as connection:
        connection.sendall(
            b"POST /api/v1/decide HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.usefixtures("server")
def test_a_webhook_to_a_wrong_path_is_told(house):
    raw = json.dumps(joined()).encode()
    assert house.ask("POST", "/webhook", raw, headers(raw))[0] == 404
    eventually(lambda: '"request_refused"' in house.log)


def signed_in(house):
    """The cookie of a session."""
    connection = http.client.HTTPConnection("127.0.0.1", house.admin_port, timeout=20)
    connection.request("GET", "/sign-in")
    page = connection.getresponse()
    first, text = page.headers["Set-Cookie"], page.read().decode()
    csrf = text.split('name="csrf" value="')[1].split('"')[0]
    connection.request(
        "POST",
        "/sign-in",
        f"token={ADMIN_TOKEN}&csrf={csrf}",
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": first.split(";")[0]},
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["Set-Cookie"].split(";")[0]


def test_a_stream_of_events_ends_with_the_process(house, server):
    connection = http.client.HTTPConnection("127.0.0.1", house.admin_port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", LIVE, headers={"Cookie": signed_in(house)})
        stream = connection.getresponse()
        assert stream.status == 200
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.readline()
        server.terminate()
        stream.read()  # until its end
        stream.close()
    assert server.wait(10) == 0


def test_a_killed_worker_process_listens_on_both_again(house, server):
    [worker] = children(server.pid)
    kill(worker)
    eventually(lambda: house.healthy() and children(server.pid) not in ([], [worker]), timeout=20)
    eventually(lambda: _answers(house), timeout=20)


def _answers(house):
    try:
        return ask_admin(house, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def test_an_admin_port_in_use_is_one_line_and_status_1(house):
    with socket.create_server(("127.0.0.1", house.admin_port)):
        done = subprocess.run(
            [sys.executable, "-m", "service", "serve"],
            env=house.environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "set DISPATCHER_ADMIN_PORT to another" in line


def told(house, head, body=b"", length=None):
    """All that is answered on the admin port to a request written by hand."""
    length = len(body) if length is None else length
    with socket.create_connection(("127.0.0.1", house.admin_port), timeout=20) as connection:
        with contextlib.suppress(OSError):  # it may be refused before it is whole
            connection.sendall(
                head + b"Host: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length + body
            )
        answer = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                answer += part
    return answer


@pytest.mark.usefixtures("server")
def test_bytes_that_are_no_text_are_refused_as_any_others(house):
    for name in (b"Authorization", b"Cookie", b"X-Forwarded-For"):
        for value in (b"\xff\xfe", "€".encode(), b"Bearer \xc3\x28", b"\x80" * 1000):
            text = b"lkd_session=" + value if name == b"Cookie" else value
            for line in (b"GET /api/v1/rooms", b"GET /", b"POST /sign-in", b"GET /live"):
                answer = told(house, b"%s HTTP/1.1\r\n%s: %s\r\n" % (line, name, text))
                assert int(answer.split()[1]) in (303, 400, 401), (line, name, answer[:200])


@pytest.mark.usefixtures("server")
def test_heads_are_bounded_there_too(house):
    assert ask_admin(house, "GET", "/" + "a" * 8000)[0] == 404
    assert b" 4" in told(house, b"GET /%s HTTP/1.1\r\n" % (b"a" * 9000))[:12]
    many = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(20))
    assert b" 431 " in told(house, b"GET /healthz HTTP/1.1\r\n" + many)[:20]


@pytest.mark.usefixtures("server")
def test_a_body_that_is_too_long_is_not_waited_for(house):
    answer = told(house, b"POST /api/v1/decide HTTP/1.1\r\n", b"x", length=2_000_000)
    assert b" 413 " in answer[:20]
    assert house.healthy()
