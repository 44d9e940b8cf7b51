"""Every example of LANGUAGE.md loads, and what it lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rules
from rules.decision import Reason
from rules.event import EventName
from rules.names import CONDITION_NAMES
from rules.operators import OPERATORS
from rules.sandbox import RuleEnvironment
from tests.rules.given import rule, ruleset

REFERENCE = (Path(rules.__file__).parent / "LANGUAGE.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", REFERENCE, flags=re.MULTILINE | re.DOTALL)


def test_there_are_examples():
    assert len(BLOCKS) > 5


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_loads_without_a_warning(block):
    loaded = ruleset(block) if block.startswith("version:") else rule(block)
    assert loaded.rules
    assert loaded.warnings == ()


def test_every_event_operator_reason_and_filter_is_described():
    filters = set(RuleEnvironment().filters) - {"counted", "d"}
    words = set(re.findall(r"[a-z_0-9]+", REFERENCE))
    for known in (EventName, OPERATORS, Reason, filters):
        assert {str(word) for word in known} <= words


@pytest.mark.parametrize("part", ["room", "participant", "track"])
def test_every_name_is_listed(part):
    (row,) = re.findall(rf"^\| `{part}\.`.*$", REFERENCE, flags=re.MULTILINE)
    listed = set(re.findall(r"`([a-z_]+)`", row))
    group = CONDITION_NAMES.fields[part].fields
    permission = group["permission"].fields if "permission" in group else {}
    assert listed == (group.keys() | permission.keys()) - {"permission"}
