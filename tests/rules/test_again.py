"""`again`: whether a later match may send an agent for the same claim."""

from __future__ import annotations

import pytest

from rules.decision import Reason
from rules.known import Known
from tests.rules.given import decided, errors, joined, one, rule, rule_file, ruleset


def key(rules):
    return one(rules, joined()).plans[0].claim.key


def test_when_gone_is_how_it_is_without_it():
    for rules in (rule(""), rule("again: when_gone")):
        sent = Known(accepted={key(rules)})
        assert one(rules, joined(), known=sent).reason is Reason.MATCHED
        assert not one(rules, joined()).plans[0].remembered


def test_never_sends_no_other_once_one_was_accepted():
    rules = rule("again: never")
    decision = one(rules, joined(), known=Known(accepted={key(rules)}))
    assert decision.reason is Reason.ALREADY_DISPATCHED
    assert (
        decision.detail
        == "it has been sent for room 'support-1', and 'again: never' sends no other"
    )


def test_one_that_was_never_accepted_does_not_count():
    rules = rule("again: never")
    assert one(rules, joined(), known=Known()).reason is Reason.MATCHED


def test_while_its_agent_is_live_that_is_what_is_told():
    rules = rule("again: never")
    both = Known(live={key(rules): "r"}, accepted={key(rules)})
    assert one(rules, joined(), known=both).detail == "its agent for room 'support-1' is live"


def test_a_plan_says_that_its_claim_is_to_be_remembered():
    assert one(rule("again: never"), joined()).plans[0].remembered


def test_claims_of_events_need_not_be_remembered():
    """An event is decided once, and a room may have very many."""
    assert not one(rule("again: never\nonce: event"), joined()).plans[0].remembered
    assert one(rule("again: never\nonce: participant"), joined()).plans[0].remembered
    group = MIXED.replace("group: g,", "group: g, once: event,")
    assert not decided(ruleset(group), joined())[0].plans[0].remembered


@pytest.mark.parametrize("once", ["participant", "event"])
def test_it_is_of_the_claim_whatever_once_says(once):
    rules = rule(f"again: never\nonce: {once}")
    known = Known(accepted={key(rules)})
    assert one(rules, joined(), known=known).reason is Reason.ALREADY_DISPATCHED
    other = joined(participant={"identity": "bob", "sid": "PA_2"}, id="EV_2")
    assert one(rules, other, known=known).reason is Reason.MATCHED


def test_of_a_list_each_is_sent_once():
    rules = rule("again: never\ndispatch: [{agent: a}, {agent: b}]")
    first, second = (plan.claim.key for plan in one(rules, joined()).plans)
    (left,) = one(rules, joined(), known=Known(accepted={first})).plans
    assert left.agent == "b"
    both = Known(accepted={first, second})
    assert one(rules, joined(), known=both).reason is Reason.ALREADY_DISPATCHED


MIXED = """
version: 1
rules:
  - {id: first, group: g, again: never, on: participant_joined, dispatch: {agent: a}}
  - {id: second, group: g, on: participant_joined, dispatch: {agent: b}}
"""


def test_in_a_group_one_of_any_rule_is_enough_for_a_rule_that_never_sends_another():
    rules = ruleset(MIXED)
    taken = decided(rules, joined())[0].plans[0].claim.key
    answers = decided(rules, joined(), known=Known(accepted={taken}))
    assert [d.reason for d in answers] == [Reason.ALREADY_DISPATCHED, Reason.MATCHED]
    assert answers[1].plans[0].claim.key == taken


def test_in_a_group_with_one_such_rule_the_claims_of_all_are_remembered():
    rules = ruleset(
        MIXED.replace("again: never, on: participant_joined", "again: never, on: room_started")
    )
    first, second = decided(rules, joined())
    assert first.reason is Reason.EVENT_TYPE
    assert second.plans[0].remembered


def test_a_group_without_such_a_rule_remembers_nothing():
    rules = ruleset(MIXED.replace("again: never, ", ""))
    assert not decided(rules, joined())[0].plans[0].remembered


def test_a_shadow_that_never_sends_another_is_stopped_by_what_the_group_sent():
    rules = ruleset(MIXED.replace("again: never", "again: never, shadow: true"))
    _, second = decided(rules, joined())
    known = Known(accepted={second.plans[0].claim.key})
    first, second = decided(rules, joined(), known=known)
    assert (first.reason, second.reason) == (Reason.ALREADY_DISPATCHED, Reason.MATCHED)


@pytest.mark.parametrize(
    ("written", "hint"),
    [("nevr", ", did you mean 'never'?"), ("5", ""), ("false", ""), ("null", ""), ("[never]", "")],
)
def test_again_is_one_of_two(written, hint):
    assert errors(rule_file(f"again: {written}")) == [
        f"3:12: 'again' is one of when_gone, never{hint}"
    ]
