"""Events of agents and recorders reach only rules that name their kind."""

from __future__ import annotations

import pytest

from rules.decision import Reason
from rules.session import Session, observe
from tests.rules.given import joined, one, rule


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ("{participant: {kind: AGENT}}", True),
        ("{participant: {kind: [STANDARD, AGENT]}}", True),
        ("{participant: {kind: {equals: AGENT}}}", True),
        ("{participant: {kind: {in: [AGENT]}}}", True),
        ("{participant: {field: {kind: AGENT}}}", True),
        ("{field: {participant: {kind: AGENT}}}", True),
        ("{any: [{participant: {kind: AGENT}}, {room: {name: x}}]}", True),
        ("{all: [{any: [{participant: {kind: AGENT}}]}]}", True),
        ("{participant: {any: [{kind: AGENT}, {identity: x}]}}", True),
        ("{participant: [{kind: AGENT}]}", True),
        ("{participant: {kind: '*'}}", False),
        ("{participant: {kind: 'AGENT*'}}", False),
        ("{participant: {kind: {prefix: AGENT}}}", False),
        ("{participant: {kind: {regex: AGENT}}}", False),
        ("{participant: {kind: {not: SIP}}}", False),
        ("{not: {participant: {kind: {not: AGENT}}}}", False),
        ("{participant: {not: {not: {kind: AGENT}}}}", False),
        ("{participant: {identity: ana}}", False),
        ("{participant: {attributes: {kind: AGENT}}}", False),
    ],
)
def test_only_a_kind_named_to_the_letter_opens_the_guard(condition, passes):
    event = joined(participant={"kind": "AGENT", "attributes": {"kind": "AGENT"}})
    decision = one(rule(f"when: {condition}"), event)
    assert (decision.reason is not Reason.LOOP_GUARD) is passes


@pytest.mark.parametrize("kind", ["AGENT", "EGRESS"])
@pytest.mark.parametrize("event", ["participant_joined", "participant_left", "track_published"])
def test_it_guards_every_event_of_such_a_participant(kind, event):
    happened = joined(name=event, participant={"kind": kind})
    assert one(rule(f"on: {event}"), happened).reason is Reason.LOOP_GUARD


def test_naming_one_kind_does_not_let_the_other_in():
    rules = rule("when: {participant: {kind: [AGENT, STANDARD]}}")
    assert one(rules, joined(participant={"kind": "EGRESS"})).reason is Reason.LOOP_GUARD


def test_a_kind_named_in_unless_does_not_count():
    rules = rule("unless: {participant: {kind: AGENT}}")
    assert one(rules, joined(participant={"kind": "AGENT"})).reason is Reason.LOOP_GUARD


@pytest.mark.parametrize("kind", ["STANDARD", "SIP", "INGRESS", "CONNECTOR", "HOLOGRAM"])
def test_nobody_else_is_guarded(kind):
    assert one(rule(""), joined(participant={"kind": kind})).reason is Reason.MATCHED


def test_whoever_is_not_known_may_be_an_agent():
    published = joined(name="track_published")
    decision = one(rule("on: track_published"), published)
    assert (decision.reason, decision.detail) == (
        Reason.LOOP_GUARD,
        "what kind of participant it is about is not known: it may be an agent",
    )


@pytest.mark.parametrize(("kind", "reason"), [("AGENT", "loop_guard"), ("SIP", "matched")])
def test_the_last_track_of_somebody_who_has_left_is_still_theirs(kind, reason):
    session = Session("RM_1")
    for name in ("participant_joined", "participant_left"):
        session, _ = observe(session, joined(name=name, participant={"kind": kind}))
    ended = joined(name="track_unpublished")
    assert one(rule("on: track_unpublished"), ended, session).reason == reason


def test_who_left_is_known_after_the_session_was_kept():
    session, _ = observe(Session("RM_1"), joined(participant={"kind": "AGENT"}))
    session, _ = observe(session, joined(name="participant_left", participant={"kind": "AGENT"}))
    kept = Session.from_json(session.to_json())
    ended = joined(name="track_unpublished")
    assert one(rule("on: track_unpublished"), ended, kept).reason is Reason.LOOP_GUARD
