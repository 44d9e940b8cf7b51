"""Every example of LANGUAGE.md loads, and what it lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

import rules
from rules.decision import Reason
from rules.event import EventName
from rules.files import RuleFile
from rules.loader import load_all
from rules.names import CONDITION_NAMES
from rules.operators import OPERATORS
from rules.problems import Report
from rules.rule_test_run import run_test
from rules.rule_tests import read_tests
from rules.sandbox import RuleEnvironment
from tests.rules.given import rule, ruleset

REFERENCE = (Path(rules.__file__).parent / "LANGUAGE.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", REFERENCE, flags=re.MULTILINE | re.DOTALL)


def test_there_are_examples():
    assert len(BLOCKS) > 5


@pytest.mark.parametrize("block", [block for block in BLOCKS if "\ntests:" not in block])
def test_every_example_loads_without_a_warning(block):
    loaded = ruleset(block) if block.startswith("version:") else rule(block)
    assert loaded.rules
    assert loaded.warnings == ()


def test_the_example_of_a_rule_test_passes(tmp_path):
    (tests,) = (block for block in BLOCKS if "\ntests:" in block)
    (waiting,) = (block for block in BLOCKS if "agent: waiting-line" in block)
    body = indent(f"id: waiting-line\n{waiting}", "    ").replace("    id", "  - id", 1)
    (tmp_path / "support.yaml").write_text(BLOCKS[0] + body)
    report = Report()
    file = read_tests(RuleFile(str(tmp_path / "support.test.yaml"), tests), report)
    assert report.problems == []
    results = [run_test(load_all(file.rules), test) for test in file.tests]
    assert [result.differences for result in results] == [(), ()]


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
