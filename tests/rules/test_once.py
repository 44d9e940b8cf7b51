"""Claims: what a rule dispatches at most one live agent for."""

from __future__ import annotations

import pytest

from rules.decision import Reason
from rules.session import Session
from tests.rules.given import errors, joined, one, rule, rule_file, started


def claim(rules, event):
    return one(rules, event).plans[0].claim


@pytest.mark.parametrize(
    ("once", "subject"), [("room", "support-1"), ("participant", "ana"), ("event", "EV_1")]
)
def test_the_subject_of_a_claim(once, subject):
    found = claim(rule(f"once: {once}"), joined())
    assert (found.owner, found.position, found.once, found.subject) == ("r", "0", once, subject)


def test_a_room_is_what_a_rule_dispatches_once_for_if_it_does_not_say():
    assert claim(rule(""), joined()).once == "room"


@pytest.mark.parametrize("once", ["room", "participant", "event"])
def test_a_live_claim_stops_the_rule_and_only_that_claim(once):
    rules = rule(f"once: {once}")
    live = {claim(rules, joined()).key}
    assert one(rules, joined(), live=live).reason is Reason.ALREADY_DISPATCHED
    other = joined(room={"name": "support-2"}, participant={"identity": "bob"}, id="EV_2")
    assert one(rules, other, live=live).reason is Reason.MATCHED


def test_claims_of_two_rules_are_two():
    ours, theirs = (claim(rule(f"id: {name}"), joined()) for name in ("a", "b"))
    assert ours.key != theirs.key


def test_a_participant_who_comes_back_has_the_same_claim():
    first, second = (joined(participant={"sid": sid}) for sid in ("PA_1", "PA_2"))
    rules = rule("once: participant")
    assert claim(rules, first) == claim(rules, second)


def test_once_a_participant_needs_events_that_have_one():
    text = rule_file("once: participant\non: [participant_joined, room_started, egress_ended]")
    assert errors(text) == [
        "3:11: 'once: participant': 'room_started' and 'egress_ended' has no participant"
    ]


def test_an_event_without_what_once_needs_is_skipped():
    nameless = joined(participant={"identity": ""})
    decision = one(rule("once: participant"), nameless)
    assert (decision.reason, decision.at) == (Reason.CONDITION, "once")
    assert one(rule("once: event"), joined(id="")).at == "once"
    assert one(rule("on: room_started"), started(name="")).at == "once"


def test_once_is_one_of_three():
    (error,) = errors(rule_file("once: rooom"))
    assert error == "3:11: 'once' is one of room, participant, event, did you mean 'room'?"


def test_the_first_of_two_joins_of_one_room_takes_the_claim():
    rules = rule("")
    taken = {claim(rules, joined()).key}
    later = joined(participant={"sid": "PA_2", "identity": "bob"}, id="EV_2")
    assert (
        one(rules, later, Session("RM_1"), taken).detail == "its agent for room 'support-1' is live"
    )
