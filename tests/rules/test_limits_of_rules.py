"""`limit`: how many agents of a rule may be live, and what they are counted by."""

from __future__ import annotations

import pytest

from rules.decision import Outcome, Reason, Share
from tests.rules.given import (
    counted,
    decided,
    errors,
    joined,
    one,
    rule,
    rule_file,
    ruleset,
    started,
    warnings,
)

SWITCH_OFF = "to switch the rule off write 'enabled: false'"
PER = 'limit: {active: 2, per: "{{ room.metadata.tenant }}"}'


def of(tenant):
    return joined(room={"metadata": {"tenant": tenant}})


def test_a_match_above_it_is_refused():
    rules = rule("limit: {active: 2}")
    assert one(rules, joined(), known=counted({"r": 1})).reason is Reason.MATCHED
    decision = one(rules, joined(), known=counted({"r": 2}))
    assert (decision.outcome, decision.reason, decision.at, decision.plans) == (
        Outcome.SKIP, Reason.LIMIT, "limit.active", ()
    )  # fmt: skip
    assert decision.detail == "2 of its agents are live, and 2 may be"


def test_it_is_counted_for_each_text_that_per_renders_to():
    rules = rule(PER)
    known = counted({"r": 2}, per="acme")
    decision = one(rules, of("acme"), known=known)
    assert decision.detail == "2 of its agents are live for 'acme', and 2 may be"
    assert one(rules, of("other"), known=known).reason is Reason.MATCHED


def test_a_plan_carries_its_share():
    assert one(rule(PER), of("acme")).plans[0].share == Share("acme", 2)
    assert one(rule("limit: {active: 2}"), joined()).plans[0].share == Share("", 2)
    assert one(rule(""), joined()).plans[0].share is None


def test_each_rule_counts_its_own():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: a, on: participant_joined, limit: {active: 1}, dispatch: {agent: a}}\n"
        "  - {id: b, on: participant_joined, limit: {active: 1}, dispatch: {agent: a}}\n"
    )
    answers = decided(rules, joined(), known=counted({"a": 1}))
    assert [d.reason for d in answers] == [Reason.LIMIT, Reason.MATCHED]


def test_more_than_may_be_are_too_many_too():
    """The limit was lowered while they were live."""
    decision = one(rule("limit: {active: 2}"), joined(), known=counted({"r": 7}))
    assert decision.detail == "7 of its agents are live, and 2 may be"


def test_a_list_sends_all_that_are_due_or_none():
    rules = rule("limit: {active: 3}\ndispatch: [{agent: a}, {agent: b}]")
    assert len(one(rules, joined(), known=counted({"r": 1})).plans) == 2
    assert one(rules, joined(), known=counted({"r": 2})).reason is Reason.LIMIT
    first, _ = (plan.claim.key for plan in one(rules, joined()).plans)
    one_is_live = counted({"r": 2}, live={first: "r"})
    assert [plan.agent for plan in one(rules, joined(), known=one_is_live).plans] == ["b"]


def test_what_per_reads_and_is_absent_is_an_error_of_the_rule():
    decision = one(rule(PER), joined())
    assert (decision.outcome, decision.reason, decision.at) == (
        Outcome.ERROR, Reason.TEMPLATE_ERROR, "limit.per"
    )  # fmt: skip


def test_per_has_a_length():
    assert one(rule(PER), of("x" * 1024)).reason is Reason.MATCHED
    decision = one(rule(PER), of("x" * 1025))
    assert (decision.reason, decision.at) == (Reason.TEMPLATE_ERROR, "limit.per")
    assert decision.detail == "it renders to more than 1,024 characters"


def test_per_may_read_who_is_present_the_rule_and_tables():
    rules = ruleset(
        "version: 1\ntables: {plans: {gold: {pool: big}}}\nrules:\n"
        "  - id: r\n    on: participant_joined\n    dispatch: {agent: a}\n    limit:\n"
        "      active: 2\n"
        '      per: "{{ humans | length }} {{ rule }} {{ tables.plans.gold.pool }}"\n'
    )
    assert one(rules, joined()).plans[0].share == Share("1 r big", 2)


def test_half_a_surrogate_pair_does_not_come_through_to_a_key():
    share = one(rule(PER), joined(room={"metadata": '{"tenant": "a\\ud800"}'})).plans[0].share
    share.per.encode()


def test_it_is_reached_before_anything_is_rendered_for_the_agent():
    rules = rule('limit: {active: 1}\ndispatch: {agent: "{{ room.metadata.x }}"}')
    assert one(rules, joined(), known=counted({"r": 1})).reason is Reason.LIMIT
    assert one(rules, joined()).reason is Reason.TEMPLATE_ERROR


def test_it_is_not_asked_of_who_is_already_dispatched():
    rules = rule("limit: {active: 1}")
    live = {one(rules, joined()).plans[0].claim.key: "r"}
    decision = one(rules, joined(), known=counted({"r": 1}, live=live))
    assert decision.reason is Reason.ALREADY_DISPATCHED


def test_a_shadow_says_what_its_limit_would():
    rules = rule("shadow: true\nlimit: {active: 1}")
    assert one(rules, joined()).outcome is Outcome.SHADOW
    assert one(rules, joined(), known=counted({"r": 1})).reason is Reason.LIMIT


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("5", "3:12: 'limit' takes a mapping such as {active: 20}"),
        ("[5]", "3:12: 'limit' takes a mapping such as {active: 20}"),
        ("null", "3:12: 'limit' takes a mapping such as {active: 20}"),
        ("{}", "3:12: 'limit' needs 'active', how many may be live"),
        ("{per: a}", "3:12: 'limit' needs 'active', how many may be live"),
        ("{active: 0}", f"3:21: 'limit.active' is a whole number from 1; {SWITCH_OFF}"),
        ("{active: -1}", "3:21: 'limit.active' is a whole number from 1"),
        ("{active: 1.5}", "3:21: 'limit.active' is a whole number from 1"),
        ("{active: true}", "3:21: 'limit.active' is a whole number from 1"),
        ("{active: '5'}", "3:21: 'limit.active' is a whole number from 1"),
        ("{active: [5]}", "3:21: 'limit.active' is a whole number from 1"),
        ("{active: 5, per: 7}", "3:29: 'limit.per' takes text: quote it"),
        ("{active: 5, per: {}}", "3:29: 'limit.per' takes text"),
        ("{active: 5, per: null}", "3:29: 'limit.per' takes text"),
        (
            "{active: 5, per: '{{'}",
            "3:29: not a valid template: unexpected 'end of template'",
        ),
        (
            "{active: 5, per: '{{ room.nam }}'}",
            "3:29: unknown field 'room.nam' in a template, did you mean 'room.name'?",
        ),
        (
            "{active: 5, pre: x}",
            "3:24: unknown field 'limit.pre', did you mean 'limit.per'?",
        ),
    ],
)
def test_limits_that_are_wrong(written, error):
    assert errors(rule_file(f"limit: {written}")) == [error]


def test_a_limit_by_a_constant_is_warned_of():
    assert warnings(rule("limit: {active: 5, per: all}")) == [
        "3:29: 'limit.per' has no template: all are counted together without it"
    ]


def test_a_limit_by_what_no_event_carries_is_warned_of():
    assert warnings(rule("limit: {active: 5, per: '{{ track.sid }}'}")) == [
        "3:29: 'track' is never there on participant_joined"
    ]


def test_a_limit_may_be_a_default_that_counts_for_each_rule():
    rules = ruleset(
        "version: 1\ndefaults: {limit: {active: 1}}\nrules:\n"
        "  - {id: a, on: room_started, dispatch: {agent: a}}\n"
        "  - {id: b, on: room_started, limit: {active: 5}, dispatch: {agent: a}}\n"
    )
    a, b = decided(rules, started())
    assert (a.plans[0].share, b.plans[0].share) == (Share("", 1), Share("", 5))


def test_a_limit_below_what_is_sent_together_is_warned_of():
    rules = rule("limit: {active: 1}\ndispatch: [{agent: a}, {agent: b}]")
    assert warnings(rules) == [
        "3:5: 'limit': the rule sends 2 agents together, and 1 may be live: it never dispatches"
    ]
    assert warnings(rule("limit: {active: 2}\ndispatch: [{agent: a}, {agent: b}]")) == []
