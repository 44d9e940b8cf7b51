"""What events mean for a room's record, before any rule is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rules.decision import Claim, Once, Plan
from rules.event import Event, read_event
from rules.session import Session
from workers import lifecycle
from workers.dispatch import Dispatch, State, Step
from workers.planned import planned
from workers.record import Record

NOW = 1_000_000.0


def event(name: str, sid: str = "RM_1", *, created: int = 900, **parts: object) -> Event:
    room = {"sid": sid, "name": "support-1", "creationTime": str(created)}
    body = {"event": name, "id": f"EV_{name}", "createdAt": "1000", "room": room}
    return read_event({**body, **parts}, project="key")


def joined(identity: str, sid: str, kind: str = "STANDARD", room: str = "RM_1") -> Event:
    participant = {"sid": sid, "identity": identity, "kind": kind, "joinedAtMs": "999500"}
    return event("participant_joined", room, participant=participant)


def left(identity: str, sid: str, kind: str = "STANDARD") -> Event:
    participant = {
        "sid": sid, "identity": identity, "kind": kind, "disconnectReason": "CLIENT_INITIATED"
    }  # fmt: skip
    return event("participant_left", participant=participant)


def after(*events: Event, record: Record | None = None) -> Record:
    record = record or Record()
    for one in events:
        record = lifecycle.apply(record, one, NOW).record
    return record


def dispatched(record: Record, **fields: object) -> Record:
    claim = Claim("greet", "0", Once.ROOM, "support-1")
    plan = Plan(claim=claim, rule="greet", agent="greeter")
    here = Session("RM_1")
    made = planned(plan, joined("ana", "PA_1"), here, event_at=NOW, rules_hash="h", now=NOW)
    return record.with_dispatches([replace(made, **fields)])


def only(record: Record) -> Dispatch:
    [dispatch] = record.dispatches.values()
    return dispatch


def test_a_record_reads_back_what_it_wrote() -> None:
    record = dispatched(
        after(joined("ana", "PA_1"), joined("bo", "PA_2")), state=State.PENDING, dispatch_id="AD_1"
    )
    record = after(joined("agent-1", "PA_3", "AGENT"), record=record)
    assert record.agents
    assert Record.from_json(record.to_json()) == record


def test_an_event_of_a_session_that_is_over_changes_nothing() -> None:
    record = after(joined("ana", "PA_1"), event("room_finished"), event("room_started", "RM_2"))
    seen = lifecycle.apply(record, joined("late", "PA_9"), NOW)
    assert seen.session.ended
    assert seen.record == record


def test_an_older_room_of_the_name_is_over_though_its_end_was_never_heard_of() -> None:
    record = after(event("room_started", "RM_2", created=950))
    seen = lifecycle.apply(record, event("participant_joined", "RM_1", created=900), NOW)
    assert seen.session.ended
    assert seen.record.session is not None
    assert seen.record.session.sid == "RM_2"


def test_a_new_sid_ends_the_session_before_it_and_its_dispatches() -> None:
    record = dispatched(after(joined("ana", "PA_1")), state=State.ACTIVE, step=Step.NOTHING)
    seen = lifecycle.apply(record, event("room_started", "RM_2", created=950), NOW)
    assert [(d.state, d.reason) for d in seen.changed] == [(State.ENDED, "room_ended")]
    assert seen.record.past == ("RM_1",)
    assert not seen.record.dispatches


def test_a_call_in_flight_when_its_session_ends_is_looked_for_in_the_next() -> None:
    record = dispatched(after(joined("ana", "PA_1")), called_at=NOW, called_by=1)
    wanted = only(record).id
    record = after(event("room_finished"), record=record)
    assert not record.must_sweep, "nothing to sweep while the name has no session"
    record = after(event("room_started", "RM_2", created=950), record=record)
    assert record.must_sweep
    assert record.sweep == (wanted,)


def test_a_participant_that_left_never_joins_again_however_late_its_events_come() -> None:
    record = after(left("ana", "PA_1"), joined("ana", "PA_1"))
    assert record.session is not None
    assert record.session.humans == ()


def test_a_room_that_finished_fails_what_was_not_accepted() -> None:
    record = dispatched(after(joined("ana", "PA_1")))
    seen = lifecycle.apply(record, event("room_finished"), NOW)
    assert [(d.state, d.reason) for d in seen.changed] == [(State.FAILED, "room_ended")]
    assert seen.record.due is None


def test_an_agent_that_leaves_ends_its_dispatch_and_frees_the_claim() -> None:
    record = dispatched(
        after(joined("ana", "PA_1")), state=State.ACTIVE, agent_sid="PA_A", step=Step.NOTHING
    )
    assert record.live_claims
    seen = lifecycle.apply(record, left("agent-1", "PA_A", "AGENT"), NOW)
    assert [(d.state, d.reason) for d in seen.changed] == [(State.ENDED, "client_initiated")]
    assert not seen.record.live_claims


def test_an_agent_is_remembered_only_while_one_of_ours_is_awaited() -> None:
    nobody = after(joined("ana", "PA_1"), joined("agent-1", "PA_A", "AGENT"))
    assert not nobody.agents
    record = dispatched(after(joined("ana", "PA_1")), state=State.PENDING, step=Step.NOTHING)
    record = after(
        joined("agent-1", "PA_A", "AGENT"), left("agent-1", "PA_A", "AGENT"), record=record
    )
    assert record.agents["PA_A"].left_because == "client_initiated"
    assert record.due is not None


def test_a_second_look_that_is_owed_outlives_the_dispatch_but_not_the_session() -> None:
    record = dispatched(
        after(joined("ana", "PA_1")), state=State.ACTIVE, agent_sid="PA_A", step=Step.LOOK_AGAIN
    )
    record = after(left("agent-1", "PA_A", "AGENT"), record=record)
    assert only(record).step is Step.LOOK_AGAIN
    assert only(record).state is State.ENDED
    record = after(event("room_finished"), record=record)
    assert not record.dispatches


def test_an_ingress_without_its_room_keeps_nothing() -> None:
    ingress = read_event(
        {"event": "ingress_started", "id": "EV_1", "ingressInfo": {"roomName": "studio"}},
        project="key",
    )
    seen = lifecycle.apply(Record(), ingress, NOW)
    assert seen.record == Record()
    assert seen.event.room_name == "studio"


def test_the_end_of_a_session_not_heard_of_before_leaves_its_mark() -> None:
    record = after(event("room_started", "RM_1", created=900))
    record = after(event("room_finished", "RM_2", created=950), record=record)
    seen = lifecycle.apply(record, joined("ana", "PA_1", room="RM_2"), NOW)
    assert seen.session.ended


def test_a_room_known_by_name_only_stays_so_when_it_is_stored() -> None:
    published = read_event(
        {"event": "track_published", "id": "EV_1", "room": {"sid": "RM_1", "name": "support-1"}},
        project="key",
    )
    record = Record.from_json(after(published).to_json())
    assert record.session is not None
    assert record.session.room is None


def test_an_agent_that_failed_to_come_before_the_room_closed_is_no_success() -> None:
    record = dispatched(after(joined("ana", "PA_1")), state=State.PENDING, step=Step.NOTHING)
    seen = lifecycle.apply(record, event("room_finished"), NOW)
    assert [(d.state, d.reason) for d in seen.changed] == [(State.FAILED, "room_ended")]


def present_agent() -> Record:
    record = after(joined("ana", "PA_1"), joined("agent-1", "PA_A", "AGENT"))
    return dispatched(
        record, state=State.ACTIVE, agent_sid="PA_A", agent_identity="agent-1", step=Step.NOTHING
    )


def replaced(sid: str) -> Event:
    participant = {
        "sid": sid, "identity": "agent-1", "kind": "AGENT", "disconnectReason": "DUPLICATE_IDENTITY"
    }  # fmt: skip
    return event("participant_left", participant=participant)


def test_an_agent_that_connects_anew_keeps_its_dispatch() -> None:
    gone = after(replaced("PA_A"), record=present_agent())
    assert (only(gone).state, only(gone).step) == (State.ACTIVE, Step.FIND_AGENT)
    back = only(after(joined("agent-1", "PA_B", "AGENT"), record=gone))
    assert (back.state, back.step, back.agent_sid) == (State.ACTIVE, Step.NOTHING, "PA_B")


def test_so_it_does_when_its_old_connection_is_heard_to_end_last() -> None:
    record = after(joined("agent-1", "PA_B", "AGENT"), replaced("PA_A"), record=present_agent())
    back = only(record)
    assert (back.state, back.step, back.agent_sid) == (State.ACTIVE, Step.NOTHING, "PA_B")


def test_a_connection_that_has_ended_brings_no_agent_back() -> None:
    record = after(
        replaced("PA_A"), left("agent-1", "PA_B", "AGENT"), joined("agent-1", "PA_B", "AGENT"),
        record=present_agent(),
    )  # fmt: skip
    assert (only(record).step, only(record).agent_sid) == (Step.FIND_AGENT, None)


def test_an_agent_of_a_known_identity_may_be_the_one_that_is_waited_for() -> None:
    active = present_agent()
    other = replace(
        only(active), id="D2", claim="other", state=State.PENDING, dispatch_id="AD_2",
        agent_sid=None, agent_identity=None,
    )  # fmt: skip
    record = after(joined("agent-1", "PA_B", "AGENT"), record=active.with_dispatches([other]))
    assert [agent.identity for agent in record.agents.values()] == ["agent-1"]
    assert record.dispatches[only(active).id].agent_sid == "PA_B"


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.PENDING, "dispatch_id": "AD_1", "step": Step.NOTHING},
        {"step": Step.SETTLE},
        {"called_at": NOW},
    ],
)
def test_whoever_may_be_on_the_way_is_remembered_when_a_session_ends(fields: Any) -> None:
    record = dispatched(after(joined("ana", "PA_1")), **fields)
    record = after(event("room_finished"), record=record)
    assert [straggler.agent for straggler in record.stragglers] == ["greeter"]


def test_who_was_never_called_is_not_on_the_way() -> None:
    record = after(event("room_finished"), record=dispatched(after(joined("ana", "PA_1"))))
    assert record.stragglers == ()


def test_somebody_told_by_identity_alone_may_come_again() -> None:
    ana = {"identity": "ana"}
    record = after(
        event("participant_joined", participant=ana), event("participant_left", participant=ana),
        event("participant_joined", participant=ana),
    )  # fmt: skip
    assert record.session is not None
    assert record.session.humans == ("ana",)


def test_who_was_on_the_way_is_known_however_late_a_look_tells_of_it() -> None:
    record = dispatched(after(joined("ana", "PA_1")), state=State.PENDING, dispatch_id="AD_1")
    record = after(
        event("room_finished"), event("room_started", "RM_2", created=1000), record=record
    )
    agent = {
        "sid": "PA_9", "identity": "agent-9", "kind": "AGENT", "joinedAtMs": "1000010000",
        "attributes": {"lk.agent_name": "greeter"},
    }  # fmt: skip
    body = event("participant_joined", "RM_2", created=1000, participant=agent)
    record = after(replace(body, at=NOW + 200), record=record)
    assert record.awaits_agents


def test_a_record_keeps_who_was_on_the_way_when_its_session_ended() -> None:
    record = dispatched(after(joined("ana", "PA_1")), state=State.PENDING, dispatch_id="AD_1")
    record = after(
        event("room_finished"), event("room_started", "RM_2", created=1000), record=record
    )
    late = event(
        "participant_joined", "RM_2", created=1000,
        participant={"sid": "PA_9", "identity": "agent-9", "kind": "AGENT",
                     "attributes": {"lk.agent_name": "greeter"}},
    )  # fmt: skip
    record = after(late, record=record)
    assert [s.agent for s in record.stragglers] == ["greeter"]
    assert record.awaits_agents
    assert Record.from_json(record.to_json()) == record
