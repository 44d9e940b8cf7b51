"""What is ours stays known as ours: agents that come early, leave early, or are taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rules.event import whole_participant, whole_room
from rules.session import Session
from tests.workers.desk import coming, dispatch
from workers import lifecycle, looking
from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE
from workers.hold import Hold
from workers.planned import replacement
from workers.providers.base import Job, Listed, Snapshot
from workers.record import Record, SeenAgent, Straggler
from workers.removal import Unwanted

if TYPE_CHECKING:
    from workers.dispatch import Dispatch

ROOM = {"sid": "RM_support-1", "name": "support-1"}
AGENT = {
    "sid": "PA_agent",
    "identity": "agent-AJ_1",
    "kind": "AGENT",
    "attributes": {"lk.agent_name": "greeter"},
}
HOLD = Hold("s1:support-1", "1-w1-0", 1, b"", (), 0.0)


def pending() -> Dispatch:
    return dispatch("support-1", 5).accepted("AD_1", 10.0)


def record(*dispatches: Dispatch, **more: Any) -> Record:
    session = Session("RM_support-1", room=whole_room(ROOM))
    return replace(Record(session=session, **more).with_dispatches(dispatches))


def listing(*agents: dict[str, Any]) -> Snapshot:
    return Snapshot(whole_room(ROOM), tuple(whole_participant(agent) for agent in agents))


def listed(livekit_id: str, ours: Dispatch, sid: str = "RM_support-1") -> Listed:
    attributes = {ID_ATTRIBUTE: ours.id, SID_ATTRIBUTE: sid}
    return Listed(livekit_id, "greeter", "", "", attributes, 9.0, (Job("gone", "AW_1", "1", ""),))


def present(record: Record, seen: Snapshot, *there: Listed) -> list[str]:
    return looking._present(record, seen, there, set(), 20.0)


def test_an_agent_that_a_look_for_its_join_has_met_is_known_to_leave() -> None:
    active = pending().joined("agent-AJ_1", "PA_agent", 11.0)
    known = record(active, agents={"PA_agent": SeenAgent("PA_agent", "agent-AJ_1", 11.0)})
    body = coming("support-1", event="participant_left")
    left = {**AGENT, "disconnect_reason": "CLIENT_INITIATED"}
    event = replace(body, participant=whole_participant(left), at=40.0)
    after = lifecycle.apply(known, event, 40.0).record
    assert [d.state for d in after.dispatches.values()] == []


def test_somebody_elses_agent_is_seen_to_be_there() -> None:
    assert present(record(), listing(AGENT)) == ["greeter"]


@pytest.mark.parametrize(
    "ours",
    [
        record(pending()),
        record(unwanted=(Unwanted("AD_0", 1.0, 1.0, ("agent-AJ_1",), 1.0),)),
        record(stragglers=(Straggler("greeter", "AD_0", 60.0),)),
    ],
    ids=["waited for", "to be removed", "of the session before"],
)
def test_our_own_agent_is_not_taken_for_somebody_elses(ours: Record) -> None:
    assert present(ours, listing(AGENT)) == []


def test_what_we_made_is_not_taken_for_somebody_elses() -> None:
    stray = listed("AD_9", pending(), sid="RM_before")
    assert present(record(), listing(), stray) == []
    failed = pending().joined("gone", "PA_gone", 11.0)
    follower = replacement(failed, "signal_close", 12.0, 13.0)
    assert present(record(follower), listing(), listed("AD_1", failed)) == []
