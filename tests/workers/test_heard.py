"""When the last webhook came is told in Redis, seldom."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from tests.waiting import eventually
from workers import keys
from workers.heard import EVERY_SECONDS, Heard, last_heard


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_it_is_written_for_each_server_and_key(redis, clock):
    heard = Heard(redis, clock)
    heard.mark("0123456789", "one")
    heard.mark("0123456789", "two:three")
    heard.mark("abcdefabcd", "")
    told = last_heard(redis)
    assert set(told) == {("0123456789", "one"), ("0123456789", "two:three"), ("abcdefabcd", "")}
    assert abs(time.time() - told["0123456789", "one"]) < 5
    assert 0 < redis.ttl(keys.HEARD) <= keys.DAY_SECONDS


def test_it_is_not_written_at_every_webhook(redis, clock):
    heard = Heard(redis, clock)
    heard.mark("s", "k")
    redis.delete(keys.HEARD)
    clock.now += EVERY_SECONDS - 0.1
    heard.mark("s", "k")
    assert not last_heard(redis)
    clock.now += 0.2
    heard.mark("s", "k")
    assert last_heard(redis)


def test_a_loop_does_not_wait_for_it(redis, clock):
    Heard(redis, clock).mark_later("s", "k")
    eventually(lambda: last_heard(redis))


def test_without_redis_nothing_is_told(clock):
    Heard(Redis(unix_socket_path="/nowhere.sock"), clock).mark("s", "k")
