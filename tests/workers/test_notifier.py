"""Receivers that fail, hang, want to rest, go, or come back; none loses anything, none holds up."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.ports import free_port
from tests.receiving import SECRET, Receiving, receiving
from tests.waiting import eventually, throughout
from workers import keys, notice_post, notifier
from workers.notice_queue import untold
from workers.receivers import Receiver, Receivers, Topic, notice_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from tests.conftest import Figure
    from tests.workers.conftest import House


@pytest.fixture
def hooks() -> Iterator[Receiving]:
    with receiving() as server:
        yield server
        assert server.faults == []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds and minutes takes tenths."""
    monkeypatch.setattr(notifier, "WAITS", (0.2, 0.4))
    monkeypatch.setattr(notifier, "QUIET_SECONDS", 0.5)


def begin(house: House, *urls: str) -> None:
    """Start a worker that tells these."""
    told = Receivers(tuple(map(Receiver, urls)), (SECRET,), frozenset({Topic.FAILED}))
    house.settings = replace(house.settings, receivers=told)
    house.rules.write_text("version: 1\nrules: [{id: a, on: room_started, dispatch: {agent: a}}]")
    house.start_worker()


def put_down(redis: Redis, count: int = 1, at: float | None = None) -> list[str]:
    """Notices as a commit puts them down."""
    at = time.time() if at is None else at
    ids = [notice_id(f"D{number:05}", Topic.FAILED) for number in range(count)]
    with redis.pipeline() as pipe:
        for name in ids:
            pipe.hset(keys.NOTICE + name, "body", f'{{"type":"dispatch.failed","n":"{name}"}}')
            pipe.zadd(keys.NOTICES, {name: int(at * 1000)}, nx=True)
            pipe.zadd(keys.NEW_NOTICES, {name: int(at * 1000)}, nx=True)
        pipe.execute()
    return ids


def logged(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The log, once it has all of these."""
    read: list[str] = []

    def has_all() -> bool:
        read.append(capsys.readouterr().out)
        return all(word in "".join(read) for word in words)

    eventually(has_all)
    return "".join(read)


def all_told(redis: Redis) -> bool:
    """Whether nothing is left of notices.

    Raises:
        AssertionError: it tells what is.
    """
    found = {key.decode() for key in redis.keys("lkd:noti*")} - {keys.NOTIFIED, keys.NOTIFIER}
    assert {key for key in found if not key.startswith(keys.RESTS)} == set()
    return True


def test_a_receiver_that_fails_is_told_again_and_again_until_it_takes_it(
    house: House, hooks: Receiving
) -> None:
    answers = iter([500, 404, 400, 204])
    hooks.answer = lambda _: (next(answers), {})
    begin(house, hooks.url)
    [name] = put_down(house.redis)
    eventually(hooks.taken)
    assert [told.status for told in hooks.told] == [500, 404, 400, 204]
    assert hooks.times() == {name: 4}
    gaps = [b.at - a.at for a, b in zip(hooks.told, hooks.told[1:], strict=False)]
    assert gaps[0] >= 0.14
    assert min(gaps[1:]) >= 0.29
    eventually(lambda: all_told(house.redis))


def test_a_receiver_that_hangs_holds_up_no_other(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as slow:
        slow.go_on.clear()
        begin(house, slow.url, hooks.url)
        put_down(house.redis, 100)
        eventually(lambda: len(hooks.taken()) == 100, timeout=5)
        assert slow.most_inside == notifier.AT_ONCE
        assert untold(house.redis).notices == 100
        slow.go_on.set()
        eventually(lambda: all_told(house.redis))
        assert set(slow.times()) == set(hooks.times())
        assert set(hooks.times().values()) == {1}


def test_no_answer_in_time_is_a_failure(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(notice_post, "ANSWER_SECONDS", 0.3)
    hooks.go_on.clear()
    begin(house, hooks.url)
    put_down(house.redis)
    logged(capsys, "notice_not_taken", "no answer within")
    hooks.go_on.set()
    eventually(lambda: all_told(house.redis))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_receiver_that_wants_to_rest_is_left_alone(
    house: House, hooks: Receiving, form: str
) -> None:
    answered: list[float] = []

    def answer(_: str) -> tuple[int, dict[str, str]]:
        answered.append(time.time())
        if len(answered) > 1:
            return 200, {}
        # A date has whole seconds: 3 of them ahead are 2 to 3 s.
        wait = "2" if form == "seconds" else formatdate(time.time() + 3, usegmt=True)
        return 429, {"Retry-After": wait}

    hooks.answer = answer
    begin(house, hooks.url)
    put_down(house.redis)
    eventually(lambda: answered)
    put_down(house.redis, 3)  # nor is it told what is new
    throughout(lambda: len(answered) == 1, 1.2)
    eventually(lambda: all_told(house.redis))
    assert answered[1] - answered[0] >= 1.9
    assert len(hooks.taken()) == 3


def test_a_receiver_that_says_how_fast_it_can_be_told_is_told_so_fast(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "WAITS", (3600.0,))
    monkeypatch.setattr(notifier, "QUIET_SECONDS", 3600.0)
    taken: list[float] = []

    def answer(_: str) -> tuple[int, dict[str, str]]:
        if sum(time.monotonic() - at < 1 for at in taken) >= 5:
            return 429, {"Retry-After": "1"}
        taken.append(time.monotonic())
        return 200, {}

    hooks.answer = answer
    begin(house, hooks.url)
    ids = put_down(house.redis, 20)
    eventually(lambda: all_told(house.redis), timeout=20)
    assert {told.id for told in hooks.taken()} == set(ids)
    assert max(hooks.times().values()) > 1  # it was told too fast at first


def test_a_worker_that_starts_tells_at_once_what_would_wait_for_an_hour(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "WAITS", (3600.0,))
    hooks.answer = lambda _: (401, {})
    begin(house, hooks.url)
    ids = put_down(house.redis, 3)
    eventually(lambda: len(hooks.told) == 3)
    house.stop()
    house.loops.clear()
    house.redis.delete(keys.NOTIFIER)
    hooks.answer = lambda _: (200, {})
    house.start_worker()
    eventually(lambda: all_told(house.redis))
    assert hooks.times() == dict.fromkeys(ids, 2)


def test_what_is_gone_is_dropped_and_the_log_says_so(
    house: House, hooks: Receiving, capsys
) -> None:
    ids = put_down(house.redis, 2)
    hooks.answer = lambda name: (410 if name == ids[0] else 200, {})
    begin(house, hooks.url)
    eventually(lambda: all_told(house.redis))
    assert hooks.times() == dict.fromkeys(ids, 1)
    logged(capsys, "notice_dropped", ids[0])


def test_a_redirect_is_not_followed(house: House, hooks: Receiving, capsys) -> None:
    with receiving() as elsewhere:
        hooks.answer = lambda _: (307, {"Location": elsewhere.url})
        begin(house, hooks.url)
        put_down(house.redis)
        eventually(lambda: len(hooks.told) > 1)
        assert (elsewhere.told, elsewhere.faults) == ([], [])
    logged(capsys, "it answers 307: nothing is sent on")


def test_one_that_is_down_is_told_all_when_it_is_back(house: House, capsys) -> None:
    port = free_port()  # none of the kernel's own: another test might get it meanwhile
    begin(house, f"http://127.0.0.1:{port}/hooks")
    ids = put_down(house.redis, 40)
    logged(capsys, "notice_not_taken", "cannot connect: Connect")
    with receiving(port) as back:
        eventually(lambda: all_told(house.redis))
        assert back.times() == dict.fromkeys(ids, 1)
    logged(capsys, "receiver_answers_again")


def test_when_one_answers_again_what_would_wait_for_an_hour_is_told_now(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "WAITS", (3600.0,))
    hooks.answer = lambda _: (500, {})
    begin(house, hooks.url)
    old = put_down(house.redis, 2)
    eventually(lambda: len(hooks.told) == 2)
    hooks.answer = lambda _: (200, {})
    throughout(lambda: len(hooks.told) == 2, 0.5)
    house.redis.hset(keys.NOTICE + "new", "body", "{}")
    house.redis.zadd(keys.NOTICES, {"new": int(time.time() * 1000)})
    house.redis.zadd(keys.NEW_NOTICES, {"new": int(time.time() * 1000)})
    eventually(lambda: all_told(house.redis))
    assert hooks.times() == {"new": 1} | dict.fromkeys(old, 2)


def test_an_address_that_is_corrected_gets_what_the_wrong_one_did_not_take(
    house: House, hooks: Receiving
) -> None:
    with receiving() as other:
        hooks.answer = lambda _: (404, {})
        begin(house, hooks.url, other.url)
        ids = put_down(house.redis, 5)
        eventually(lambda: len(other.taken()) == 5 and len(hooks.told) >= 5)
        house.stop()
        house.loops.clear()
        house.redis.delete(keys.NOTIFIER)
        hooks.answer = lambda _: (200, {})
        right = hooks.url + "/right"
        begin(house, right, other.url)
        eventually(lambda: all_told(house.redis))
        assert {told.id for told in hooks.taken()} == set(ids)
        assert other.times() == dict.fromkeys(ids, 1)


def test_what_was_for_a_receiver_that_is_configured_no_more_is_dropped(
    house: House, hooks: Receiving, capsys
) -> None:
    gone = "http://127.0.0.1:9/"
    begin(house, gone, hooks.url)
    put_down(house.redis, 5)
    eventually(lambda: len(hooks.taken()) == 5)
    assert untold(house.redis).notices == 5
    house.stop()
    house.loops.clear()
    house.redis.delete(keys.NOTIFIER)
    begin(house, hooks.url)
    eventually(lambda: all_told(house.redis))
    logged(capsys, "notices_given_up", "not in DISPATCHER_NOTIFY_URL any more")
    assert len(hooks.told) == 5


def test_after_a_day_it_is_given_up_with_a_word(house: House, hooks: Receiving, capsys) -> None:
    hooks.answer = lambda _: (500, {})
    put_down(house.redis, 3, at=time.time() - 86400 - 5)
    begin(house, hooks.url)
    eventually(lambda: all_told(house.redis))
    logged(capsys, "notices_given_up", "count=3")


def test_there_are_never_too_many_and_the_oldest_go(
    house: House, hooks: Receiving, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(keys, "MOST_NOTICES", 100)
    hooks.go_on.clear()
    begin(house, hooks.url)
    house.stop()
    house.loops.clear()
    house.redis.delete(keys.NOTIFIER)
    for number in range(130):
        name = f"n{number:03}"
        house.redis.hset(keys.NOTICE + name, "body", "{}")
        house.redis.zadd(keys.NOTICES, {name: time.time() * 1000 + number})
        house.redis.zadd(keys.NEW_NOTICES, {name: number})
    begin(house, hooks.url)
    eventually(lambda: untold(house.redis).notices == 100)
    assert len(house.redis.keys(keys.NOTICE + "*")) == 100
    assert not house.redis.exists(keys.NOTICE + "n029")
    assert house.redis.exists(keys.NOTICE + "n030")
    logged(capsys, "notices_given_up", "count=30")


def test_secrets_and_paths_are_in_no_log(house: House, hooks: Receiving, capsys) -> None:
    hooks.answer = lambda _: (500, {})
    begin(house, hooks.url, "http://127.0.0.1:9/s3cr3t-path", "http://user:s3cr3t@127.0.0.1:9/")
    put_down(house.redis, 2)
    eventually(lambda: len(hooks.told) > 4)
    log = logged(capsys, "notice_not_taken", f"http://127.0.0.1:{hooks.port}")
    assert "s3cr3t" not in log
    assert SECRET not in log
    assert "s3cr3t" not in repr(house.settings)
    assert SECRET not in repr(house.settings)
    assert not [key for key in house.redis.keys("*") if b"s3cr3t" in key]


def test_a_thousand_at_once_are_told_once_each(
    house: House, hooks: Receiving, figure: Figure
) -> None:
    begin(house, hooks.url)
    began = time.monotonic()
    ids = put_down(house.redis, 1000)
    eventually(lambda: len(hooks.taken()) >= 1000, timeout=30)
    took = time.monotonic() - began
    figure(f"1,000 notices told in {took:.1f} s, {hooks.most_inside} at a time")
    assert hooks.times() == dict.fromkeys(ids, 1)
    assert hooks.most_inside <= notifier.AT_ONCE
    eventually(lambda: all_told(house.redis))


def test_two_workers_tell_it_once(house: House, hooks: Receiving) -> None:
    begin(house, hooks.url)
    house.start_worker()
    ids = put_down(house.redis, 200)
    eventually(lambda: all_told(house.redis))
    assert hooks.times() == dict.fromkeys(ids, 1)
