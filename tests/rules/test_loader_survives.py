"""Whatever a rule file holds, loading it gives rules or RuleErrors."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.files import RuleFile
from rules.loader import load, load_files
from rules.names import CONDITION_NAMES, PARTICIPANT, ROOM
from rules.operators import OPERATORS
from rules.problems import RuleErrors
from rules.rule_fields import RULE_KEYS
from tests.rules.given import decided, joined

yaml_ish = st.text(alphabet="ab:-{}[]&*!|>'\"%@`#,? \n\t~<1.é\u2028\x85\0\\x", max_size=60)
words = st.sampled_from(
    [
        *RULE_KEYS, *OPERATORS, *CONDITION_NAMES.fields, *ROOM.fields, *PARTICIPANT.fields,
        "any", "all", "field", "agent", "deployment", "weights", "sticky", "attributes", "version",
        "rules", "participant_joined", "room_started", "SIP", "*", "a*b", "{{ room.name }}", "{{",
        "{{ room.metadata.x | tojson }}", "<<", "", "é", "(",
    ]
)  # fmt: skip
scalars = words | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
mappings = st.dictionaries(words, trees, max_size=4)
rules = st.fixed_dictionaries(
    {
        "id": st.just("a") | scalars,
        "on": st.just("participant_joined") | trees,
        "dispatch": st.fixed_dictionaries(
            {"agent": words}, optional={"metadata": trees, "deployment": trees, "attributes": trees}
        )
        | trees,
    },
    optional={
        "when": mappings
        | st.fixed_dictionaries(
            {}, optional={"room": mappings, "participant": mappings, "any": st.lists(mappings)}
        ),
        "unless": mappings,
        "once": trees,
        "enabled": trees,
    },
)


def loads_or_tells(text):
    with suppress(RuleErrors):
        loaded = load_files([RuleFile("rules.yaml", text)])
        event = joined(room={"metadata": {"x": [1, {"a": None}], "any": "b"}})
        for decision in decided(loaded, event):
            for plan in decision.plans:
                plan.metadata.encode()


@given(content=st.binary(max_size=80))
def test_any_bytes(content):
    with TemporaryDirectory() as folder, suppress(RuleErrors):
        path = Path(folder, "rules.yaml")
        path.write_bytes(content)
        load(path)


@settings(max_examples=400)
@given(text=yaml_ish)
def test_any_text(text):
    loads_or_tells(text)
    loads_or_tells(f"version: 1\nrules:\n  - {text}")
    loads_or_tells(f"version: 1\nrules:\n  - id: a\n    on: participant_joined\n    when: {text}")


@settings(max_examples=400)
@given(tree=trees)
def test_any_yaml(tree):
    loads_or_tells(json.dumps(tree))
    loads_or_tells(json.dumps({"version": 1, "rules": tree}))


@settings(max_examples=600)
@given(rule=rules)
def test_anything_that_is_nearly_a_rule(rule):
    loads_or_tells(json.dumps({"version": 1, "rules": [rule]}))


@given(template=st.text(alphabet="{}%# |()[].'\"~*+-aroom_metadata1:,", max_size=40))
def test_any_template(template):
    rule = {
        "id": "a",
        "on": "participant_joined",
        "dispatch": {"agent": "a", "metadata": "{{" + template},
    }
    loads_or_tells(json.dumps({"version": 1, "rules": [rule]}))
