"""The example rule files do what their tests, which stand beside them, say."""

from __future__ import annotations

from pathlib import Path

import pytest

import rules
from rules.files import RuleFile
from rules.loader import load, load_all
from rules.problems import Report
from rules.rule_test_run import run_test
from rules.rule_tests import TestFile, read_tests

EXAMPLES = Path(rules.__file__).parent / "examples"
TESTS = sorted(EXAMPLES.glob("*.test.yaml"))
FILES = sorted(set(EXAMPLES.iterdir()) - set(TESTS))
TABLES = {"dialled-table.yaml"}
"""Files without rules."""


def names(path: Path) -> str:
    return path.name


def read(path: Path) -> TestFile:
    report = Report()
    file = read_tests(RuleFile(str(path), path.read_text()), report)
    assert file is not None
    assert report.problems == []
    return file


@pytest.mark.parametrize("path", TESTS, ids=names)
def test_every_example_does_what_its_tests_say(path: Path) -> None:
    file = read(path)
    results = [run_test(load_all(file.rules), test) for test in file.tests]
    assert {r.test.name: r.differences for r in results if not r.passed} == {}


@pytest.mark.parametrize("path", FILES, ids=names)
def test_every_example_with_rules_has_tests(path: Path) -> None:
    assert path.with_suffix(".test.yaml").exists() == (path.name not in TABLES)


@pytest.mark.parametrize("path", FILES, ids=names)
def test_every_example_says_on_top_whom_it_is_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    comment = next(n for n, line in enumerate(lines) if not line.startswith("# "))
    assert 1 <= comment <= 4


@pytest.mark.parametrize("path", TESTS, ids=names)
def test_every_example_is_tested_for_what_it_does_and_for_what_it_does_not(path: Path) -> None:
    tests = read(path).tests
    assert any(test.expect for test in tests)
    assert any(test.expect == () for test in tests)


def test_every_rule_is_dispatched_or_its_reason_named_by_some_test() -> None:
    shown: set[str] = set()
    for path in TESTS:
        for test in read(path).tests:
            shown |= {str(each["rule"]) for each in test.expect or () if "rule" in each}
            shown |= set(test.reasons)
    assert {rule.id for rule in load(EXAMPLES).rules} == shown


def test_all_load_together_and_only_the_summariser_that_is_too_late_warns() -> None:
    (warning,) = load(EXAMPLES).warnings
    assert Path(warning.path).name == "summary.yaml"
    assert "room_ended" in warning.message
