"""Webhooks that never came: a listing tells what they would have told, and it is decided once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rules.event import read_event
from tests.waiting import eventually
from tests.workers.conftest import create_by_hand, explicit
from tests.workers.test_ladder import agents, states
from workers import keys
from workers.intake import Intake
from workers.record import Record

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

GREET = """
version: 1
rules:
  - id: greet
    on: participant_joined
    once: participant
    dispatch: {agent: greeter}
"""
ACTIVE = ("greeter", "", "active")


@pytest.fixture(autouse=True)
def _quick(house: House) -> None:
    house.settings = replace(house.settings, reconcile_interval=timedelta(seconds=1))
    house.rules.write_text(GREET)


def record(house: House, room: str = "support-1") -> Record:
    key = keys.ROOM + keys.room_key(house.settings.servers[0].id, room)
    return Record.from_json(house.redis.hget(key, "record") or b"")


def test_a_room_nobody_told_of_gets_its_agents(house: House, sandbox: Sandbox) -> None:
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    sandbox.join("support-1", "ben")
    house.start_worker()
    eventually(lambda: states(house) == [ACTIVE, ACTIVE], timeout=8)
    assert len(agents(sandbox, "support-1")) == 2
    names = [event["event"] for event in house.events()]
    assert names == ["participant_joined"] * len(names)


def test_a_room_whose_webhook_is_late_is_decided_once(house: House, sandbox: Sandbox) -> None:
    sandbox.fault("webhooks_held")
    sandbox.join("support-1", "ana")
    house.start_worker()
    eventually(lambda: states(house) == [ACTIVE], timeout=8)
    before = len(house.events())
    sandbox.heal()
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == [ACTIVE, ACTIVE], timeout=8)
    told = [e["body"]["participant"]["identity"] for e in house.events()]
    assert told.count("ana") == 1
    assert len(sandbox.calls.of("CreateDispatch")) == 2
    assert before >= 1


def test_a_caller_of_whom_no_webhook_came_gets_an_agent_in_a_known_room(
    house: House, sandbox: Sandbox
) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == [ACTIVE, ACTIVE], timeout=8)


def test_one_who_left_unseen_is_gone_when_two_looks_agree(house: House, sandbox: Sandbox) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == [ACTIVE, ACTIVE])
    sandbox.fault("webhooks_lost")
    sandbox.leave("support-1", "ben")
    eventually(lambda: record(house).session.humans == ("ana",), timeout=8)
    sandbox.heal()
    sandbox.join("support-1", "ben")
    eventually(lambda: sorted(record(house).session.humans) == ["ana", "ben"])


def test_an_agent_that_failed_unseen_is_sent_again(house: House, sandbox: Sandbox) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.fault("webhooks_lost")
    sandbox.leave("support-1", *agents(sandbox, "support-1"), "SIGNAL_CLOSE")
    eventually(lambda: [s for _, _, s in states(house)] == ["ended", "active"], timeout=12)
    assert len(agents(sandbox, "support-1")) == 1


def test_a_room_that_ended_unseen_is_over(house: House, sandbox: Sandbox) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.fault("webhooks_lost")
    sandbox.delete_room("support-1")
    eventually(lambda: record(house).session.ended, timeout=8)
    assert states(house) == [("greeter", "", "ended")]
    assert house.redis.zcard(keys.ROOMS) == 0


def test_agents_that_came_without_us_are_not_doubled(house: House, sandbox: Sandbox) -> None:
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    create_by_hand(sandbox, "support-1")
    eventually(lambda: len(agents(sandbox, "support-1")) == 1)
    house.start_worker()
    eventually(lambda: "agent_present" in reasons(house), timeout=8)
    assert states(house) == []
    assert len(explicit(sandbox, "support-1")) == 1


def test_what_two_listings_do_not_agree_on_is_not_believed(house: House, sandbox: Sandbox) -> None:
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.fault("unavailable", "ListRooms", "ListParticipants")
    Intake(house.redis).look(house.settings.servers[0].id, "support-1")
    eventually(lambda: record(house).look_due is not None)
    assert record(house).session.humans == ("ana",)
    sandbox.heal()
    eventually(lambda: record(house).look_due is None, timeout=15)
    assert states(house) == [ACTIVE]
    assert record(house).session.humans == ("ana",)


CHANGED = """
version: 1
rules:
  - id: answered
    on: participant_changed
    when: {participant: {attributes: {sip.callStatus: active}}}
    dispatch: {agent: greeter}
"""


def test_a_change_that_no_webhook_tells_of_is_seen_at_once_when_a_look_is_asked_for(
    house: House, sandbox: Sandbox
) -> None:
    house.settings = replace(house.settings, reconcile_interval=timedelta(0))
    house.rules.write_text(CHANGED)
    house.start_worker()
    sandbox.join("call-1", "tel", kind="SIP", attributes={"sip.callStatus": "dialing"})
    eventually(lambda: record(house, "call-1").session is not None)
    sandbox.update_participant("call-1", "tel", attributes={"sip.callStatus": "active"})
    Intake(house.redis).look(house.settings.servers[0].id, "call-1")
    eventually(lambda: states(house) == [ACTIVE], timeout=3)


def test_a_record_keeps_what_a_look_found() -> None:
    body = {"event": "participant_joined", "id": "lkd.x", "room": {"sid": "RM"}, "created_at": 1}
    event = read_event({**body, "participant": {"sid": "PA", "identity": "ana"}})
    kept = Record(
        started=True,
        unheard=frozenset({"PA_1"}),
        told=(f"{event.name}:PA",),
        missing=frozenset({""}),
        strangers=frozenset({"PA_2"}),
        look_due=3.5,
        held=(("greet", "claim"),),
    )
    assert Record.from_json(kept.to_json()) == kept


def reasons(house: House) -> set[str]:
    """What the rule said of the events so far."""
    return {d["reason"] for event in house.events() for d in event["decisions"]}


@pytest.mark.parametrize(
    "unreadable",
    [
        '{"dispatches": [{"step": "step_of_tomorrow"}]}',
        "[]",
        '{"session": 5}',
        "{",
        '{"session": {"sid": "SID", "participants": [5]}}',
    ],
)
def test_a_record_that_cannot_be_read_keeps_no_other_room_from_being_compared(
    house: House, sandbox: Sandbox, unreadable: str
) -> None:
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    sandbox.join("support-2", "ben")
    key = keys.ROOM + keys.room_key(house.settings.servers[0].id, "support-1")
    sid = sandbox.rooms.open["support-1"].info.sid
    house.redis.hset(key, "record", unreadable.replace("SID", sid))
    house.start_worker()
    eventually(lambda: house.dispatches(room="support-2"))
    passed = keys.RECONCILED + house.settings.servers[0].id
    eventually(lambda: int(house.redis.hget(passed, "failed") or 0) == 1)
    assert house.redis.hget(passed, "rooms") == b"2"
