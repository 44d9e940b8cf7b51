"""Heads of requests over the wire: how long they may be, and what is not read of them."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from service.heads import MOST_HEADER_BYTES, MOST_URL_BYTES
from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import URL, headers, joined, token
from tests.service.test_serve import PROBE
from tests.waiting import eventually

BODY = json.dumps(joined()).encode()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = Served(tmp_path_factory.mktemp("house"), RULES)
    house.start_valkey()
    house.start()
    yield house
    house.stop()


def told(house, head: bytes, body: bytes = b"") -> bytes:
    """All that is answered to a request written by hand."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n" + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_a_url_may_have_so_many_bytes(house):
    path = "/" + "a" * (MOST_URL_BYTES - 1)
    assert house.ask("GET", path)[0] == 404
    status, given, problem = house.ask("GET", path + "a")
    assert (status, given["content-type"]) == (414, "application/problem+json")
    assert problem["type"] == "urn:livekit-dispatcher:problem:url-too-long"
    assert problem["detail"] == "It has 8193 bytes; 8192 are allowed."


def test_a_query_counts_with_the_path(house):
    assert house.ask("GET", "/healthz?" + "a" * MOST_URL_BYTES)[0] == 414


def test_headers_may_have_so_many_bytes(house):
    given = {"X-Long": "a" * (MOST_HEADER_BYTES - 100)}
    assert house.ask("GET", "/healthz", None, given)[0] == 200
    status, told, problem = house.ask("GET", "/healthz", None, {"X-Long": "a" * MOST_HEADER_BYTES})
    assert (status, told["content-type"]) == (431, "application/problem+json")
    assert problem["type"] == "urn:livekit-dispatcher:problem:headers-too-large"
    eventually(lambda: '"type": "headers-too-large"' in house.log)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"X-%d: 1\r\n" % n for n in range(100)), b" 431 "),
        (b"X-Long: " + b"a" * 200_000 + b"\r\n", b" 431 "),
    ],
    ids=["101 headers", "200 kB"],
)
def test_granian_refuses_what_is_longer_still(house, head, status):
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert status in connection.recv(4096).split(b"\r\n")[0]
    assert house.healthy()


def test_http_2_is_not_spoken(house):
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = connection.recv(4096)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("length", [b"+5", b"-5", b"5, 5", b"5_0", b"9" * 30, b"x", b"0x5"])
def test_a_length_that_is_none_is_refused(house, length):
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n" % (URL.encode(), length)
    assert b" 400 " in told(house, head, b"hello").split(b"\r\n")[0]


@pytest.mark.parametrize("first", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_length_beside_chunks_does_not_hide_how_long_a_body_is(house, first):
    both = ["Content-Length: 5", "Transfer-Encoding: chunked"]
    both.sort(key=lambda each: each != first)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        connection.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"{both[0]}\r\n{both[1]}\r\n\r\n".encode()
        )
        sent = 0
        try:
            for _ in range(256):
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass  # it is not read to the end
    assert sent < 256
    assert house.healthy()


@pytest.mark.parametrize(
    "second", [token(BODY), "Bearer " + token(BODY), token(BODY, secret="x" * 40), "x"]
)
@pytest.mark.parametrize("is_first", [True, False])
def test_two_authorization_headers_are_none(house, second, is_first):
    pair = [token(BODY), second]
    if not is_first:
        pair.reverse()
    head = (
        f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n"
        f"Authorization: {pair[0]}\r\nAuthorization: {pair[1]}\r\n"
    )
    assert b" 401 " in told(house, head.encode(), BODY).split(b"\r\n")[0]


@pytest.mark.parametrize("value", [b"\xff\xfe", "€".encode(), b"Bearer \xc3\x28", b"\x80" * 1000])
@pytest.mark.parametrize("name", [b"Authorization", b"Cookie", b"Content-Type", b"X-Forwarded-For"])
@pytest.mark.parametrize(
    "request_line", [b"POST /webhooks/livekit", b"POST /webhooks/videosdk", b"GET /api/v1/rooms",
                     b"GET /", b"POST /sign-in"]
)  # fmt: skip
def test_bytes_that_are_no_text_are_refused_as_any_others(house, request_line, name, value):
    head = b"%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n%s: %s\r\n" % (
        request_line,
        name,
        value,
    )
    status = int(told(house, head, b"{}").split()[1])
    assert status in (303, 400, 401, 404, 415)


def test_a_header_with_an_underscore_is_not_taken_for_another(tmp_path):
    house = Served(tmp_path, RULES)
    try:
        house.start(sys.executable, "-c", PROBE)
        given = {"X_Forwarded_For": "203.0.113.9", "Content_Type": "text/x", "X-One": "1"}
        _, _, environ = house.ask("GET", "/", None, given)
    finally:
        house.stop()
    assert environ["HTTP_X_ONE"] == "1"
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert "CONTENT_TYPE" not in environ


def test_a_good_webhook_is_taken_in_spite_of_it_all(house):
    assert house.ask("POST", URL, BODY, headers(BODY))[0] == 200
