"""Why a rule was skipped: the first reason in order, where, and in words."""

from __future__ import annotations

import pytest

from rules.decide import decide
from rules.decision import Decision, Outcome, Reason
from rules.session import Session
from tests.rules.given import decided, joined, one, rule, ruleset


def reason(rules, event, **more):
    decision = one(rules, event, **more)
    return decision.reason, decision.at, decision.detail


def test_a_rule_that_is_off_is_disabled_whatever_the_event():
    assert one(rule("enabled: false\non: room_started"), joined()).reason is Reason.DISABLED


def test_a_rule_for_other_events():
    assert one(rule("on: [room_started, track_published]"), joined()) == Decision(
        "r", Outcome.SKIP, Reason.EVENT_TYPE
    )


@pytest.mark.parametrize(
    ("condition", "at", "detail"),
    [
        (
            "{room: {metadata: {lang: [es, ca]}}}",
            "room.metadata.lang",
            "expected one of es, ca; got 'fr'",
        ),
        ("{room: {name: 'x-*'}}", "room.name", "expected x-*; got 'support-1'"),
        ("{room: {metadata: {n: {gte: 3}}}}", "room.metadata.n", "expected at least 3; got 2"),
        ("{room: {metadata: {tier: gold}}}", "room.metadata.tier", "expected gold; it is absent"),
        (
            "{room: {metadata: {lang: {not: fr}}}}",
            "room.metadata.lang",
            "expected not fr; got 'fr'",
        ),
        ("{not: {participant: {identity: ana}}}", "not", "what 'not' excludes holds"),
        (
            "{any: [{room: {name: x}}, {room: {name: y}}]}",
            "any",
            "none of its 2 alternatives holds",
        ),
        (
            "{all: [{room: {name: 's*'}}, {room: {name: y}}]}",
            "all[1].room.name",
            "expected y; got 'support-1'",
        ),
        (
            "{participant: {attributes: {sip.x: a}}}",
            "participant.attributes.sip.x",
            "expected a; it is absent",
        ),
        (
            "{room: {name: {prefix: a, not: b}}}",
            "room.name",
            "expected something that starts with a and not b; got 'support-1'",
        ),
        ("{track: {exists: true}}", "track", "expected any value; it is absent"),
    ],
)
def test_the_first_condition_that_failed(condition, at, detail):
    event = joined(room={"metadata": {"lang": "fr", "n": 2}})
    expected = (Reason.CONDITION, f"when.{at}", detail)
    assert reason(rule(f"when: {condition}"), event) == expected


def test_a_long_value_is_cut_and_stays_on_one_line():
    event = joined(room={"metadata": {"lang": "x\n" * 5000}})
    detail = reason(rule("when: {room: {metadata: {lang: es}}}"), event)[2]
    assert len(detail) < 120
    assert "\n" not in detail


@pytest.mark.parametrize(
    ("found", "got"),
    [
        ("x" * 10**6, "'" + "x" * 58 + "…"),
        (True, "true"),
        ([1] * 10**6, "[1, 1, 1, 1, ...]"),
        ({"a": {"b": {"c": {"d": 1}}}}, "{'a': {'b': {'c': {...}}}}"),
    ],
)
def test_a_value_is_shown_shortly_however_large_it_is(found, got):
    event = joined(room={"metadata": {"x": found}})
    detail = reason(rule("when: {room: {metadata: {x: y}}}"), event)[2]
    assert detail == f"expected y; got {got}"


def test_unless_excludes_when_all_of_it_holds():
    rules = rule("unless: {room: {name: 'support-*'}, participant: {identity: ana}}")
    assert reason(rules, joined()) == (Reason.UNLESS, "unless", "all of it holds")
    assert one(rules, joined(participant={"identity": "bob"})).outcome == "dispatch"


def test_reasons_come_in_order():
    rules = rule(
        """
        when: {room: {name: "support-*"}}
        unless: {participant: {identity: bob}}
        dispatch: {agent: "{{ room.metadata.agent }}"}
        """
    )
    over = Session("RM_1", ended=True)
    live = [one(rule("once: room"), joined()).plans[0].claim.key]
    bob = {"identity": "bob"}
    agent = {"kind": "AGENT", **bob}
    for event, session, expected in [
        (joined(name="room_started", room={"name": "x"}), over, Reason.EVENT_TYPE),
        (joined(room={"name": "x"}, participant=agent), over, Reason.LOOP_GUARD),
        (joined(room={"name": "x"}, participant=bob), over, Reason.CONDITION),
        (joined(participant=bob), over, Reason.UNLESS),
        (joined(), over, Reason.ROOM_ENDED),
        (joined(), Session("RM_1", gone=frozenset({"PA_1"})), Reason.PARTICIPANT_GONE),
        (joined(), Session("RM_1"), Reason.ALREADY_DISPATCHED),
    ]:
        assert one(rules, event, session, live).reason is expected
    assert one(rules, joined(), Session("RM_1")).reason is Reason.TEMPLATE_ERROR


TWO = ruleset(
    """
    version: 1
    rules:
      - {id: b, on: participant_joined, dispatch: {agent: "{{ room.metadata.x }}"}}
      - {id: a, on: participant_joined, dispatch: {agent: y}}
      - {id: c, on: room_started, dispatch: {agent: y}}
    """
)


def test_every_rule_is_answered_in_the_order_of_the_file():
    assert [(each.rule, each.reason) for each in decided(TWO, joined())] == [
        ("b", Reason.TEMPLATE_ERROR),
        ("a", Reason.MATCHED),
        ("c", Reason.EVENT_TYPE),
    ]


def test_rules_of_other_events_can_be_left_out():
    answers = decide(TWO, joined(), Session("RM_1"), every_rule=False)
    assert [each.rule for each in answers] == ["b", "a"]
    assert decide(TWO, joined(name="job_ended"), Session("RM_1"), every_rule=False) == ()


def test_a_rule_that_fails_fails_alone():
    assert [each.outcome for each in decided(TWO, joined())][:2] == ["error", "dispatch"]
