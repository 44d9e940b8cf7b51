"""VideoSDK's route in a real `dispatcher serve`, where webhooks are taken on the loop."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import joined
from tests.service.videosdk import ACCOUNT, OTHER_KEY, URL, came, headers, key_server
from tests.waiting import eventually
from workers.connection import embedded_socket


@pytest.fixture
def server():
    with key_server() as server:
        yield server


@pytest.fixture
def house(tmp_path, server):
    house = Served(tmp_path, RULES)
    house.environ |= {**ACCOUNT, "VIDEOSDK_URL": server.url}
    house.start_valkey()
    house.start()
    yield house
    house.stop()


def post(house, body, key=None):
    given = headers(body) if key is None else headers(body, key)
    status, told, answer = house.ask("POST", URL, body, given)
    said = answer["type"].rpartition(":")[2] if "type" in answer else answer["status"]
    return status, said, told


def test_webhooks_that_wait_for_the_key_are_each_stored_once(house, server):
    server.going.clear()
    bodies = [came(f"p-{number}") for number in range(20)] * 2
    with ThreadPoolExecutor(len(bodies)) as pool:
        waiting = [pool.submit(post, house, body) for body in bodies]
        eventually(lambda: server.asked)
        server.going.set()
        told = [each.result()[1] for each in waiting]
    assert sorted(told) == ["accepted"] * 20 + ["duplicate"] * 20
    assert server.asked == 1
    with Redis(unix_socket_path=str(embedded_socket(house.data))) as redis:
        [inbox] = redis.keys("lkd:inbox:*")
        assert redis.llen(inbox) == 20


def test_a_key_that_does_not_come_holds_up_no_webhook_of_livekit(house, server):
    server.going.clear()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(post, house, came(f"p-{number}")) for number in range(20)]
        eventually(lambda: server.asked)
        for number in range(3):
            assert house.post(joined(f"EV_{number}"))[0] == 200
        assert not any(each.done() for each in waiting), "they were to wait meanwhile"
        for each in waiting:
            status, said, told = each.result()
            assert (status, said, told["retry-after"]) == (503, "signing-key-missing", "1")
    assert house.log.count('"event": "webhook_key_not_fetched"') == 1


def test_what_is_refused_or_of_no_use_after_the_wait_is_told(house, server):
    assert post(house, came(), OTHER_KEY)[:2] == (401, "signature-invalid")
    assert '"event": "webhook_refused"' in house.log
    assert post(house, came(kind="recording-started"))[:2] == (200, "ignored")
    assert ACCOUNT["VIDEOSDK_SECRET"] not in house.log


def test_without_redis_it_is_503_and_with_it_accepted_again(house, server):
    house.valkey.send_signal(signal.SIGKILL)
    house.valkey.wait()
    for _ in range(2):  # with the key to be asked for, and with the key at hand
        status, said, told = post(house, came())
        assert (status, said, told["retry-after"]) == (503, "store-unreachable", "1")
    house.start_valkey()
    assert post(house, came())[:2] == (200, "accepted")
