"""What is warned of as never matching never does, whatever is tried."""

from __future__ import annotations

import json
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.given import decided, joined, one, rule

words = st.sampled_from(["a", "b", "ab", "ba", ""])
numbers = st.sampled_from([0, 1, 2, 1.5, -1])
constants = st.one_of(words, numbers, st.booleans())
text_operators = st.sampled_from(
    ["equals_ignore_case", "prefix", "suffix", "contains", "glob", "regex"]
)
BOUNDS = ("gt", "gte", "lt", "lte")


def mappings(of, *others):
    """Mappings of operators, in which a mapping further in has but one."""
    single = st.one_of(
        st.tuples(st.just("equals"), of),
        st.tuples(st.just("in"), st.lists(of, min_size=1, max_size=3)),
        *others,
    )
    inner = st.one_of(of, st.lists(of, min_size=1, max_size=2), single.map(lambda one: dict([one])))
    negated = st.tuples(st.just("not"), inner | inner.map(lambda value: {"not": value}))
    exists = st.tuples(st.just("exists"), st.booleans())
    return st.lists(st.one_of(single, negated, exists), min_size=2, max_size=4).map(dict)


texts = st.tuples(text_operators, words)
bounds = st.tuples(st.sampled_from(BOUNDS), numbers)
SCALARS = ["a", "b", "ab", "ba", "A", "", "c", 0, 1, 2, 3, 1.5, 0.5, -1, -2, True, False]
LISTS = [list(pair) for pair in product(SCALARS, repeat=2)]
OBJECTS = [None, [], {}, {"k": "a"}, [{"k": "a"}, "a"], [[1]], ["a", "b", 1, 2, True]]


@given(value=mappings(words, texts))
def test_no_text_fulfils_what_never_matches(value):
    check = rule(f"when: {json.dumps({'room': {'name': value}})}")
    if any("never matches" in each.message for each in check.warnings):
        for text in ["a", "b", "ab", "ba", "aba", "A", "B", "AB", "c", "aab", "bab"]:
            assert one(check, joined(room={"name": text})).reason == "condition"


@given(value=mappings(numbers, bounds))
def test_no_number_fulfils_what_never_matches(value):
    check = rule(f"when: {json.dumps({'room': {'max_participants': value}})}")
    if any("never matches" in each.message for each in check.warnings):
        for number in [-2, -1, -0.5, 0, 0.5, 1, 1.25, 1.5, 1.75, 2, 3, 1.0, 10**20]:
            event = joined(room={"max_participants": number})
            assert one(check, event).reason == "condition"


@given(value=mappings(constants, texts, bounds))
def test_no_json_fulfils_what_never_matches(value):
    check = rule(f"when: {json.dumps({'room': {'metadata': {'x': value}}})}")
    for warning in check.warnings:
        found = [*SCALARS, *OBJECTS, *LISTS]
        if "nothing but lists" in warning.message:
            found = SCALARS
        elif "never matches" not in warning.message:
            continue
        for data in found:
            assert one(check, joined(room={"metadata": {"x": data}})).reason == "condition"


@given(
    value=st.lists(
        bounds | texts | st.tuples(st.just("equals"), words | numbers)
        | st.tuples(st.just("in"), st.lists(words | numbers, min_size=1, max_size=2)),
        min_size=1, max_size=3,
    ).map(dict)
)  # fmt: skip
def test_no_company_fulfils_what_never_matches(value):
    check = rule(f"when: {json.dumps({'humans': value})}")
    if check.warnings:
        for names in ([], ["a"], ["b"], ["a", "b"], ["ab", "ba"], ["a", "b", "ab"], ["A", "c"]):
            assert check.rules[0].when({"humans": names}) is not None


values = st.one_of(
    words,
    st.sampled_from(["a*", "*b", "*"]),
    st.lists(words, min_size=1, max_size=2),
    mappings(words, texts),
    words.map(lambda text: {"not": text}),
)
kinds = st.sampled_from(["AGENT", "A*", "*E*", "S*", "SIP", "*"])
kind_values = st.one_of(
    kinds,
    st.lists(kinds, min_size=1, max_size=2),
    st.lists(
        st.sampled_from(["STANDARD", "SIP", "INGRESS", "CONNECTOR", "BRIDGE"]), min_size=4
    ).map(lambda names: {"not": names}),
)
NAMES = ["participant_joined", "participant_left"]
event_values = st.sampled_from([*NAMES, "participant_*", "*t", {"not": "participant_left"}])
fields = st.one_of(
    values.map(lambda value: {"room": {"name": value}}),
    values.map(lambda value: {"participant": {"attributes": {"k": value}}}),
    values.map(lambda value: {"room": {"metadata": {"x": value}}}),
    kind_values.map(lambda value: {"participant": {"kind": value}}),
    event_values.map(lambda value: {"event": value}),
)
conditions = st.recursive(
    fields,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"all": each})
        | st.lists(inner, min_size=1, max_size=2).map(lambda each: {"any": each})
        | inner.map(lambda each: {"not": each})
    ),
    max_leaves=4,
)
EVENTS = [
    joined(
        name=name,
        room={"name": room, "metadata": {"x": x}},
        participant={"kind": kind, "attributes": attributes},
    )
    for name, room, x, kind, attributes in product(
        NAMES,
        ["a", "b", "ab"],
        [None, "a", ["a", "b"]],
        ["STANDARD", "SIP", "AGENT", "EGRESS", "INGRESS", "CONNECTOR", "BRIDGE"],
        [{}, {"k": "a"}, {"k": "ba"}],
    )
]


def outright(told):
    """Whether a warning is of the whole rule, not of a part that another may stand in for."""
    return told.startswith(("the rule never", "'event' never")) or "loop guard" in told


@given(
    on=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    asked=st.lists(conditions, min_size=1, max_size=3),
    unless=st.none() | conditions,
)
def test_no_event_matches_a_rule_that_never_matches(on, asked, unless):
    body = f"on: {json.dumps(on)}\nwhen: {json.dumps({'all': asked})}"
    body += f"\nunless: {json.dumps(unless)}" if unless is not None else ""
    rules = rule(body)
    told = [each.message for each in rules.warnings]
    if any(outright(each) or "both this and" in each for each in told):
        assert not any(each.plans for event in EVENTS for each in decided(rules, event))
