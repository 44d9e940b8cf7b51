"""A wake-up is over when what is due has been taken, not when it has been done."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from tests.waiting import eventually
from tests.workers.conftest import GREET
from tests.workers.desk import coming
from workers import keys, wake
from workers.connection import connect_async
from workers.entries import QUEUED_SECONDS, look_offer
from workers.inbox import DueQueue
from workers.intake import GatheringIntake, Intake
from workers.scripts import ScriptRunner

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_a_wake_up_does_not_wait_for_rooms_that_wait_for_livekit(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    loop = house.start_worker()
    hanging = sandbox.fault("hang", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: hanging.met)
    began = time.monotonic()
    loop.drain()
    assert time.monotonic() - began < 1


def test_an_event_needs_no_wake_up_only_a_quarter_of_a_second(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()  # and no RQ worker that would take the wake-ups
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=5)


def test_a_plain_rq_worker_is_told_what_it_lacks() -> None:
    with pytest.raises(RuntimeError, match="dispatcher worker"):
        wake.drain()


def test_the_next_wake_up_lies_ready_and_goes_into_rqs_queue_with_the_event(house: House) -> None:
    queue = Queue(keys.QUEUE, connection=house.redis)

    def ready() -> str:
        found = house.redis.get(keys.READY)
        return found.decode() if isinstance(found, bytes) else ""

    async def accepted() -> None:
        client = connect_async(house.settings)
        intake = GatheringIntake(ScriptRunner(client), house.redis)
        await intake.accept("devkey", coming("support-1"))
        second = await asyncio.to_thread(eventually, ready)
        [first] = queue.job_ids
        assert first != second

        house.redis.delete(keys.WAKE)  # as a claim does that finds nothing more due
        await intake.accept("devkey", coming("support-2"))
        assert queue.job_ids == [first, second]
        assert 0 < house.redis.ttl(keys.RQ_JOB + second) <= QUEUED_SECONDS
        assert await asyncio.to_thread(eventually, ready) != second
        await client.aclose()

    asyncio.run(accepted())
    assert Queue.all(connection=house.redis) == [queue]


def test_what_a_worker_asks_of_itself_uses_no_wake_up(house: House) -> None:
    async def asked() -> None:
        queue = DueQueue(ScriptRunner(connect_async(house.settings)), claimant="one")
        await queue.offer(look_offer("devkey", "support-1"))
        await queue.redis.aclose()

    wake.make_ready(house.redis)
    asyncio.run(asked())
    assert house.redis.exists(keys.READY)
    assert not house.redis.exists(keys.WAKE, keys.RQ_QUEUE)
    assert house.redis.zcard(keys.DUE) == 1


def test_a_wake_up_that_lay_ready_is_a_job_that_rq_carries_out_and_forgets(house: House) -> None:
    class Loop:
        drained = 0

        def stir(self) -> None: ...

        def drain(self) -> None:
            self.drained += 1

    loop = Loop()
    wake.make_ready(house.redis)
    Intake(house.redis).accept("devkey", coming("support-1"))
    queue = Queue(keys.QUEUE, connection=house.redis, serializer=JSONSerializer)
    [job_id] = queue.job_ids
    wake.serve(loop)
    try:
        SimpleWorker([queue], connection=house.redis, serializer=JSONSerializer).work(burst=True)
    finally:
        wake.serve(None)
    assert loop.drained == 1
    assert not house.redis.exists(f"rq:job:{job_id}")


def test_of_two_made_ready_one_is_kept_and_neither_stays_for_ever(house: House) -> None:
    wake.make_ready(house.redis)
    ready = house.redis.get(keys.READY)
    wake.make_ready(house.redis)
    assert house.redis.get(keys.READY) == ready
    [job] = house.redis.keys("rq:job:*")
    assert 0 < house.redis.ttl(keys.READY) < house.redis.ttl(job)


def test_an_event_whose_ready_wake_up_is_no_job_any_more_is_still_worked_on(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.redis.set(keys.READY, "not-a-job-any-more")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=5)
