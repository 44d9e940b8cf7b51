"""Metadata written as a mapping or list becomes JSON, leaf by leaf."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.metadata import json_object
from tests.rules.given import errors, joined, one, rule, rule_file

finite = st.floats(allow_nan=False, allow_infinity=False)
constants = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | finite
plain_text = st.text(max_size=20).filter(lambda text: "{" not in text)
trees = st.recursive(
    constants | plain_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner, max_size=3),
    max_leaves=10,
)
containers = st.lists(trees, max_size=3) | st.dictionaries(plain_text, trees, max_size=3)


def metadata(written, event=None):
    (plan,) = one(rule(f"dispatch: {{agent: a, metadata: {written}}}"), event or joined()).plans
    return plan.metadata


@given(tree=containers)
def test_constants_keep_their_yaml_type(tree):
    assert json.loads(metadata(json.dumps(tree))) == tree


@given(tree=trees.filter(lambda tree: tree is not None))
def test_what_only_tojson_wrote_becomes_that_value(tree):
    event = joined(room={"metadata": {"x": tree}})
    written = '{x: "{{ room.metadata.x | tojson }}"}'
    assert json.loads(metadata(written, event)) == {"x": tree}


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ('"{{ room.metadata.n }}"', "3"),
        ('"{{ room.metadata.n | tojson }}"', 3),
        ('" {{ room.metadata.n | tojson }} "', 3),
        ('"{{room.metadata.n|tojson}}"', 3),
        ('"{{ room.metadata.n | tojson }} items"', "3 items"),
        ('"{{ room.metadata.n | tojson | upper }}"', "3"),
        ('"{{ room.metadata.phone }}"', "+34910000001"),
        ('"{{ room.metadata.phone | tojson }}"', "+34910000001"),
        ('"{{ room.metadata.none | default(none) | tojson }}"', None),
        ('"{{ room.metadata.list | tojson }}"', [1, {"a": None}]),
        ('"{{ [room.name, true] | tojson }}"', ["support-1", True]),
        (
            '"{{ room.metadata | tojson }}"',
            '{"n": 3, "phone": "+34910000001", "list": [1, {"a": null}]}',
        ),
        ('"{% if true %}{{ 1 | tojson }}{% endif %}"', "1"),
        ('"true"', "true"),
        ("true", True),
        ("1.50", 1.5),
        ("010", 10),
        ("0x1F", 31),
        ("yes", "yes"),
        ("2026-12-25", "2026-12-25"),
        ("+34910000001", 34910000001),
        ("null", None),
        ('""', ""),
    ],
)
def test_the_type_of_a_leaf(leaf, value):
    data = {"n": 3, "phone": "+34910000001", "list": [1, {"a": None}]}
    written = f"{{leaf: [{leaf}]}}"
    assert json.loads(metadata(written, joined(room={"metadata": data}))) == {"leaf": [value]}


def test_keys_keep_the_order_they_are_written_in():
    assert metadata("{b: 1, a: 2, ñ: 'é'}") == '{"b":1,"a":2,"ñ":"é"}'


def test_text_is_passed_on_as_it_is():
    assert metadata("'{\"a\": 1}'") == '{"a": 1}'
    assert metadata("\"{{ {'a': 1} | tojson }}\"") == '{"a":1}'
    assert metadata("{}") == "{}"
    assert metadata("[]") == "[]"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("7", "'dispatch.metadata' takes text, a mapping or a list: quote it"),
        ("null", "takes text, a mapping or a list"),
        ("true", "takes text, a mapping or a list"),
        ('{"{{ room.name }}": 1}', "templates stand in values, not in keys"),
        ("{a: .inf}", "'.inf' is not a number a rule can use"),
        ("{7: a}", "the key 7 is not text: quote it"),
    ],
)
def test_what_cannot_become_json_is_an_error(written, message):
    (error,) = errors(rule_file(f"dispatch: {{agent: a, metadata: {written}}}"))
    assert message in error


def test_a_number_json_cannot_say_is_an_error():
    (error,) = errors(rule_file('dispatch: {agent: a, metadata: {x: "{{ 1e999 | tojson }}"}}'))
    assert "a number too large" in error
    decision = one(
        rule('dispatch: {agent: a, metadata: {x: "{{ 1e300 * 1e300 | tojson }}"}}'), joined()
    )
    assert decision.reason == "template_error"


def test_characters_written_as_json_writes_them_are_those_characters():
    assert metadata(r'["\ud83d\ude00"]') == '["😀"]'
    (error,) = errors(rule_file(r'dispatch: {agent: a, metadata: ["\ud83d"]}'))
    assert "half of a surrogate pair" in error


def test_metadata_that_unfolds_into_much_does_not_fill_the_memory():
    """Whoever may set metadata can set another one each time: 64 kB are 1.6 MB when read."""
    tracemalloc.start()
    try:
        for n in range(100):
            json_object(f'{{"n": {n}, "a": [{",".join(["{}"] * 21_000)}]}}')
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 16 * 1024 * 1024


def test_what_is_asked_again_is_read_once():
    for text in ('{"a": 1}', f'{{"a": "{"x" * 10_000}"}}'):
        assert json_object(text) is json_object(text)
