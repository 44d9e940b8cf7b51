"""Which dispatch an agent belongs to, though listings fail, connections change and rooms end."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rules.event import read_event
from tests.waiting import eventually
from tests.workers.conftest import GREET
from tests.workers.test_late_calls import offer
from workers import keys
from workers.agents import LOOKS
from workers.record import Record

if TYPE_CHECKING:
    from rules.event import Event
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def of_agent(sandbox: Sandbox, name: str, identity: str, **participant: str) -> Event:
    opened = sandbox.rooms.open["support-1"]
    body = {
        "event": name,
        "id": f"EV_{name}",
        "createdAt": int(time.time()),
        "room": {"sid": opened.info.sid, "name": "support-1",
                 "creationTime": str(opened.info.creation_time)},
        "participant": {"identity": identity, "kind": "AGENT", **participant},
    }  # fmt: skip
    return read_event(body, project="devkey")


def test_listings_that_fail_for_long_lose_no_agent(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("unavailable", "ListDispatch")
    sandbox.join("support-1", "ana")
    eventually(lambda: len(sandbox.calls.of("ListDispatch")) > len(LOOKS), timeout=40)
    assert house.dispatches(state="pending")
    sandbox.heal()
    eventually(lambda: house.dispatches(state="active"))


def test_an_agent_whose_new_connection_is_not_heard_of_is_looked_for(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    identity = dispatch["agent_identity"]
    sid = sandbox.rooms.open["support-1"].participants[identity].sid
    reason = {"sid": sid, "disconnectReason": "DUPLICATE_IDENTITY"}
    offer(house, of_agent(sandbox, "participant_left", identity, **reason))
    eventually(lambda: sandbox.calls.of("ListParticipants"), timeout=15)
    sandbox.join("support-1", "bo")
    eventually(lambda: not house.redis.keys("lkd:inbox:*"))
    assert [(d["state"], d["reason"]) for d in house.dispatches()] == [("active", None)]


def test_an_agent_that_did_not_connect_anew_has_left(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    sandbox.leave("support-1", dispatch["agent_identity"], "DUPLICATE_IDENTITY")
    [ended] = eventually(lambda: house.dispatches(state="ended"), timeout=15)
    assert ended["reason"] == "duplicate_identity"


def test_an_agent_that_comes_after_its_room_has_ended_is_sent_away(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.agents.workers[0].join_delay = 1.0
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="pending"))
    eventually(lambda: sandbox.agents.workers[0].jobs)
    sandbox.delete_room("support-1")
    eventually(lambda: "support-1" in sandbox.rooms.open, timeout=5)
    eventually(lambda: sandbox.rooms.open["support-1"].participants, timeout=5)
    eventually(lambda: not sandbox.rooms.open["support-1"].participants, timeout=20)


def test_whoever_calls_again_meets_the_agent_of_this_call_alone(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    worker = sandbox.agents.workers[0]
    worker.join_delay = 1.0
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(worker.jobs) == 1)
    sandbox.delete_room("support-1")
    sandbox.join("support-1", "ana")
    eventually(lambda: len(worker.jobs) == 2)
    stale, current = (f"agent-{job.id}" for job in worker.jobs)
    opened = sandbox.rooms.open["support-1"]
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    eventually(lambda: set(opened.participants) == {"ana", current}, timeout=20)
    assert stale not in opened.participants


def test_a_look_for_an_agent_that_fails_is_made_again_however_old_the_call(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    key = keys.ROOM + keys.room_key(house.settings.servers[0].id, "support-1")

    def idle() -> bool:
        return house.redis.zscore(keys.DUE, key.removeprefix(keys.ROOM)) is None

    eventually(idle)
    record = Record.from_json(house.redis.hget(key, "record") or b"")
    [active] = record.dispatches.values()
    old = replace(active, accepted_at=time.time() - 900).reconnecting("migration", time.time() - 60)
    house.redis.hset(key, "record", record.with_dispatches([old]).to_json())
    sandbox.fault("unavailable", "ListParticipants", times=1)
    house.redis.zadd(keys.DUE, {key.removeprefix(keys.ROOM): 1})
    eventually(lambda: len(sandbox.calls.of("ListParticipants")) == 2, timeout=15)
    eventually(idle)
    [found] = Record.from_json(house.redis.hget(key, "record") or b"").dispatches.values()
    sid = sandbox.rooms.open["support-1"].participants[dispatch["agent_identity"]].sid
    assert (found.state, found.agent_sid) == ("active", sid)


def test_a_call_that_was_answered_badly_leaves_nobody_in_the_room_after_it(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    worker = sandbox.agents.workers[0]
    worker.join_delay = 2.0
    sandbox.fault("unavailable_after_work", "CreateDispatch", times=1)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(worker.jobs) == 1)
    sandbox.delete_room("support-1")
    eventually(lambda: "support-1" in sandbox.rooms.open, timeout=8)
    eventually(lambda: sandbox.rooms.open["support-1"].participants, timeout=8)
    eventually(lambda: not sandbox.rooms.open["support-1"].participants, timeout=25)
