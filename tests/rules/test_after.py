"""`after`: what is written, and what a plan carries of it."""

from __future__ import annotations

import pytest

from tests.rules.given import counted, errors, joined, one, rule, rule_file


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("2s", 2.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0), ("0s", 0.0)],
)
def test_a_plan_carries_how_long_to_wait(written, seconds):
    assert one(rule(f"after: {written}"), joined()).plans[0].after == seconds


def test_a_rule_that_does_not_say_waits_for_nothing():
    assert one(rule(""), joined()).plans[0].after == 0.0


def test_every_dispatch_of_a_list_waits():
    plans = one(rule("after: 2s\ndispatch: [{agent: a}, {agent: b}]"), joined()).plans
    assert [plan.after for plan in plans] == [2.0, 2.0]


def test_the_claim_is_taken_and_templates_are_rendered_at_the_match():
    rules = rule(
        'after: 2s\nlimit: {active: 1}\ndispatch: {agent: "for-{{ participant.identity }}"}'
    )
    (plan,) = one(rules, joined()).plans
    assert plan.agent == "for-ana"
    assert one(rules, joined(), live=[plan.claim.key]).reason == "already_dispatched"
    assert one(rules, joined(), known=counted({"r": 1})).reason == "limit"


def test_what_fails_at_the_match_is_not_waited_for():
    decision = one(rule("after: 2s\ndispatch: {agent: '{{ room.metadata.x }}'}"), joined())
    assert (decision.outcome, decision.reason) == ("error", "template_error")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2", " is a duration such as 250ms, 10s, 5m or 2h: with its unit, 2s"),
        ("2.5", " is a duration such as 250ms, 10s, 5m or 2h: with its unit, 2.5s"),
        ("null", " is a duration such as 250ms, 10s, 5m or 2h"),
        ("[2s]", " is a duration such as 250ms, 10s, 5m or 2h"),
        ("-2s", ": it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
        ("2 s", ": it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
        ("2x", ": it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
        ("''", ": it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
    ],
)
def test_it_is_a_duration(written, told):
    assert errors(rule_file(f"after: {written}")) == [f"3:12: 'after'{told}"]
