"""A rule that sends several agents, and rules that are shadows."""

from __future__ import annotations

import json

import pytest

from rules.decision import Outcome, Reason
from tests.rules.given import decided, errors, joined, one, rule, rule_file, ruleset

BOTH = """
dispatch:
  - {agent: greeter}
  - {id: notes, agent: note-taker, metadata: {who: "{{ participant.identity }}"}}
"""


def test_each_dispatch_has_a_claim_of_its_own_by_its_place_or_its_id():
    greeter, notes = one(rule(BOTH), joined()).plans
    assert (greeter.agent, notes.agent) == ("greeter", "note-taker")
    assert (greeter.claim.position, notes.claim.position) == ("0", "notes")
    assert greeter.claim.key != notes.claim.key


def test_one_that_has_gone_is_sent_again_while_the_others_stay():
    rules = rule(BOTH)
    greeter, notes = (plan.claim.key for plan in one(rules, joined()).plans)
    (again,) = one(rules, joined(), live=[greeter]).plans
    assert again.agent == "note-taker"
    decision = one(rules, joined(), live=[greeter, notes])
    assert (decision.reason, decision.detail) == (
        Reason.ALREADY_DISPATCHED, "its agents for room 'support-1' are live"
    )  # fmt: skip


def test_an_id_keeps_a_claim_when_the_list_is_put_in_another_order():
    turned = rule("dispatch:\n  - {id: notes, agent: note-taker}\n  - {agent: greeter}\n")
    _, notes = one(rule(BOTH), joined()).plans
    again, _ = one(turned, joined()).plans
    assert notes.claim.key == again.claim.key


def test_what_fails_in_one_fails_the_rule_and_says_where():
    rules = rule("dispatch:\n  - {agent: a}\n  - {agent: b, metadata: {x: '{{ track.sid }}'}}")
    decision = one(rules, joined())
    assert (decision.outcome, decision.at) == (Outcome.ERROR, "dispatch[1].metadata.x")


@pytest.mark.parametrize(
    ("dispatch", "said"),
    [
        ("[{agent: a}, {agen: b}]", "'dispatch' needs an 'agent'"),
        ("[{id: x, agent: a}, {id: x, agent: b}]", "the id 'x' is taken by another dispatch"),
        ("[{id: '1', agent: a}]", "the id of a dispatch begins with a letter"),
        ("[{id: [], agent: a}]", "the id of a dispatch begins with a letter"),
        ("[{agent: a, deployment: a_b}]", "holds '_'"),
    ],
)
def test_lists_that_are_wrong(dispatch, said):
    assert any(said in error for error in errors(rule_file(f"dispatch: {dispatch}")))


def test_every_entry_of_a_list_needs_its_participant():
    body = "on: room_started\ndispatch:\n  - {agent: a}\n  - agent: b\n    deployment: %s"
    weights = "{weights: {x: 1}, sticky: participant}"
    (error,) = errors(rule_file(body % weights))
    assert error.startswith("7:")
    assert "'sticky: participant': 'room_started' has no participant" in error


def test_defaults_reach_into_a_list():
    rules = ruleset(
        "version: 1\ndefaults: {dispatch: {deployment: staging, metadata: {a: 1}}}\nrules:\n"
        "  - {id: r, on: participant_joined, dispatch: [{agent: a}, {agent: b, metadata: x}]}"
    )
    first, second = one(rules, joined()).plans
    assert (first.deployment, json.loads(first.metadata)) == ("staging", {"a": 1})
    assert (second.deployment, second.metadata) == ("staging", "x")


def test_a_shadow_is_decided_and_not_dispatched():
    decision = one(rule("shadow: true"), joined())
    assert (decision.outcome, decision.reason) == (Outcome.SHADOW, Reason.MATCHED)
    assert decision.plans[0].agent == "greeter"


def test_a_shadow_is_stopped_as_any_rule_is():
    assert one(rule("shadow: true\nwhen: {room: {name: x}}"), joined()).outcome == "skip"
    failed = one(rule('shadow: true\ndispatch: {agent: "{{ track.sid }}"}'), joined())
    assert failed.outcome == Outcome.ERROR


def test_a_shadow_takes_nothing_from_the_rule_beside_it():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: new, shadow: true, on: participant_joined, dispatch: {agent: new}}\n"
        "  - {id: old, on: participant_joined, dispatch: {agent: old}}\n"
    )
    assert [d.outcome for d in decided(rules, joined())] == ["shadow", "dispatch"]


def test_shadow_is_true_or_false():
    (error,) = errors(rule_file("shadow: maybe"))
    assert error.endswith("'shadow' is true or false")
