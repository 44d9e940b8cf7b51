"""The JSON Schema of rule files: what editors complete and check by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

import rules
from rules.defaults import EACH_ITS_OWN
from rules.dispatch_fields import DISPATCH_KEYS
from rules.document import plain, read_document
from rules.ladder_fields import LADDER_KEYS, RUNG_KEYS
from rules.loader import FILE_KEYS
from rules.names import CONDITION_NAMES, KINDS, PARTICIPANT, PRESENCE_NAMES, ROOM, Kind, Name
from rules.notify import NOTIFY, NOTIFY_KEYS
from rules.operators import OPERATORS, fits
from rules.problems import Report
from rules.rule_fields import RULE_KEYS
from rules.schedule import SCHEDULE_KEYS
from rules.schema import schema
from rules.schema_conditions import _Conditions
from rules.schema_names import NAMES_TOLD
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
    assert set(schema()["properties"]["defaults"]["properties"]) == set(RULE_KEYS) - EACH_ITS_OWN
    assert set(definitions["dispatch"]["properties"]) == set(DISPATCH_KEYS)
    several = definitions["dispatch_of_several"]["properties"]
    assert set(several) == {*DISPATCH_KEYS, *LADDER_KEYS}
    assert set(definitions["rung"]["properties"]) == {*RUNG_KEYS, NOTIFY}
    notify = definitions["rung"]["properties"][NOTIFY]["properties"]
    assert set(notify) == set(NOTIFY_KEYS)
    assert set(definitions["schedule"]["else"]["properties"]) == set(SCHEDULE_KEYS)


@pytest.mark.parametrize("kind", Kind)
def test_it_has_the_operators_that_fit(kind):
    name = Name(kind)
    mapping = _Conditions().value("it", name, "")["else"]
    combinators = {"any", "all", "field"} & set(mapping["properties"])
    fitting = {operator for operator in OPERATORS if fits(operator, kind)}
    assert set(mapping["properties"]) == fitting | combinators
    assert bool(combinators) == (kind not in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.NAMES))


def test_it_has_the_names_and_constants_of_conditions():
    definitions = schema()["definitions"]
    combinators = {"any", "all", "field", "not", "exists"}
    for key, group in (
        ("when_or_list", CONDITION_NAMES),
        ("presence_or_list", PRESENCE_NAMES),
        ("room", ROOM),
        ("participant", PARTICIPANT),
    ):
        assert set(definitions[key]["else"]["properties"]) == {*group.fields, *combinators}
    assert definitions["participant.kind"]["anyOf"] == [{"enum": list(KINDS.constants)}, {}]


def test_every_name_is_told_and_no_other():
    assert set(NAMES_TOLD) == set(dotted(CONDITION_NAMES))


def dotted(group, above=""):
    """The names of a group; those of `participants` are those of `participant`."""
    for key, name in group.fields.items():
        yield above + key
        if key != "participants":
            yield from dotted(name, f"{above}{key}.")


def test_every_field_is_described():
    assert [where for where, field in fields(schema()) if not field.get("description")] == []


def fields(part, where=""):
    """All fields, but for what only says which of them must or must not be there."""
    for key, inner in part.get("properties", {}).items():
        yield f"{where}.{key}", inner
        yield from fields(inner, f"{where}.{key}")
    for key in ("else", "then", "items", "additionalProperties"):
        if isinstance(part.get(key), dict) and "required" not in part.get("if", ()):
            yield from fields(part[key], f"{where}.{key}")
    for key, inner in part.get("definitions", {}).items():
        yield from fields(inner, key)


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
        ("when: room", "when"),
        ("when: {any: {room: {name: a}}}", "when.any"),
        ("when: {any: [{room: {nme: a}}]}", "when.any.0.room"),
        ("when: {not: {rom: {name: a}}}", "when.not"),
        ("when: {room: [{name: a}, {nme: b}]}", "when.room.1"),
        ("when: {room: {metadata: 7}}", "when.room.metadata"),
        ("when: {room: {metadata: {prefix: 7}}}", "when.room.metadata.prefix"),
        ("when: {room: {metadata: {a: {b: {gte: many}}}}}", "when.room.metadata.a.b.gte"),
        ("when: {participant: {kind: {in: SIP}}}", "when.participant.kind.in"),
        ("when: {participant: {attributes: {a: 7}}}", "when.participant.attributes.a"),
        (
            "when: {participant: {attributes: {a: {exists: 1}}}}",
            "when.participant.attributes.a.exists",
        ),
        ("when: {track: {muted: 'no'}}", "when.track.muted"),
        ("unless: {agents: {exists: true}}", "unless.agents"),
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
        ("schedule: {except: '2026-08-01..'}", "schedule.except"),
        ("dispatch: {agent: a, deployment: {weights: {a: -1}}}", "dispatch.deployment.weights.a"),
        ("dispatch: {agent: a, restart_policy: sometimes}", "dispatch.restart_policy"),
        ("dispatch: {agent: a, attributes: {a: 1}}", "dispatch.attributes.a"),
        ("dispatch: {agent: a, provider: zoom}", "dispatch.provider"),
        ("dispatch: {agent: a, metadata: 7}", "dispatch.metadata"),
        ("dispatch: {agent: a, id: 7}", "dispatch.id"),
        ("dispatch: {agent: a, deployment: 7}", "dispatch.deployment"),
        ("dispatch: {agent: a, deployment: {sticky: room}}", "dispatch.deployment"),
        ("dispatch: {deployment: a}", "dispatch"),
        ("dispatch: [{agent: a}, {deployment: a}]", "dispatch.1"),
        ("dispatch: {agent: a, join_within: 5s}", "dispatch"),
        ("dispatch: greeter", "dispatch"),
        ("dispatch: []", "dispatch"),
        ("dispatch: [{agent: a, join: 5s}]", "dispatch.0"),
        ("join_within: 5", "join_within"),
        ("join_within: 5s\ndispatch: [{agent: a}]", "join_within"),
        ("release: never\ndispatch: [{agent: a}]", "release"),
        ("fallback: [{agnt: a}]", "fallback.0"),
        ("fallback: []", "fallback"),
        ("fallback: [{}]", "fallback.0"),
        ("release: soon", "release"),
        ("release: {after: 5s}", "release"),
        ("release: {when: {room: {name: a}}}", "release.when"),
        ("release: {when: soon}", "release.when"),
        ("release: {when: never, after: soon}", "release.after"),
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
        "version: 1\nrules: [{on: room_started, dispatch: {agent: a}}]",
        "version: 1\nrules: [{id: r, dispatch: {agent: a}}]",
        "version: 1\nrules: [{id: r, on: room_started}]",
        "version: 1\ndefaults: {dispatch: {version: a}}\nrules: [{id: r, on: room_started}]",
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


@pytest.mark.parametrize(
    ("defaults", "rule"),
    [
        ("{join_within: 5s, dispatch: {restart_policy: never}, group: a}", "dispatch: {agent: a}"),
        ("{dispatch: {agent: a}}", "dispatch: {deployment: b}"),
        ("{dispatch: {agent: a}}", "once: room"),
        ("{dispatch: [{agent: a}, {agent: b}]}", "once: room"),
        ("{dispatch: {release: never, join_within: 5s}}", "dispatch: [{agent: a}, {agent: b}]"),
    ],
)
def test_defaults_may_hold_a_dispatch_or_a_part_of_it(defaults, rule):
    text = f"version: 1\nx-a: [1]\ndefaults: {defaults}\nrules:\n  - id: r\n    on: room_started\n"
    text += f"    {rule}\n"
    assert ruleset(text).rules
    assert faults(text) == []
