"""A warning of rules that never dispatch, because one before them in their group always does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decision import Provider
from rules.files import RuleFile
from rules.known import Known
from rules.loader import load_files
from tests.rules.given import decided, joined, ruleset, warnings

LATER = "when: {room: {name: x, metadata: {tier: gold, age: {gte: 18, lt: 30}}}}"


def two(first, second, on="participant_joined"):
    return ruleset(
        "version: 1\nrules:\n"
        f"  - {{id: a, group: g, on: {on}, dispatch: {{agent: a}}, {first}}}\n"
        f"  - {{id: b, group: g, on: {on}, dispatch: {{agent: b}}, {second}}}\n"
    )


def shadowed(first, second):
    return warnings(two(first, second)) != []


def test_a_rule_after_one_without_conditions_is_told():
    assert warnings(two("", LATER)) == [
        "4:10: 'b' never dispatches: 'a' before it in the group 'g' takes all that it matches"
    ]


def test_the_last_without_conditions_is_the_groups_default():
    assert not shadowed(LATER, "")


@pytest.mark.parametrize(
    "first",
    [
        LATER,
        "when: {room: {name: x}}",
        "when: {room: {metadata: {tier: gold}}}",
        "when: {room: {metadata: {age: {gte: 18}}}}",
    ],
)
def test_asking_less_takes_all_of_who_asks_more(first):
    assert shadowed(first, LATER)


@pytest.mark.parametrize(
    "first",
    [
        "when: {room: {name: y}}",
        "when: {room: {name: x, sid: y}}",
        "when: {room: {metadata: {age: {gte: 20}}}}",
        "when: {participant: {identity: x}}",
        "when: {not: {room: {name: x}}}",
        "when: {any: [{room: {name: x}}]}",
    ],
)
def test_asking_something_else_does_not(first):
    assert not shadowed(first, LATER)


@pytest.mark.parametrize(("one", "other"), [("1", "true"), ("[0]", "[false]")])
def test_a_number_is_no_boolean(one, other):
    vip = "when: {room: {metadata: {vip: %s}}}"
    assert not shadowed(vip % one, vip % other)
    assert shadowed(vip % one, vip % one)


@pytest.mark.parametrize(
    "may_stop",
    [
        "unless: {room: {name: y}}",
        "if: 'true'",
        "schedule: {days: [mon]}",
        "limit: {active: 100}",
        "shadow: true",
        "enabled: false",
        "again: never",
        "fallback: [{agent: '{{ room.metadata.x }}'}]",
    ],
)
def test_a_rule_that_something_else_may_stop_takes_nothing_for_sure(may_stop):
    assert not shadowed(may_stop, "")


def test_templates_may_fail():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: a, group: g, on: room_started, dispatch: {agent: '{{ room.metadata.x }}'}}\n"
        "  - {id: b, group: g, on: room_started, dispatch: {agent: b}}\n"
    )
    assert warnings(rules) == []


def test_what_stops_the_later_rule_makes_no_difference():
    for more in ("unless: {humans: 1}", "if: 'true'", "limit: {active: 1}", "shadow: true"):
        assert shadowed("", more)
    assert not shadowed("", "enabled: false")


def test_a_rule_on_more_events_is_not_shadowed():
    events = "version: 1\nrules:\n  - {id: a, group: g, on: %s, dispatch: {agent: a}}\n"
    events += "  - {id: b, group: g, on: %s, dispatch: {agent: b}}\n"
    both, join = "[room_started, participant_joined]", "participant_joined"
    assert warnings(ruleset(events % (join, both))) == []
    assert len(warnings(ruleset(events % (both, join)))) == 1


def test_rules_of_different_groups_or_none_do_not_shadow():
    text = (
        "version: 1\nrules:\n"
        "  - {id: a, group: g, on: room_started, dispatch: {agent: a}}\n"
        "  - {id: b, group: h, on: room_started, dispatch: {agent: b}}\n"
        "  - {id: c, on: room_started, dispatch: {agent: c}}\n"
        "  - {id: d, on: room_started, dispatch: {agent: d}}\n"
    )
    assert warnings(ruleset(text)) == []


def test_events_of_agents_that_only_the_later_asks_for_are_its_own():
    """The loop guard keeps them from the earlier one, which names no kind."""
    assert not shadowed("", "when: {participant: {kind: AGENT}}")
    assert shadowed("", "when: {participant: {kind: SIP}}")


def test_the_first_that_shadows_it_is_told_once():
    text = "version: 1\nrules:\n" + "".join(
        f"  - {{id: {name}, group: g, on: room_started, dispatch: {{agent: a}}}}\n"
        for name in "abc"
    )
    told = "never dispatches: 'a' before it in the group 'g' takes all that it matches"
    assert warnings(ruleset(text)) == [f"4:10: 'b' {told}", f"5:10: 'c' {told}"]


def test_it_is_told_over_several_files():
    file = "version: 1\nrules: [{id: %s, group: g, on: room_started, dispatch: {agent: a}}]"
    rules = load_files([RuleFile(f"{name}.yaml", file % name) for name in "ab"])
    assert [(each.path, each.line) for each in rules.warnings] == [("b.yaml", 2)]


FIELDS = {
    "room": [
        {"name": "s*"},
        {"name": {"prefix": "s"}},
        {"name": {"prefix": "s", "not": "s"}},
        {"metadata": {"tier": {"exists": False}}},
        {"metadata": {"tier": {"not": "gold"}}, "name": "s*"},
        {"any": [{"name": "s"}, {"name": "x"}]},
        {"not": {"name": "s", "metadata": {"tier": "gold"}}},
        {"not": {"name": "s"}},
    ],
    "participant": [
        {"identity": "ana"},
        {"kind": ["STANDARD", "SIP"]},
        {"identity": {"not": "ana"}},
    ],
    "humans": [1, {"gte": 1}, {"gte": 1, "lt": 3}],
    "not": [{"room": {"name": "s"}}, {"room": {"name": "s", "metadata": {"tier": "gold"}}}],
    "any": [[{"room": {"name": "x"}}], [{"room": {"name": "x"}}, {"humans": 1}]],
}
CONDITIONS = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) for key, values in FIELDS.items()}
).filter(bool)
EVENTS = [
    joined(room={"name": name, "metadata": metadata}, participant=participant)
    for name in ("support-1", "s", "x")
    for metadata in ({}, {"tier": "gold"})
    for participant in ({}, {"identity": "bob", "kind": "INGRESS"})
]


@given(first=CONDITIONS, second=CONDITIONS)
def test_a_rule_that_is_told_to_never_dispatch_never_does(first, second):
    rules = two(f"when: {json.dumps(first)}", f"when: {json.dumps(second)}")
    if any("never dispatches" in each for each in warnings(rules)):
        for event in EVENTS:
            assert decided(rules, event)[1].outcome == "skip"


def test_what_reads_videosdks_events_is_not_shadowed_by_what_does_not():
    agents = "agents_are: {identity: 'agent-*'}"
    assert not shadowed("", agents)
    assert shadowed(agents, agents)
    assert shadowed(agents, "")
    event = joined(source="videosdk")
    both = Known(providers=frozenset(Provider))
    decisions = decided(two("", agents), event, known=both)
    assert [decision.reason for decision in decisions] == ["loop_guard", "matched"]
