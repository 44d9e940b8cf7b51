"""The key of VideoSDK's signatures is asked for once, and again when one does not fit."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from flask import Flask
from structlog.testing import capture_logs

from service.deliveries import Deliveries
from service.signing_key import AGAIN_SECONDS, FETCH_SECONDS, MISSING_SECONDS, THREAD, SigningKey
from service.taking import Taking
from service.videosdk_webhooks import videosdk_webhooks
from service.web import create_app
from tests.ports import free_port
from tests.service.videosdk import ACCOUNT, OTHER_KEY, PINNED, URL, came, headers, key_server, pem
from tests.waiting import eventually
from workers.connection import connect
from workers.heard import Heard
from workers.intake import Intake
from workers.settings import load_settings


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server():
    with key_server() as server:
        yield server
    eventually(lambda: THREAD not in [thread.name for thread in threading.enumerate()])


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def post(environ, server, clock):
    return posting({**environ, **ACCOUNT, "VIDEOSDK_URL": server.url}, clock)


def posting(environ, clock):
    """Posts to the route alone, by that clock."""
    settings = load_settings(environ)
    app = Flask("videosdk")
    taking = Taking(Intake(connect(settings)), None, Deliveries(), Heard(connect(settings)))
    app.register_blueprint(videosdk_webhooks(settings.videosdk, taking, clock))

    def post(body=None, given=None):
        body = came() if body is None else body
        return app.test_client().post(URL, data=body, headers=given or headers(body))

    return post


def refused(answer):
    return answer.status_code, answer.json["type"].rpartition(":")[2]


def test_it_is_asked_for_once(post, server):
    assert server.asked == 0
    for number in range(5):
        assert post(came(f"p-{number}")).json == {"status": "accepted"}
    assert server.asked == 1


def test_it_may_be_written_without_json_around_it(post, server):
    server.content = pem(OTHER_KEY).encode()
    assert post(given=headers(came(), OTHER_KEY)).json == {"status": "accepted"}


def test_nobody_is_asked_for_what_is_pinned_or_is_no_signature(environ, server, clock):
    pinned = posting({**environ, **PINNED, "VIDEOSDK_URL": server.url}, clock)
    assert pinned().json == {"status": "accepted"}
    assert refused(pinned(given=headers(came(), OTHER_KEY))) == (401, "signature-invalid")
    asking = posting({**environ, **ACCOUNT, "VIDEOSDK_URL": server.url}, clock)
    assert refused(asking(given={"Content-Type": "application/json"}))[0] == 401
    assert refused(asking(given=headers(came()) | {"videosdk-signature": "%"}))[0] == 401
    assert server.asked == 0


def test_a_key_that_has_changed_is_asked_for_again_and_the_old_one_holds_no_more(
    post, server, clock
):
    post()
    server.tell(OTHER_KEY)
    clock.now += AGAIN_SECONDS
    assert post(came("p-1"), headers(came("p-1"), OTHER_KEY)).json == {"status": "accepted"}
    assert server.asked == 2
    assert refused(post(came("p-2"))) == (401, "signature-invalid")


def test_strangers_have_it_asked_for_once_a_minute(post, server, clock):
    post()
    for second in range(180):
        clock.now = second
        assert refused(post(given=headers(came(), OTHER_KEY))) == (401, "signature-invalid")
    assert server.asked == 3
    assert post(came("p-2")).json == {"status": "accepted"}


def test_a_key_at_hand_stays_while_nobody_tells_another(post, server, clock):
    post()
    server.status = 500
    clock.now += AGAIN_SECONDS
    assert refused(post(given=headers(came(), OTHER_KEY))) == (401, "signature-invalid")
    assert post(came("p-2")).json == {"status": "accepted"}
    assert server.asked == 2


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (500, b"", "it answers with 500"),
        (302, b"", "it answers with 302"),
        (200, b"<html>", "Expecting value"),
        (200, b"[]", "it does not tell the publicKey"),
        (200, b'{"publicKey": 7}', "it does not tell the publicKey"),
        (200, b'{"publicKey": "x"}', "it must be a public key in PEM"),
        (200, b"\xff", "'utf-8' codec"),
        (200, b"[" * 60_000, "recursion"),
        (200, b" " * 70_000, "more than 65536 bytes"),
    ],
    ids=range(9),
)
def test_without_a_key_webhooks_are_to_be_sent_again(post, server, clock, status, content, words):
    server.status, server.content = status, content
    with capture_logs() as logs:
        answer = post()
    assert refused(answer) == (503, "signing-key-missing")
    assert answer.headers["Retry-After"] == "1"
    [line] = [line for line in logs if line["event"] == "webhook_key_not_fetched"]
    assert words in line["error"]
    server.status, server.content = 200, json.dumps({"publicKey": pem(OTHER_KEY)}).encode()
    assert refused(post(given=headers(came(), OTHER_KEY)))[0] == 503, "it is too early"
    clock.now += MISSING_SECONDS
    assert post(given=headers(came(), OTHER_KEY)).json == {"status": "accepted"}
    assert server.asked == 2


def test_nobody_there_is_the_same(environ, clock):
    post = posting({**environ, **ACCOUNT, "VIDEOSDK_URL": f"http://127.0.0.1:{free_port()}"}, clock)
    assert refused(post()) == (503, "signing-key-missing")


def test_one_that_does_not_answer_is_waited_for_once_and_asked_by_one(post, server, clock):
    server.going.clear()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(), range(8)))
    assert {refused(answer) for answer in answers} == {(503, "signing-key-missing")}
    assert time.monotonic() - began < 3 * FETCH_SECONDS, "one after the other it would be eight"
    assert server.asked == 1


def test_those_that_come_meanwhile_wait_for_the_same_answer(post, server):
    server.going.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(post, came(f"p-{number}")) for number in range(8)]
        eventually(lambda: server.asked)
        server.going.set()
        assert [each.result().json for each in waiting] == [{"status": "accepted"}] * 8
    assert server.asked == 1


def test_a_key_that_came_while_another_was_tried_is_tried_at_once(server, clock):
    account = load_settings({**ACCOUNT, "VIDEOSDK_URL": server.url}).videosdk
    key = SigningKey(account, clock)
    key.newer(None).result(timeout=10)
    assert key.now is not None
    assert key.newer(None).done()
    assert key.newer(key.now) is None
    assert server.asked == 1


def test_what_is_to_be_sent_again_does_not_count_as_refused(environ, server, redis):
    settings = load_settings({**environ, **ACCOUNT, "VIDEOSDK_URL": server.url})
    client = create_app(settings).test_client()
    server.status = 500
    assert client.post(URL, data=came(), headers=headers(came())).status_code == 503
    assert client.get("/readyz").json["checks"]["webhooks"]["refused"] == 0
