"""`humans`, `agents` and `participants`: who is in the room after the event."""

from __future__ import annotations

import pytest

from rules.session import Session, observe
from tests.rules.given import errors, joined, one, rule, rule_file


def session_with(*people: dict) -> Session:
    session = Session("RM_1")
    for number, person in enumerate(people):
        event = joined(participant={"sid": f"PA_{number + 10}", **person})
        session, _ = observe(session, event)
    return session


OPERATOR = {"identity": "op-eva", "attributes": {"team": "night"}}
PHONE = {"identity": "sip_+34600", "kind": "SIP"}
HIDDEN = {"identity": "supervisor", "permission": {"hidden": True}}
GREETER = {"identity": "agent-1", "kind": "AGENT", "attributes": {"lk.agent_name": "greeter"}}
RECORDER = {"identity": "EG_1", "kind": "EGRESS"}
ROOM = session_with(OPERATOR, PHONE, HIDDEN, GREETER, RECORDER)


def holds(condition: str, session: Session = ROOM) -> bool:
    """Whether it holds when ana has joined too."""
    return one(rule(f"when: {condition}"), joined(), session).outcome == "dispatch"


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("{humans: 3}", True),  # the operator, the caller and ana: not the hidden one
        ("{humans: {gte: 3}}", True),
        ("{humans: {gt: 3}}", False),
        ("{humans: {gte: 2, lt: 4}}", True),
        ("{humans: {equals: 3}}", True),
        ("{humans: [1, 3]}", True),
        ("{humans: {in: [1, 2]}}", False),
        ("{humans: ana}", True),
        ("{humans: 'op-*'}", True),
        ("{humans: supervisor}", False),
        ("{humans: agent-1}", False),
        ("{humans: {prefix: sip_}}", True),
        ("{humans: {prefix: op-, gte: 4}}", False),
        ("{humans: [bob, {suffix: -eva}]}", True),
        ("{humans: {in: [bob, ana]}}", True),
        ("{not: {humans: 'op-*'}}", False),
        ("{agents: greeter}", True),
        ("{agents: 1}", True),
        ("{agents: [voicemail, greet*]}", True),
        ("{not: {agents: greeter}}", False),
        ("{not: {agents: voicemail}}", True),
        ("{agents: {lt: 1}}", False),
    ],
)
def test_humans_and_agents_by_name_and_number(condition, matches):
    assert holds(condition) is matches


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("{participants: {identity: 'op-*'}}", True),
        ("{participants: {identity: 'op-*', attributes: {team: night}}}", True),
        ("{participants: {identity: 'op-*', kind: SIP}}", False),  # two people, no one of them
        ("{participants: {kind: EGRESS}}", True),
        ("{participants: {permission: {hidden: true}}}", True),
        ("{participants: {identity: 'op-*', not: {attributes: {team: night}}}}", False),
        ("{participants: {kind: STANDARD, not: {identity: 'op-*'}}}", True),
        ("{participants: {any: [{kind: SIP}, {identity: nobody}]}}", True),
        ("{participants: {any: [{kind: INGRESS}, {identity: nobody}]}}", False),
        ("{participants: [{kind: INGRESS}, {kind: SIP}]}", True),
        ("{not: {participants: {kind: INGRESS}}}", True),
        ("{participants: {identity: ana}}", True),
    ],
)
def test_some_participant_present_fulfils_the_whole_mapping(condition, matches):
    assert holds(condition) is matches


def test_presence_is_that_after_the_event():
    left = joined(name="participant_left", participant={"sid": "PA_10", **OPERATOR})
    gone = rule("on: participant_left\nwhen: {not: {humans: op-eva}}")
    assert one(gone, left, ROOM).outcome == "dispatch"


def test_in_a_room_nobody_is_in_there_are_none():
    assert holds("{agents: {lt: 1}}", Session("RM_1"))
    assert not holds("{agents: {gte: 0}, participants: {kind: SIP}}", Session("RM_1"))


SOMEBODY = (
    "'participants' asks for somebody who fulfils all of a mapping: for nobody who does, write "
    "not: {participants: …}; for somebody who does not, put 'not' behind a field"
)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("{agents: {not: x}}", "to ask that something is not among them, write not: {agents: …}"),
        ("{humans: {exists: true}}", "to ask whether there are any, write humans: {gte: 1}"),
        ("{humans: true}", "'humans' is a list of names, never true"),
        ("{humans: {gte: '1'}}", "'gte' compares numbers: give it one, unquoted"),
        ("{humans: {identity: ana}}", "unknown operator 'identity' for 'humans'"),
        ("{participants: {not: {kind: SIP}}}", SOMEBODY),
        ("{participants: {exists: false}}", SOMEBODY),
        ("{participants: ana}", "'participants' is a mapping: name the field you mean"),
        ("{participants: {identty: x}}", "did you mean 'participants.identity'?"),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_says_what_can(condition, said):
    (error,) = errors(rule_file(f"when: {condition}"))
    assert error.endswith(said)


def test_a_failed_condition_tells_who_was_there():
    decision = one(rule("when: {agents: voicemail}"), joined(), ROOM)
    assert (decision.at, decision.detail) == ("when.agents", "expected voicemail; got ['greeter']")


def test_templates_read_them():
    metadata = (
        "{{ humans | length }} {{ agents | join }} "
        "{% for p in participants if p.kind == 'SIP' %}{{ p.identity }}{% endfor %}"
    )
    (plan,) = one(rule(f'dispatch: {{agent: a, metadata: "{metadata}"}}'), joined(), ROOM).plans
    assert plan.metadata == "3 greeter sip_+34600"


@pytest.mark.parametrize("among", ["[7, ana]", "[ana, 7]", "[3, nobody]", "[nobody, 3]"])
def test_names_and_numbers_may_stand_in_one_list(among):
    assert holds(f"{{humans: {{in: {among}}}}}")
    assert holds(f"{{humans: {among}}}")


def test_in_a_list_of_alternatives_not_is_about_one_participant():
    assert holds("{participants: {any: [{identity: nobody}, {not: {kind: STANDARD}}]}}")
    assert not holds("{participants: {all: [{kind: SIP}, {not: {identity: 'sip_*'}}]}}")
