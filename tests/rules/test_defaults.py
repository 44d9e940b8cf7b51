"""`defaults`, and what begins with `x-`."""

from __future__ import annotations

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from tests.rules.given import decided, errors, joined, ruleset

FILE = """
version: 1
defaults:
  once: participant
  dispatch: {agent: greeter, deployment: staging, metadata: {line: hotline}}
rules:
  - id: plain
    on: participant_joined
  - id: own
    on: participant_joined
    once: room
    dispatch: {agent: sales, metadata: {other: line}}
"""


def test_a_rule_has_what_it_does_not_say_itself():
    plain, _ = decided(ruleset(FILE), joined())
    (plan,) = plain.plans
    assert (plan.agent, plan.deployment, plan.claim.once) == ("greeter", "staging", "participant")
    assert plan.metadata == '{"line":"hotline"}'


def test_its_own_field_replaces_a_default_and_dispatch_field_by_field():
    _, own = decided(ruleset(FILE), joined())
    (plan,) = own.plans
    assert (plan.agent, plan.deployment, plan.claim.once) == ("sales", "staging", "room")
    assert plan.metadata == '{"other":"line"}'


def test_defaults_are_of_their_file():
    other = "version: 1\nrules: [{id: other, on: participant_joined, dispatch: {agent: a}}]"
    rules = load_files([RuleFile("a.yaml", FILE), RuleFile("b.yaml", other)])
    *_, last = decided(rules, joined())
    assert (last.plans[0].deployment, last.plans[0].claim.once) == ("", "room")


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ("[]", "'defaults' takes a mapping of what rules may have"),
        ("{id: a}", "'defaults.id': each rule has its own 'id'"),
        ("{on: room_started}", "'defaults.on': each rule has its own 'on'"),
        ("{when: {}}", "'defaults.when': each rule has its own 'when'"),
        ("{onec: room}", "unknown field 'defaults.onec', did you mean 'defaults.once'?"),
        ("{once: rooom}", "did you mean 'room'?"),
    ],
)
def test_defaults_that_are_none(defaults, said):
    rules = "".join(f"\n  - {{id: {i}, on: room_started, dispatch: {{agent: a}}}}" for i in "ab")
    (error,) = errors(f"version: 1\ndefaults: {defaults}\nrules:{rules}")
    assert error.startswith("2:")
    assert error.endswith(said)


def test_what_begins_with_x_is_for_anchors():
    rules = ruleset(
        "version: 1\nx-anything: &where {room: {name: support-1}}\n"
        "rules:\n  - {id: r, on: participant_joined, when: *where, dispatch: {agent: a}}"
    )
    assert decided(rules, joined())[0].outcome == "dispatch"
    assert decided(rules, joined(room={"name": "x"}))[0].at == "when.room.name"
