"""`if`: expressions in CEL over the names of conditions."""

from __future__ import annotations

import json

import pytest

from rules.decision import Outcome, Reason
from rules.session import Session
from tests.rules.given import joined, one, rule, started


def holds(expression, event, session=None):
    return asked(expression, event, session).outcome is Outcome.DISPATCH


def asked(expression, event, session=None):
    return one(rule(f"on: {event.name}\nif: {json.dumps(expression)}"), event, session)


def of_metadata(expression, metadata):
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    return asked(expression, joined(room={"metadata": text}))


def test_one_field_is_compared_with_another():
    expression = "participant.attributes.lang != room.metadata.lang && size(humans) > 0"
    room = {"metadata": {"lang": "es"}}
    foreign = joined(room=room, participant={"attributes": {"lang": "en"}})
    local = joined(room=room, participant={"attributes": {"lang": "es"}})
    assert holds(expression, foreign)
    assert not holds(expression, local)


def test_it_must_hold_beside_when_and_unless_and_is_asked_after_them():
    rules = rule(
        """
        when: {room: {name: "support-*"}}
        unless: {participant: {identity: bob}}
        if: participant.name == "Ana"
        """
    )
    bob = {"identity": "bob", "name": "x"}
    for event, reason in [
        (joined(room={"name": "x"}, participant=bob), Reason.CONDITION),
        (joined(participant=bob), Reason.UNLESS),
        (joined(participant={"name": "x"}), Reason.EXPRESSION),
        (joined(participant={"name": "Ana"}), Reason.MATCHED),
    ]:
        assert one(rules, event).reason is reason


def test_it_is_asked_before_the_schedule():
    rules = rule('if: "false"\nschedule: {days: [mon]}')
    assert one(rules, joined(created_at=1_770_163_200)).reason is Reason.EXPRESSION


def test_where_it_fails_and_what_was_there_is_told():
    decision = asked("room.name == 'x' || size(humans) > 3", joined())
    assert (decision.outcome, decision.reason, decision.at) == (
        Outcome.SKIP, Reason.EXPRESSION, "if"
    )  # fmt: skip
    assert decision.detail == "it is false: room.name is 'support-1', humans is ['ana']"


@pytest.mark.parametrize(
    "expression",
    [
        "event == 'participant_joined'",
        "source == 'livekit'",
        "project == 'devkey'",
        "room.sid == 'RM_1'",
        "room.max_participants == 0",
        "room.metadata.tier == 'gold'",
        "participant.kind == 'STANDARD'",
        "participant.metadata.age >= 18",
        "participant.attributes.lang == 'es'",
        "participant.attributes['sip.callID'] == 'C1'",
        "!participant.permission.hidden",
        "!participant.is_publisher",
        "'ana' in humans",
        "agents == []",
        "participants.exists(p, p.identity == 'ana' && p.metadata.age == 18)",
        "size(participants) == 1",
        "participant.identity.matches('n')",
        "room.name.startsWith('support-')",
        "timestamp(room.creation_time) < timestamp('2000-01-01T00:00:00Z')",
    ],
)
def test_it_reads_the_names_of_conditions(expression):
    event = joined(
        room={"metadata": {"tier": "gold"}},
        participant={
            "metadata": {"age": 18},
            "attributes": {"lang": "es", "sip.callID": "C1"},
        },
    )
    assert holds(expression, event)


def test_the_protocols_64_bit_integers_are_whole_numbers_though_they_arrive_as_strings():
    event = joined(room={"creation_time": "1770000000"})
    assert holds("room.creation_time == 1770000000 && room.creation_time > 5", event)


def test_it_reads_what_other_events_carry():
    track = {"sid": "TR_1", "source": "MICROPHONE", "width": 640}
    event = joined(name="track_published", track=track)
    session = Session("RM_1", participants={"PA_1": {"identity": "ana", "kind": "STANDARD"}})
    expression = "track.source == 'MICROPHONE' && track.width > 600 && participant.kind != 'SIP'"
    assert holds(expression, event, session)
    info = {"egress_id": "EG_1", "room_name": "support-1", "status": "EGRESS_FAILED"}
    failed = joined(name="egress_ended", egress_info=info)
    assert holds("egress_info.status == 'EGRESS_FAILED'", failed)


def test_presence_is_as_it_is_after_the_event():
    bea = {"sid": "PA_2", "identity": "bea", "kind": "STANDARD"}
    session = Session("RM_1", participants={"PA_2": bea})
    assert holds("humans == ['bea', 'ana']", joined(), session)
    assert holds("humans == ['bea']", joined(name="participant_left"), session)


@pytest.mark.parametrize(
    ("expression", "absent"),
    [
        ("participant.identity == 'ana'", "participant"),
        ("participant.identity != 'ana'", "participant"),
        ("!(participant.identity == 'ana')", "participant"),
        ("has(participant.identity)", "participant"),
        ("room.metadata.tier != 'gold'", "tier"),
        ("room.metadata.tier == null", "tier"),
        ("room.metadata['tier'] == ''", "tier"),
    ],
)
def test_absent_is_no_match_however_it_is_asked(expression, absent):
    decision = asked(expression, started(metadata="{}"))
    assert (decision.reason, decision.at) == (Reason.EXPRESSION, "if")
    assert decision.detail == f"'{absent}' is absent"


def test_has_asks_whether_something_is_there():
    for metadata, there in [
        ({"x": 1}, True),
        ({}, False),
        ({"x": None}, False),
        ("no JSON", False),
    ]:
        assert (of_metadata("has(room.metadata.x)", metadata).outcome == "dispatch") is there
        assert (of_metadata("!has(room.metadata.x)", metadata).outcome == "dispatch") is not there


def test_what_does_not_decide_may_be_absent():
    assert holds("room.name == 'support-1' || room.metadata.a.b.c == 1", joined())
    assert holds("room.metadata.a.b.c == 1 || room.name == 'support-1'", joined())


@pytest.mark.parametrize(
    ("metadata", "expression", "detail"),
    [
        ({"x": 5}, "room.metadata.x + 'a' == '5a'", "'+' does not go with (a whole number, text)"),
        ({"x": 5}, "room.metadata.x.y == 1", "Applying SELECT to non-message type"),
        ({"x": [1]}, "room.metadata.x[3] == 5", "Index error: index=3 size=1"),
        ({"x": 0}, "1 / int(room.metadata.x) == 5", "divide by zero"),
        ({"x": 2**62}, "int(room.metadata.x) * 8 > 0", "integer overflow"),
        ({"x": "abc"}, "int(room.metadata.x) > 0", "cannot convert string to int"),
        ({"x": "("}, "'a'.matches(room.metadata.x)", "invalid regular expression: missing ): ("),
        ({"x": "yes"}, "room.metadata.x", "it is 'yes', neither true nor false"),
        ({"x": 1}, "room.metadata.x", "it is 1, neither true nor false"),
        ({"x": 5}, "room.metadata.x == '5'", "it is false: room.metadata.x is 5"),
    ],
)
def test_another_type_than_it_asks_for_is_no_match(metadata, expression, detail):
    decision = of_metadata(expression, metadata)
    assert (decision.outcome, decision.reason) == (Outcome.SKIP, Reason.EXPRESSION)
    assert decision.detail == detail


def test_metadata_is_the_json_it_holds():
    assert of_metadata("room.metadata.a.b[1].c && room.metadata.n == 1", {
        "a": {"b": [0, {"c": True}]}, "n": 1.0
    }).outcome == "dispatch"  # fmt: skip
    for no_object in ("text", "[1]", "7", '"x"', "", "{", '{"a": NaN}'):
        assert of_metadata("size(room.metadata) == 0", no_object).outcome == "dispatch"
