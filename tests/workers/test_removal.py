"""What must not stay in LiveKit goes, and its agent too, however late it comes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from tests.removing import keep_nothing, see_gone
from tests.waiting import eventually
from tests.workers.conftest import GREET, create_by_hand, explicit
from workers import keys
from workers.errors import Unclear
from workers.providers.base import CALL_SECONDS, Job, Listed
from workers.providers.livekit import LiveKit
from workers.record import Record
from workers.removal import COMING_SECONDS, Unwanted, heard, look, unwanted
from workers.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workers.conftest import House

QUICK = {"accept_delay": 0.02, "join_delay": 0.02}


@pytest.fixture
def livekit() -> Iterator[Sandbox]:
    with running(Sandbox(missing_room_delay=0.2, job_listing_delay=0.0)) as sandbox:
        yield sandbox


def see_to(livekit: Sandbox, dispatch_id: str) -> None:
    async def seen_to() -> None:
        provider = LiveKit(Server(livekit.url, livekit.key, livekit.secret), calls=4)
        try:
            async with asyncio.timeout(20):
                await see_gone(dispatch_id, "support-1", provider)
        finally:
            await provider.aclose()

    asyncio.run(seen_to())


def looked(livekit: Sandbox, these: tuple[Unwanted, ...], now: float) -> tuple[Unwanted, ...]:
    async def look_once() -> tuple[Unwanted, ...]:
        provider = LiveKit(Server(livekit.url, livekit.key, livekit.secret), calls=4)
        try:
            return await look(these, "support-1", provider, now, keep=keep_nothing)
        finally:
            await provider.aclose()

    return asyncio.run(look_once())


def present(livekit: Sandbox) -> set[str]:
    return set(livekit.rooms.open["support-1"].participants)


def test_a_dispatch_is_not_deleted_before_its_agent_is_known(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", accept_delay=0.3, join_delay=0.0))
    livekit.join("support-1", "ana")
    these = looked(
        livekit, unwanted({create_by_hand(livekit, "support-1"): "greeter"}, now=100.0), now=100.0
    )
    assert explicit(livekit, "support-1")
    assert [(u.identities, u.deleted_at, u.due) for u in these] == [((), None, 100.5)]
    eventually(lambda: len(present(livekit)) == 2)
    these = looked(livekit, these, now=100.5)
    assert not explicit(livekit, "support-1")
    assert these[0].identities
    eventually(lambda: present(livekit) == {"ana"})


def test_an_agent_that_comes_after_its_dispatch_is_deleted_is_removed(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", accept_delay=0.0, join_delay=1.0))
    livekit.join("support-1", "ana")
    made = create_by_hand(livekit, "support-1")
    eventually(lambda: explicit(livekit, "support-1")[0].state.jobs)
    these = looked(livekit, unwanted({made: "greeter"}, now=100.0), now=100.0)
    assert these[0].deleted_at == 100.0
    [agent] = eventually(lambda: present(livekit) - {"ana"})
    these = heard(these, agent, 101.0, here=True)
    these = looked(livekit, these, now=101.0)
    assert present(livekit) == {"ana"}
    assert heard(these, agent, 102.0, here=False) == ()


def test_a_dispatch_nobody_took_is_deleted_in_the_end(livekit: Sandbox) -> None:
    livekit.join("support-1", "ana")
    see_to(livekit, create_by_hand(livekit, "support-1"))
    assert not explicit(livekit, "support-1")


def test_an_agent_whose_worker_cannot_be_reached_is_removed(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", reachable=False, **QUICK))
    livekit.join("support-1", "ana")
    made = create_by_hand(livekit, "support-1")
    eventually(lambda: len(present(livekit)) == 2)
    these = looked(livekit, unwanted({made: "greeter"}, now=100.0), now=100.0)
    assert len(present(livekit)) == 2
    these = looked(livekit, these, now=these[0].due)
    assert present(livekit) == {"ana"}
    assert looked(livekit, these, now=100.0 + COMING_SECONDS + 1) == ()


def test_an_agent_of_the_same_identity_that_is_wanted_stays(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", identity="the-greeter", reachable=False, **QUICK))
    livekit.join("support-1", "ana")
    unwelcome, _ = create_by_hand(livekit, "support-1"), create_by_hand(livekit, "support-1")
    [worker] = livekit.agents.workers
    eventually(lambda: len(worker.jobs) == 2 and len(present(livekit)) == 2)
    these = looked(livekit, unwanted({unwelcome: "greeter"}, now=100.0), now=100.0)
    looked(livekit, these, now=104.0)
    assert present(livekit) == {"ana", "the-greeter"}


def test_a_room_that_is_gone_is_not_opened_anew(livekit: Sandbox) -> None:
    assert looked(livekit, unwanted({"AD_gone": "greeter"}, now=100.0), now=100.0) == ()
    assert "support-1" not in livekit.rooms.open


def test_what_livekit_does_not_answer_is_tried_again(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", **QUICK))
    livekit.join("support-1", "ana")
    made = create_by_hand(livekit, "support-1")
    eventually(lambda: len(present(livekit)) == 2)
    livekit.fault("unavailable", "DeleteDispatch", times=1)
    livekit.fault("unavailable", "ListRooms", times=1)
    these = unwanted({made: "greeter"}, now=100.0)
    for now in (100.0, 101.0):
        these = looked(livekit, these, now)
        assert these
        assert these[0].due > now
        assert explicit(livekit, "support-1")
    looked(livekit, these, now=these[0].due)
    assert not explicit(livekit, "support-1")


def test_a_server_that_never_answers_is_given_up() -> None:
    class Away:
        async def room_sid(self, _: str) -> str:
            raise Unclear("no answer")

    def at(seconds: float) -> tuple[Unwanted, ...]:
        these = unwanted({"AD_1": "greeter"}, 0.0)
        return asyncio.run(look(these, "support-1", Away(), seconds, keep=keep_nothing))

    assert at(299.0)[0].due <= 299.0 + 15.0
    assert at(301.0) == ()


def test_a_record_keeps_what_is_unwanted_and_is_due_for_it() -> None:
    record = (
        Record()
        .with_unwanted({"AD_1": "", "AD_2": ""}, 100.0)
        .with_unwanted({"AD_1": "greeter"}, 200.0)
    )
    assert [u.dispatch_id for u in record.unwanted] == ["AD_1", "AD_2"]
    assert record.due == 100.0
    assert Record.from_json(record.to_json()) == record
    assert not record.over


def test_many_that_hang_are_seen_to_side_by_side(livekit: Sandbox) -> None:
    livekit.add_worker(Worker("greeter", **QUICK))
    livekit.join("support-1", "ana")
    ids = [create_by_hand(livekit, "support-1") for _ in range(4)]
    eventually(lambda: all(d.state.jobs for d in explicit(livekit, "support-1")))
    livekit.fault("hang", "DeleteDispatch")
    began = time.monotonic()
    these = looked(livekit, unwanted(dict.fromkeys(ids, "greeter"), now=100.0), now=100.0)
    assert time.monotonic() - began < 2 * CALL_SECONDS
    assert len(these) == 4
    assert all(each.due > 100.0 and each.identities for each in these)


class Listing:
    """A room where a dispatch is listed whose job is not told yet."""

    def __init__(self, *jobs: Job) -> None:
        self.removed: list[str] = []
        self.wanted = Listed("AD_2", "greeter", "", "", {}, 101.0, jobs)

    async def room_sid(self, _: str) -> str:
        return "RM_2"

    async def dispatches(self, _: str) -> list[Listed]:
        return [self.wanted]

    async def remove(self, _: str, identity: str) -> None:
        self.removed.append(identity)


@pytest.mark.parametrize(
    ("identity", "now", "removed"),
    [("the-greeter", 102.0, []), ("the-greeter", 120.0, ["the-greeter"]),
     ("agent-AJ_1", 102.0, ["agent-AJ_1"])],
)  # fmt: skip
def test_an_identity_that_may_be_that_of_a_wanted_agent_waits(
    identity: str, now: float, removed: list[str]
) -> None:
    """An agent may choose its identity; LiveKit lists its job up to 5 s late."""
    these = (Unwanted("AD_1", 100.0, 102.0, (identity,), deleted_at=101.0),)
    listing = Listing()
    here = heard(these, identity, 102.0, here=True)
    asyncio.run(look(here, "support-1", listing, now, keep=keep_nothing))
    assert listing.removed == removed


def test_in_a_room_of_no_server_nothing_is_due_for_ever(house: House) -> None:
    house.rules.write_text(GREET)
    room = keys.room_key("0123456789", "support-1")
    house.redis.hset(
        keys.ROOM + room, "record", Record().with_unwanted({"AD_1": "greeter"}, 1.0).to_json()
    )
    house.redis.zadd(keys.DUE, {room: 1})
    house.start_worker()
    eventually(lambda: house.redis.zscore(keys.DUE, room) is None)
