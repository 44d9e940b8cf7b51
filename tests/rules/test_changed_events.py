"""`room_changed` and `participant_changed`: a listing shows something else than was known."""

from __future__ import annotations

import pytest

from rules.decision import Reason
from rules.session import Session, observe
from tests.rules.given import errors, joined, one, rule, rule_file, warnings

BEFORE = {"sid": "PA_1", "identity": "ana", "kind": "STANDARD", "attributes": {"lang": "en"}}


def there(**room):
    whole = {"sid": "RM_1", "name": "support-1", "creation_time": 1, **room}
    return Session("RM_1", room=whole, participants={"PA_1": BEFORE})


def changed(**participant):
    return joined(name="participant_changed", participant=participant)


def of_room(metadata):
    room = {"metadata": metadata, "creation_time": 1}
    event = joined(name="room_changed", room=room)
    return event.carrying(room=event.room, participant=None)


def test_a_rule_matches_what_the_room_is_now():
    rules = rule("on: room_changed\nwhen: {room: {metadata: {tier: gold}}}")
    assert one(rules, of_room('{"tier":"gold"}'), there(metadata="")).reason is Reason.MATCHED
    assert one(rules, of_room("{}"), there(metadata='{"tier":"gold"}')).reason is Reason.CONDITION


def test_a_rule_matches_what_the_participant_is_now():
    rules = rule("on: participant_changed\nwhen: {participant: {attributes: {lang: es}}}")
    assert one(rules, changed(attributes={"lang": "es"}), there()).reason is Reason.MATCHED
    assert one(rules, changed(attributes={"lang": "en"}), there()).reason is Reason.CONDITION


def test_presence_is_as_it_is_after_the_change():
    rules = rule("on: participant_changed\nwhen: {participants: {attributes: {lang: es}}}")
    assert one(rules, changed(attributes={"lang": "es"}), there()).reason is Reason.MATCHED


def test_the_session_knows_what_has_changed():
    session, _ = observe(there(), changed(attributes={"lang": "es"}))
    assert session.participants["PA_1"]["attributes"] == {"lang": "es"}
    session, _ = observe(there(metadata="a"), of_room("b"))
    assert session.room["metadata"] == "b"


def test_a_change_lets_nobody_in_who_is_not_there():
    session, _ = observe(there(), changed(sid="PA_2", identity="bob"))
    assert session.humans == ("ana",)


@pytest.mark.parametrize("kind", ["AGENT", "EGRESS"])
def test_changes_of_agents_and_recorders_reach_no_rule_that_does_not_name_them(kind):
    event = changed(kind=kind)
    assert one(rule("on: participant_changed"), event, there()).reason is Reason.LOOP_GUARD
    named = rule(f"on: participant_changed\nwhen: {{participant: {{kind: {kind}}}}}")
    assert one(named, event, there()).reason is Reason.MATCHED


def test_a_room_that_is_over_takes_no_agent():
    over = Session("RM_1", ended=True)
    assert one(rule("on: room_changed"), of_room("x"), over).reason is Reason.ROOM_ENDED


def test_a_change_may_call_once_for_each_participant():
    rules = rule("on: participant_changed\nonce: participant")
    (plan,) = one(rules, changed(), there()).plans
    assert plan.claim.subject == "ana"
    assert one(rules, changed(), there(), live=[plan.claim.key]).reason == "already_dispatched"


def test_templates_read_the_change():
    rules = rule('on: participant_changed\ndispatch: {agent: "{{ participant.attributes.lang }}"}')
    assert one(rules, changed(attributes={"lang": "es"}), there()).plans[0].agent == "es"


def test_a_change_of_a_room_has_no_participant():
    assert errors(rule_file("once: participant\non: room_changed")) == [
        "3:11: 'once: participant': 'room_changed' has no participant"
    ]
    body = "on: room_changed\nwhen: {participant: {identity: x}}"
    assert warnings(rule(body)) == ["4:12: 'participant' is never there on room_changed"]
    assert warnings(rule("on: participant_changed\nwhen: {participant: {identity: x}}")) == []


def test_a_name_that_is_almost_right_is_told():
    assert errors(rule_file("on: room_change")) == [
        "3:9: unknown event 'room_change', did you mean 'room_changed'?"
    ]
    assert errors(rule_file("on: participant_updated"))[0].startswith("3:9: unknown event")
