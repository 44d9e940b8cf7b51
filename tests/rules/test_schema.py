"""The JSON Schema of rule files: what editors complete and check by."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from jsonschema import Draft7Validator

import rules
from rules.dispatch_fields import DISPATCH_KEYS
from rules.document import plain, read_document
from rules.ladder_fields import LADDER_KEYS, RUNG_KEYS
from rules.loader import FILE_KEYS
from rules.names import CONDITION_NAMES
from rules.operators import OPERATORS
from rules.problems import Report
from rules.rule_fields import RULE_KEYS
from rules.schedule import SCHEDULE_KEYS
from rules.schema import schema
from tests.rules.given import rule_file, ruleset

ROOT = Path(rules.__file__).parent
FILES = [p for p in sorted((ROOT / "examples").glob("*.yaml")) if ".test." not in p.name]
BLOCKS = re.findall(
    r"^```yaml\n(.*?)^```$", (ROOT / "LANGUAGE.md").read_text(), re.MULTILINE | re.DOTALL
)
VALIDATOR = Draft7Validator(schema())


def faults(text: str) -> list[str]:
    """The paths at which a file is not as the schema says."""
    value = plain(read_document(text, "rules.yaml", Report()))
    found = []
    for error in VALIDATOR.iter_errors(value):
        deepest = error
        while deepest.context:
            deepest = max(deepest.context, key=lambda each: len(each.absolute_path))
        path = ".".join(map(str, deepest.absolute_path))
        found.append(path.removeprefix("rules.0").removeprefix("."))
    return found


def test_it_is_a_schema():
    Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_examples_are_as_it_says(path):
    assert faults(path.read_text()) == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if "\ntests:" not in block])
def test_the_examples_of_the_reference_are_as_it_says(block):
    assert faults(block if block.startswith("version:") else rule_file(block)) == []


def test_it_has_all_that_the_loader_knows():
    definitions = schema()["definitions"]
    assert set(schema()["properties"]) == set(FILE_KEYS)
    assert set(definitions["rule"]["properties"]) == set(RULE_KEYS)
    assert set(definitions["dispatch_fields"]["properties"]) == set(DISPATCH_KEYS)
    several = definitions["dispatch_of_several"]["properties"]
    assert set(several) == {*DISPATCH_KEYS, *LADDER_KEYS}
    assert set(definitions["rung"]["properties"]) == set(RUNG_KEYS)
    assert set(definitions["schedule"]["else"]["properties"]) == set(SCHEDULE_KEYS)
    assert set(definitions["when"]["properties"]) > set(CONDITION_NAMES.fields)
    operators = {
        operator
        for name in ("text", "number", "boolean")
        for operator in definitions[name]["then"]["properties"]
    }
    assert operators == set(OPERATORS)


def test_every_field_is_described():
    definitions = schema()["definitions"]
    for name in ("rule", "dispatch_of_several", "rung"):
        for key, field in definitions[name]["properties"].items():
            assert field["description"], f"{name}.{key}"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ("whn: {room: {name: a}}", ""),
        ("when: {room: {name: {starts_with: a}}}", "when.room.name"),
        ("when: {romm: {name: a}}", "when"),
        ("when: {room: {nme: a}}", "when.room"),
        ("when: {participant: {attributes: {a: true}}}", "when.participant.attributes.a"),
        ("when: {room: {name: 7}}", "when.room.name"),
        ("when: {room: {max_participants: '7'}}", "when.room.max_participants"),
        ("when: {humans: {not: a}}", "when.humans"),
        ("when: {}", "when"),
        ("on: participant_joint", "on"),
        ("on: [participant_joined, nothing]", "on.1"),
        ("on: []", "on"),
        ("once: rooms", "once"),
        ("again: always", "again"),
        ("group: My Group", "group"),
        ("limit: {active: 0}", "limit.active"),
        ("limit: {per: a}", "limit"),
        ("after: 2", "after"),
        ("after: 2 seconds", "after"),
        ("enabled: sure", "enabled"),
        ("if: true", "if"),
        ("schedule: {hours: 9-17}", "schedule.hours"),
        ("schedule: {days: [monday]}", "schedule.days.0"),
        ("schedule: {except: christmas}", "schedule.except"),
        ("dispatch: {agent: a, deployment: {weights: {a: -1}}}", "dispatch.deployment.weights.a"),
        ("dispatch: {agent: a, restart_policy: sometimes}", "dispatch.restart_policy"),
        ("dispatch: {agent: a, attributes: {a: 1}}", "dispatch.attributes.a"),
        ("dispatch: {agent: a, provider: zoom}", "dispatch.provider"),
        ("dispatch: []", "dispatch"),
        ("dispatch: [{agent: a, join: 5s}]", "dispatch.0"),
        ("join_within: 5", "join_within"),
        ("join_within: 5s\ndispatch: [{agent: a}]", ""),
        ("fallback: [{agnt: a}]", "fallback.0"),
        ("fallback: []", "fallback"),
        ("release: soon", "release"),
        ("release: {after: 5s}", "release"),
        ("release: {when: {room: {name: a}}}", "release.when"),
    ],
)
def test_what_is_wrong_is_shown_where_it_is(body, at):
    assert at in faults(rule_file(body))


@pytest.mark.parametrize(
    "text",
    [
        "rules: []",
        "version: 2\nrules: []",
        "version: 1",
        "version: 1\nrules: {}",
        "version: 1\nrules: []\nrule: []",
        "version: 1\nrules: []\ndefaults: {when: {}}",
        "version: 1\ntables: {a-b: {}}",
        "version: 1\nrules: [{on: room_started}]",
    ],
)
def test_files_that_are_no_rule_files(text):
    assert faults(text)


@pytest.mark.parametrize(
    "body",
    [
        "when: {any: [{room: {name: a}}, {not: {humans: bob}}]}",
        "when: {room: [{name: a}, {metadata: {x: 1}}]}",
        "when: {room: {exists: true}, participant: {exists: false}}",
        "when: {room: {metadata: {field: {any: 1}, list: [1, {gte: 2}], deep: {er: {in: [1]}}}}}",
        "when: {participant: {attributes: {any: [{a: b}], not: {c: d}, field: {not: x}}}}",
        "when: {participant: {attributes: {exists: true}}}",
        "when: {participant: {kind: [SIP, NEWER], permission: {can_publish_sources: CAMERA}}}",
        "when: {participants: {identity: {prefix: a, not: {suffix: x}}}, agents: {gte: 1, lt: 3}}",
        "when: {field: {room: {name: a}}}",
        "schedule: [{days: sat-mon, except: 2026-12-25}, {hours: ['22:00-06:00', '09:00-10:00']}]",
        "dispatch: {agent: a, metadata: [1, {a: null}], deployment: '{{ room.name }}'}",
        "dispatch: [{id: a, agent: a, release: {when: {not: {humans: bob}}, after: 1m}}]",
        "release: last_human_left",
    ],
)
def test_what_the_loader_takes_is_not_refused(body):
    assert ruleset(rule_file(body)).rules
    assert faults(rule_file(body)) == []


def test_defaults_may_hold_a_part_of_a_dispatch():
    text = dedent("""
        version: 1
        x-a: [1]
        defaults: {join_within: 5s, dispatch: {restart_policy: never}, group: a}
        tables: {numbers: {"+34": {agent: a}}}
        rules: [{id: r, on: room_started, dispatch: {agent: a}}]
        """)
    assert faults(text) == []
