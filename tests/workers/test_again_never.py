"""`again: never`: what is remembered of claims that LiveKit has accepted, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rules.event import read_event
from rules.session import Session
from tests.rules.given import one, rule
from tests.waiting import eventually
from workers import keys, lifecycle
from workers.dispatch import Dispatch, State
from workers.ledger import Ledger
from workers.planned import planned
from workers.record import Record

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def coming(sid: str = "RM_1", created: int = 100, event: str = "participant_joined"):
    body = {
        "event": event,
        "id": f"EV_{event}_{sid}",
        "created_at": created,
        "room": {"sid": sid, "name": "support-1", "creation_time": created},
    }
    if event == "participant_joined":
        body["participant"] = {"sid": f"PA_{sid}", "identity": "ana"}
    return read_event(body, project="devkey")


def sent(body: str = "again: never", sid: str = "RM_1") -> Dispatch:
    event = coming(sid)
    (plan,) = one(rule(body), event).plans
    return planned(plan, event, Session(sid), event_at=0.0, rules_hash="", now=100.0)


RECORD = Record(session=Session("RM_1"))
CLAIM = sent().claim


def test_a_claim_is_kept_from_its_acceptance_on_also_when_the_agent_has_gone() -> None:
    record = RECORD.with_dispatches([sent()])
    assert record.accepted == ()
    record = record.with_dispatches([sent().accepted("AD_1", 101.0)])
    assert record.accepted == (CLAIM,)
    active = record.dispatches[sent().id].joined("agent-1", "PA_agent", 101.5)
    over = active.ended(State.ENDED, "client_initiated", 102.0)
    record = record.with_dispatches([over])
    assert (record.dispatches, record.accepted) == ({}, (CLAIM,))


def test_it_survives_in_the_record_as_redis_keeps_it() -> None:
    record = RECORD.with_dispatches([sent(), replace(sent("again: never\nid: b"), id="D2")])
    record = Record.from_json(record.to_json())
    accepted = [d.accepted("AD", 101.0) for d in record.dispatches.values()]
    record = Record.from_json(record.with_dispatches(accepted).to_json())
    assert len(record.accepted) == 2
    assert record.accepted[0] == CLAIM


@pytest.mark.parametrize("state", [State.FAILED, State.RELEASED])
def test_one_that_was_never_accepted_does_not_count(state: State) -> None:
    record = RECORD.with_dispatches([sent()])
    assert record.with_dispatches([sent().ended(state, "", 101.0)]).accepted == ()


def test_one_that_was_accepted_and_never_came_counts() -> None:
    accepted = sent().accepted("AD_1", 101.0)
    record = RECORD.with_dispatches([accepted])
    assert record.with_dispatches([accepted.ended(State.FAILED, "", 102.0)]).accepted == (CLAIM,)


def test_rules_that_may_send_again_are_not_remembered() -> None:
    accepted = sent("again: when_gone").accepted("AD_1", 101.0)
    assert RECORD.with_dispatches([accepted]).accepted == ()


def test_each_claim_is_kept_once() -> None:
    record = RECORD
    for at in (101.0, 102.0, 103.0):
        record = record.with_dispatches([sent().accepted("AD_1", at)])
    assert record.accepted == (CLAIM,)


def test_the_next_session_begins_anew() -> None:
    record = RECORD.with_dispatches([sent().accepted("AD_1", 101.0)])
    ended = lifecycle.apply(record, coming(event="room_finished"), 200.0).record
    assert ended.accepted == (CLAIM,), "late events of this session are still refused"
    assert lifecycle.apply(ended, coming("RM_2", 300), 300.0).record.accepted == ()
    assert lifecycle.apply(record, coming("RM_2", 300), 300.0).record.accepted == ()


def test_what_an_earlier_session_had_accepted_late_does_not_count_in_this_one() -> None:
    """A call of the last session is settled when the name has another one."""
    late = sent().accepted("AD_1", 101.0)
    assert Record(session=Session("RM_2")).with_dispatches([late]).accepted == ()


NEVER = """
version: 1
rules:
  - id: once-only
    on: participant_joined
    again: never
    dispatch: {agent: greeter, restart_policy: never}
"""
MIXED = """
version: 1
rules:
  - {id: welcome, on: participant_joined, group: g, again: never,
     dispatch: {agent: greeter, restart_policy: never}}
  - id: afterwards
    on: participant_joined
    group: g
    dispatch: {agent: greeter, deployment: staging, restart_policy: never}
"""


def reasons(house: House, identity: str) -> dict[str, str]:
    for event in Ledger(house.redis).events().items:
        who = event["body"].get("participant", {}).get("identity")
        if event["event"] == "participant_joined" and who == identity:
            return {each["rule"]: each["reason"] for each in event["decisions"]}
    return {}


def gone(house: House, sandbox: Sandbox, rule_id: str) -> None:
    """The agent that a rule has sent leaves."""
    [live] = eventually(lambda: house.dispatches(state="active", rule=rule_id))
    sandbox.leave("support-1", live["agent_identity"])
    eventually(lambda: house.dispatches(state="active") == [])


def test_when_it_has_gone_no_other_follows_until_the_next_session(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(NEVER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    gone(house, sandbox, "once-only")
    sandbox.join("support-1", "bob")
    eventually(lambda: reasons(house, "bob") == {"once-only": "already_dispatched"})
    sandbox.delete_room("support-1")
    sandbox.join("support-1", "eva")
    [second] = eventually(lambda: house.dispatches(state="active"))
    assert second["room_sid"] == sandbox.rooms.open["support-1"].info.sid
    assert len(house.dispatches()) == 2


def test_a_worker_that_takes_over_knows_it_too(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(NEVER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    gone(house, sandbox, "once-only")
    house.stop()
    house.start_worker()
    sandbox.join("support-1", "bob")
    eventually(lambda: reasons(house, "bob") == {"once-only": "already_dispatched"})
    assert len(house.dispatches()) == 1


def test_one_that_livekit_refused_does_not_count(house: House, sandbox: Sandbox) -> None:
    big = "{agent: greeter, attributes: {a: \"{{ 'x' * (65500 if humans == ['ana'] else 1) }}\"}}"
    house.rules.write_text(NEVER.replace("{agent: greeter, restart_policy: never}", big))
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="failed"))
    sandbox.join("support-1", "bob")
    eventually(lambda: house.dispatches(state="active"))


def test_in_a_mixed_group_the_rule_that_may_sends_again(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(MIXED)
    house.start_worker()
    sandbox.join("support-1", "ana")
    gone(house, sandbox, "welcome")
    sandbox.join("support-1", "bob")
    gone(house, sandbox, "afterwards")
    assert reasons(house, "bob") == {"welcome": "already_dispatched", "afterwards": "matched"}
    sandbox.join("support-1", "eva")
    eventually(lambda: house.dispatches(state="active", rule="afterwards"))
    assert [d["rule"] for d in house.dispatches()] == ["welcome", "afterwards", "afterwards"]


def test_in_a_mixed_group_one_of_the_other_rule_is_enough(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(MIXED.replace("again: never,", "again: never, when: {humans: bob},"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    gone(house, sandbox, "afterwards")
    sandbox.join("support-1", "bob")
    told = {"welcome": "already_dispatched", "afterwards": "matched"}
    eventually(lambda: reasons(house, "bob") == told)
    key = keys.ROOM + keys.room_key(house.settings.servers[0].id, "support-1")
    [claim] = Record.from_json(house.redis.hget(key, "record")).accepted
    assert claim.startswith("group:g\x1f")
