"""The schema never refuses a file that loads: an editor that is wrong is switched off.

`made.py` says how to run this for longer.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from rules.defaults import EACH_ITS_OWN
from rules.document import plain, read_document
from rules.files import RuleFile
from rules.loader import load_files
from rules.names import CONDITION_NAMES, JSON, PRESENCE_NAMES, TEXT, Kind
from rules.operators import NUMBER_OPERATORS, OPERATORS, TEXT_OPERATORS
from rules.problems import Report, RuleErrors
from rules.schema import schema
from tests.rules.given import rule_file
from tests.rules.made import (
    dispatches,
    durations,
    ladders,
    long,
    mutated_texts,
    nearly_rule_files,
    rule_bodies,
    with_ids,
    written_files,
)

VALIDATOR = Draft7Validator(schema())


def loads(text):
    try:
        load_files([RuleFile("rules.yaml", text)])
    except RuleErrors:
        return False
    return True


def refused(text):
    """What the schema says of a file, each with its path."""
    value = plain(read_document(text, "rules.yaml", Report()))
    return [(list(fault.absolute_path), fault.message) for fault in VALIDATOR.iter_errors(value)]


def in_rules(faults):
    """Without those in `defaults`: the loader does not read what no rule takes of them."""
    return [fault for fault in faults if fault[0][:1] != ["defaults"]]


CONSTANTS = {
    Kind.TEXT: st.sampled_from(["a", "*", "true", "SIP", ""]),
    Kind.NUMBER: st.sampled_from([0, 1, 2.5, -3]),
    Kind.BOOLEAN: st.booleans(),
    Kind.NAMES: st.sampled_from(["a", "b*", 2]),
    Kind.METADATA: st.sampled_from(["a", "*"]),
    Kind.JSON: st.sampled_from(["a", 1, 0.5, True]),
}
ANYWHERE = st.sampled_from(["a", 1, True, None, [], {}])
FREE_KEYS = st.sampled_from(["a", "b.c", *OPERATORS, "any", "all", "field"])


@st.composite
def behind(draw, name, depth=3):
    """What may stand behind a name; most of it loads."""
    forms = ["constant"] * (name.kind in CONSTANTS) + ["operators"]
    if depth:
        forms += ["list"]
        if name.kind in (Kind.GROUP, Kind.ATTRIBUTES, Kind.METADATA, Kind.JSON):
            forms += ["fields", "fields", "combined"]
    form = draw(st.sampled_from(forms))
    deeper = behind(name, max(depth - 1, 0))
    match form:
        case "constant":
            return draw(CONSTANTS[name.kind] | ANYWHERE if depth == 0 else CONSTANTS[name.kind])
        case "list":
            return draw(st.lists(deeper, min_size=1, max_size=2))
        case "operators":
            return draw(operators(name, deeper if depth else st.just("a")))
        case "combined":
            key = draw(st.sampled_from(["any", "all", "not", "field"]))
            several = st.lists(deeper, min_size=1, max_size=2)
            return {key: draw(several if key in ("any", "all") else deeper)}
        case _:
            return draw(fields(name, depth))


def operators(name, operand):
    constants = CONSTANTS.get(name.kind, CONSTANTS[Kind.TEXT])
    lists = st.lists(constants, min_size=1, max_size=2)
    takes = {
        "equals": constants,
        "in": lists | st.just({"table": "t"}),
        "not": operand,
        "exists": st.booleans(),
        **dict.fromkeys(TEXT_OPERATORS, CONSTANTS[Kind.TEXT]),
        **dict.fromkeys(NUMBER_OPERATORS, CONSTANTS[Kind.NUMBER]),
    }
    return st.sampled_from(OPERATORS).flatmap(lambda key: st.builds(lambda v: {key: v}, takes[key]))


@st.composite
def fields(draw, name, depth):
    """A mapping of a name's fields."""
    if name.kind is Kind.GROUP:
        key = draw(st.sampled_from(sorted(name.fields)))
        child = name.fields[key]
    else:
        key = draw(FREE_KEYS)
        child = TEXT if name.kind is Kind.ATTRIBUTES else JSON
    found = {key: draw(behind(child, depth - 1))}
    return (
        {**found, **draw(fields(name, depth - 1))} if depth > 1 and draw(st.booleans()) else found
    )


def one_rule(**body):
    # `unless` is asked of no loop guard, and may ask for what the event has not
    rule = {"id": "r", "on": "track_published", "dispatch": {"agent": "a"}, **body}
    return json.dumps({"version": 1, "tables": {"t": {"a": 1}}, "rules": [rule]})


@long(500)
@given(behind(CONDITION_NAMES))
def test_conditions(conditions):
    text = one_rule(unless=conditions)
    assert refused(text) == [] or not loads(text)


@long(150)
@given(behind(PRESENCE_NAMES), durations)
def test_conditions_of_a_release(conditions, after):
    text = one_rule(release={"when": conditions, "after": after})
    assert refused(text) == [] or not loads(text)


parts_of_dispatches = st.builds(
    lambda dispatch, ladder, out: {
        key: value for key, value in {**dispatch, **ladder}.items() if key not in out
    },
    dispatches,
    ladders,
    st.sets(st.sampled_from(["agent", "join_within", "fallback", "release"])),
)


@st.composite
def files_with_defaults(draw):
    """Rule files that leave this and that to their defaults."""
    rules = draw(st.lists(rule_bodies, min_size=1, max_size=2))
    defaults = draw(rule_bodies)
    defaults["dispatch"] = draw(
        parts_of_dispatches | st.lists(parts_of_dispatches, min_size=1, max_size=2)
    )
    defaults = {k: v for k, v in defaults.items() if k not in EACH_ITS_OWN and draw(st.booleans())}
    for rule in rules:
        if draw(st.booleans()):
            del rule["dispatch"]
        elif isinstance(rule["dispatch"], dict) and draw(st.booleans()):
            del rule["dispatch"]["agent"]
    tables = {"t": {"support-1": "x", "a": {"k": 1}}}
    return {"version": 1, "defaults": defaults, "tables": tables, "rules": with_ids(rules)}


@long(150)
@given(files_with_defaults())
def test_what_is_left_to_defaults(tree):
    text = json.dumps(tree)
    assert refused(text) == [] or not loads(text)


@long(150)
@given(nearly_rule_files)
def test_files_that_are_nearly_right(tree):
    text = json.dumps(tree)
    assert in_rules(refused(text)) == [] or not loads(text)


@long(150)
@given(mutated_texts())
def test_files_that_were_spoilt(text):
    assert not loads(text) or in_rules(refused(text)) == []


@pytest.mark.parametrize("text", written_files())
def test_written_files(text):
    assert loads(text)
    assert refused(text) == []


@pytest.mark.parametrize(
    "body",
    [
        "schedule: {except: [20261225, 2026-W52, 2026W521, 2026-W52-5, 2026-01-01..2026-W03]}",
        "schedule: {except: '20261225'}",
        "schedule: [{days: sat-mon, except: 2026-12-25}, {hours: ['22:00-06:00', '09:00-24:00']}]",
        "after: '0'",
        "when: {not: [{room: {name: a}}, {humans: 1}]}",
        "when: {room: [[{name: a}], {not: {name: [b, [c]]}}]}",
        "release: {when: {not: [{humans: 1}]}}",
    ],
)
def test_forms_that_few_would_think_of(body):
    text = rule_file(body).replace("20261225,", "'20261225',")
    assert loads(text)
    assert refused(text) == []
