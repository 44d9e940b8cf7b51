"""Rules that are paused: they match as ever, and send nobody."""

from __future__ import annotations

import pytest

from rules.decision import Decision, Outcome, Reason
from rules.known import EVERY_RULE, Known
from tests.rules.given import counted, decided, joined, one, rule, ruleset

GROUP = ruleset(
    """
    version: 1
    rules:
      - {id: gold, on: participant_joined, group: g, dispatch: {agent: a}}
      - {id: silver, on: participant_joined, group: g, dispatch: {agent: b}}
      - {id: rest, on: participant_joined, group: g, dispatch: {agent: c}}
    """
)


def reasons(*paused):
    return [str(each.reason) for each in decided(GROUP, joined(), known=Known(paused=paused))]


def test_a_paused_rule_sends_nobody():
    assert one(rule(""), joined(), known=Known(paused={"r"})) == Decision(
        "r", Outcome.SKIP, Reason.PAUSED, None, "the rule is paused"
    )


def test_where_all_are_paused_it_says_so():
    for paused in ({EVERY_RULE}, {EVERY_RULE, "r"}):
        decision = one(rule(""), joined(), known=Known(paused=paused))
        assert (decision.reason, decision.detail) == (Reason.PAUSED, "all rules are paused")


def test_other_rules_go_on():
    assert one(rule(""), joined(), known=Known(paused={"s"})).reason is Reason.MATCHED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("enabled: false", Reason.DISABLED),
        ("on: room_started", Reason.EVENT_TYPE),
        ("when: {room: {name: x}}", Reason.CONDITION),
        ("unless: {room: {name: support-1}}", Reason.UNLESS),
        ("if: 'false'", Reason.EXPRESSION),
        ("schedule: {days: [mon], except: ['2026-01-01..2026-12-31']}", Reason.SCHEDULE),
    ],
)
def test_what_does_not_match_says_that_first(body, reason):
    assert one(rule(body), joined(), known=Known(paused={"r"})).reason is reason


def test_while_its_agent_is_live_that_is_what_is_told():
    live = one(rule(""), joined()).plans[0].claim.key
    known = Known(live={live: "r"}, paused={"r"})
    assert one(rule(""), joined(), known=known).reason is Reason.ALREADY_DISPATCHED


@pytest.mark.parametrize(
    "body", ["limit: {active: 1}", "dispatch: {agent: '{{ room.metadata.x }}'}", "shadow: true"]
)
def test_it_comes_before_limits_and_templates_and_a_shadow(body):
    known = counted({"r": 1}, paused={"r"})
    assert one(rule(body), joined(), known=known).reason is Reason.PAUSED


def test_it_lets_the_next_of_its_group_try():
    assert reasons("gold") == ["paused", "matched", "group"]
    assert reasons("gold", "silver") == ["paused", "paused", "matched"]
    assert reasons("silver") == ["matched", "group", "group"]


def test_each_of_several_that_are_paused_says_so():
    assert reasons("gold", "silver", "rest") == ["paused"] * 3
    assert reasons(EVERY_RULE) == ["paused"] * 3
