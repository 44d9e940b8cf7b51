"""The scripts of notices, alone: every write may come twice, or late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers import keys, scripts

if TYPE_CHECKING:
    from redis import Redis

NOW = 1_000_000


def put_down(redis: Redis, *ids: str, at: int = NOW) -> None:
    for each in ids:
        redis.hset(keys.NOTICE + each, "body", f"body of {each}")
        redis.zadd(keys.NOTICES, {each: at})
        redis.zadd(keys.NEW_NOTICES, {each: at})


def share(redis: Redis, *to: str, old: int = 0, most: int = 100, given: int = 100) -> list[int]:
    named = [keys.NOTICES, keys.NEW_NOTICES, keys.NOTIFIED]
    args = [keys.NOTICE, keys.NOTICES_OF, old, most, given, 60, *to]
    return scripts.call(redis, scripts.SHARE_NOTICES, named, args)


def told(redis: Redis, to: str, notice: str, due: int | str = "") -> int:
    named = [keys.NOTICE + notice, keys.NOTICES_OF + to, keys.NOTICES]
    return scripts.call(redis, scripts.NOTICE_TOLD, named, [notice, to, due])


def of(redis: Redis, to: str) -> dict[str, float]:
    found = redis.zrange(keys.NOTICES_OF + to, 0, -1, withscores=True)
    return {name.decode(): score for name, score in found}


def kept(redis: Redis) -> set[str]:
    return {key.decode() for key in redis.keys("*")} - {keys.NOTIFIED}


def test_every_receiver_is_given_what_is_new_once(redis: Redis) -> None:
    put_down(redis, "a", "b")
    assert share(redis, "x", "y") == [2, 0, 0, 0]
    assert share(redis, "x", "y") == [0, 0, 0, 0]
    assert of(redis, "x") == of(redis, "y") == {"a": 0, "b": 0}
    assert redis.hgetall(keys.NOTICE + "a") == {b"body": b"body of a", b"x": b"0", b"y": b"0"}


def test_some_are_given_at_a_time(redis: Redis) -> None:
    put_down(redis, "a", "b", "c")
    assert share(redis, "x", given=2)[0] == 2
    assert share(redis, "x", given=2)[0] == 1


def test_it_goes_when_the_last_was_told(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x", "y")
    assert told(redis, "x", "a") == 1
    assert redis.zcard(keys.NOTICES) == 1
    assert told(redis, "x", "a") == 1
    assert told(redis, "y", "a") == 0
    assert kept(redis) == set()
    assert told(redis, "y", "a") == 0
    assert kept(redis) == set()


def test_what_was_told_already_is_not_owed_by_a_share_that_comes_late(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x")
    redis.zadd(keys.NEW_NOTICES, {"a": NOW})  # as another saw it a moment ago
    share(redis, "x")
    assert told(redis, "x", "a") == 0
    redis.zadd(keys.NEW_NOTICES, {"a": NOW})
    share(redis, "x")
    assert kept(redis) == set()


def test_one_that_was_not_taken_is_due_later_and_counted(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x", "y")
    assert told(redis, "x", "a", 5000) == 1
    assert told(redis, "x", "a", 6000) == 1
    assert (of(redis, "x"), of(redis, "y")) == ({"a": 6000}, {"a": 0})
    assert redis.hget(keys.NOTICE + "a", "x") == b"2"


def test_a_failure_that_is_told_late_brings_nothing_back(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x", "y")
    told(redis, "x", "a")
    assert told(redis, "x", "a", 5000) == 1
    assert of(redis, "x") == {}
    told(redis, "y", "a")
    assert told(redis, "y", "a", 5000) == 0
    assert kept(redis) == set()


@pytest.mark.parametrize("is_shared", [True, False])
def test_the_old_and_the_oldest_of_too_many_go_wherever_they_are(
    redis: Redis, is_shared: bool
) -> None:
    put_down(redis, "a", "b", at=NOW - 10)
    put_down(redis, "c", at=NOW)
    put_down(redis, "d", "e", at=NOW + 1)
    if is_shared:
        share(redis, "x", "y")
    given = 0 if is_shared else 2
    assert share(redis, "x", "y", old=NOW - 10, most=2) == [given, 2, 1, 0]
    assert set(of(redis, "x")) == set(of(redis, "y")) == {"d", "e"}
    assert redis.zrange(keys.NOTICES, 0, -1) == [b"d", b"e"]
    assert len(redis.keys(keys.NOTICE + "*")) == 2
    assert not redis.exists(keys.NEW_NOTICES)


def test_a_receiver_that_comes_in_the_place_of_another_is_owed_what_that_was(redis: Redis) -> None:
    put_down(redis, "a", "b")
    share(redis, "x", "y")
    told(redis, "x", "a")
    told(redis, "y", "a", 9000)
    told(redis, "y", "b")
    assert share(redis, "x", "z") == [0, 0, 0, 0]
    assert (of(redis, "x"), of(redis, "y"), of(redis, "z")) == ({"b": 0}, {}, {"a": 0})
    assert redis.smembers(keys.NOTIFIED) == {b"x", b"z"}
    told(redis, "x", "b")
    told(redis, "z", "a")
    assert kept(redis) == set()


def test_what_was_for_one_that_nobody_follows_goes(redis: Redis) -> None:
    put_down(redis, "a", "b")
    share(redis, "x", "y")
    told(redis, "x", "a")
    assert share(redis, "x") == [0, 0, 0, 1]
    assert (of(redis, "x"), of(redis, "y")) == ({"b": 0}, {})
    assert redis.zrange(keys.NOTICES, 0, -1) == [b"b"]


def test_a_receiver_that_is_added_is_told_of_what_is_new_from_then_on(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x")
    put_down(redis, "b")
    share(redis, "x", "y")
    assert (set(of(redis, "x")), set(of(redis, "y"))) == ({"a", "b"}, {"b"})


def test_nothing_of_it_lives_for_ever(redis: Redis) -> None:
    put_down(redis, "a")
    share(redis, "x")
    assert 0 < redis.ttl(keys.NOTICES_OF + "x") <= 60
    assert 0 < redis.ttl(keys.NOTIFIED) <= 60
