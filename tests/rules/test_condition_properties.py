"""Conditions against a reference that says in the plainest way what the language means."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from rules.absent import ABSENT
from rules.problems import RuleErrors
from tests.rules.given import joined, rule, when

words = st.sampled_from(["a", "b", "ab", "aab", "", "é"])
patterns = st.text(alphabet="ab*", min_size=1, max_size=5)
numbers = st.sampled_from([0, 1, 2, -1, 1.5, 10**20])
scalars = words | numbers | st.booleans()
data = st.recursive(
    scalars | st.none() | st.lists(scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["k", "m"]), inner, max_size=2),
    max_leaves=6,
)
operators = st.one_of(
    st.builds(lambda v: {"equals": v}, scalars),
    st.builds(lambda v: {"in": v}, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda k, v: {k: v}, st.sampled_from(["prefix", "suffix", "contains"]), words),
    st.builds(lambda k, v: {k: v}, st.sampled_from(["gt", "gte", "lt", "lte"]), numbers),
    st.builds(lambda v: {"exists": v}, st.booleans()),
    st.builds(lambda v: {"glob": v}, patterns),
)
values = st.recursive(
    scalars | patterns | operators,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.builds(lambda v: {"not": v}, inner),
        st.dictionaries(st.sampled_from(["k", "m"]), inner, min_size=1, max_size=2),
    ),
    max_leaves=6,
)


def glob(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def same(constant, found):
    kinds = {type(constant), type(found)}
    return constant == found and (len(kinds) == 1 or kinds == {int, float})


def is_number(value):
    return type(value) in (int, float)


ATOMS = {
    "equals": same,
    "in": lambda items, found: any(same(item, found) for item in items),
    "prefix": lambda text, found: isinstance(found, str) and found[: len(text)] == text,
    "suffix": lambda text, found: isinstance(found, str) and (text + "|") in (found + "|"),
    "contains": lambda text, found: isinstance(found, str) and text in found,
    "glob": lambda pattern, found: isinstance(found, str) and glob(pattern, found),
    "gt": lambda limit, found: is_number(found) and found > limit,
    "gte": lambda limit, found: is_number(found) and found >= limit,
    "lt": lambda limit, found: is_number(found) and found < limit,
    "lte": lambda limit, found: is_number(found) and found <= limit,
}


def holds(value, found):
    """What LANGUAGE.md says, as directly as it can be put."""
    if isinstance(value, list):
        return any(holds(item, found) for item in value)
    if not isinstance(value, dict):
        is_pattern = isinstance(value, str) and "*" in value
        return positive("glob" if is_pattern else "equals", value, found)
    if set(value) == {"not"}:
        return not holds(value["not"], found)
    if set(value) == {"exists"}:
        return (found is not ABSENT) is value["exists"]
    if set(value) <= set(ATOMS):
        return all(positive(name, operand, found) for name, operand in value.items())
    items = found if isinstance(found, list) else [found]
    return any(
        all(holds(inner, field(item, key)) for key, inner in value.items()) for item in items
    )


def positive(name, operand, found):
    items = found if isinstance(found, list) else [found]
    return any(ATOMS[name](operand, item) for item in items)


def field(found, key):
    value = found.get(key) if isinstance(found, dict) else None
    return ABSENT if value is None else value


def event_with(found):
    return joined(room={"metadata": json.dumps({"x": found})})


@given(value=values, found=data)
def test_conditions_mean_what_the_reference_says(value, found):
    condition = json.dumps({"room": {"metadata": {"x": value}}})
    assert when(condition, event_with(found)) is holds(value, field({"x": found}, "x"))


@given(value=values, found=data)
def test_not_is_the_opposite_wherever_it_stands(value, found):
    event = event_with(found)
    plain = json.dumps({"room": {"metadata": {"x": value}}})
    inside = json.dumps({"room": {"metadata": {"x": {"not": value}}}})
    outside = json.dumps({"not": {"room": {"metadata": {"x": value}}}})
    assert when(inside, event) is when(outside, event) is not when(plain, event)


@given(left=values, right=values, found=data)
def test_any_and_all_are_or_and_and(left, right, found):
    event = event_with(found)
    first, second = ({"room": {"metadata": {"x": value}}} for value in (left, right))
    either = when(json.dumps({"any": [first, second]}), event)
    both = when(json.dumps({"all": [first, second]}), event)
    assert either is (when(json.dumps(first), event) or when(json.dumps(second), event))
    assert both is (when(json.dumps(first), event) and when(json.dumps(second), event))


@given(pattern=patterns, text=st.text(alphabet="ab", max_size=8))
def test_stars_match_as_regular_expressions_would(pattern, text):
    condition = json.dumps({"room": {"name": pattern}})
    assert when(condition, joined(room={"name": text or "-"})) is glob(pattern, text or "-")


@given(pattern=st.text(alphabet="ab.|()*+?[]\\^$", max_size=8))
def test_a_regex_loads_or_is_an_error_and_never_anything_else(pattern):
    body = json.dumps({"room": {"name": {"regex": pattern}}})
    with suppress(RuleErrors):
        rule(f"when: {body}")
