"""Egress and ingress events take `room` from the record of their room, and carry nobody."""

from __future__ import annotations

import pytest

from rules.event import read_event
from rules.session import Session
from tests.rules.given import one, rule

ROOM = {"sid": "RM_1", "name": "support-1", "metadata": '{"lang":"es"}'}
ANA = {"sid": "PA_1", "identity": "ana", "kind": "STANDARD"}
KNOWN = Session("RM_1", room=ROOM, participants={"PA_1": ANA})
EVENTS = [
    {"event": "egress_started", "egress_info": {"room_id": "RM_1", "room_name": "support-1"}},
    {"event": "egress_ended", "egress_info": {"room_id": "RM_1", "room_name": "support-1"}},
    {
        "event": "ingress_started",
        "ingress_info": {"room_name": "support-1", "state": {"room_id": "RM_1"}},
    },
]


def decided(body, event, session=KNOWN):
    rules = rule(f"{body}\non: {event['event']}")
    return one(rules, read_event({**event, "id": "EV_1"}, project="devkey"), session)


@pytest.mark.parametrize("event", EVENTS)
def test_conditions_expressions_and_templates_read_the_room_that_is_known(event):
    assert decided("when: {room: {metadata: {lang: es}}}", event).reason == "matched"
    assert decided("if: room.metadata.lang == 'es'", event).reason == "matched"
    dispatch = 'dispatch: {agent: "{{ room.metadata.lang }}-{{ humans[0] }}"}'
    assert decided(dispatch, event).plans[0].agent == "es-ana"


@pytest.mark.parametrize("event", EVENTS)
def test_of_a_room_nobody_knows_only_the_name_is_known(event):
    nobody = Session("RM_1")
    assert decided("when: {room: {metadata: ''}}", event, nobody).at == "when.room.metadata"
    assert decided("if: room.metadata.lang == 'es'", event, nobody).detail == "'room' is absent"
    assert decided("", event, nobody).plans[0].claim.subject == "support-1"


@pytest.mark.parametrize("event", EVENTS)
def test_they_have_no_participant(event):
    assert decided("when: {participant: {exists: false}}", event).reason == "matched"
    assert decided("if: participant.identity == 'ana'", event).reason == "expression"
