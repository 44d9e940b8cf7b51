"""Rule files that are right, nearly right, and spoilt: they load, or say clearly where they fail.

`made.py` says how to run this for longer.
"""

from __future__ import annotations

import json
import re

from hypothesis import example, given

from rules.files import RuleFile
from rules.loader import load_files
from rules.problems import RuleErrors
from tests.rules.made import (
    block,
    in_time,
    long,
    mutated_texts,
    nearly_rule_files,
    rule_files,
    written_files,
)

BREAKS = re.compile("\r\n|[\n\r]")
OF_PYTHON = re.compile(
    r"Traceback|object at 0x|NoneType|<class|<function|(?<!Unicode)\w+Error\b|unhashable"
    r"|positional argument|has no attribute|not subscriptable|not iterable|dict_keys"
)


def told(text):
    """The problems of a file, errors or warnings; each is checked to be readable."""
    with in_time():
        try:
            found = load_files([RuleFile("rules.yaml", text)]).warnings
        except RuleErrors as errors:
            found = errors.problems
            assert any(problem.severity == "error" for problem in found)
    lines = BREAKS.split(text)
    for problem in found:
        assert problem.path == "rules.yaml"
        assert 1 <= problem.line <= len(lines) + 1, problem
        assert problem.column >= 1, problem
        if problem.line <= len(lines):
            assert problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert len(problem.message.splitlines()) == 1, problem
        assert problem.message.isprintable(), problem
        assert not OF_PYTHON.search(problem.message), problem
        problem.message.encode()
    return found


def test_the_files_that_are_spoilt_here_load():
    for text in written_files():
        assert [each for each in told(text) if each.severity == "error"] == []


@long(400)
@given(mutated_texts())
@example("version: 1\nrules:\n  - &base\n    <<: *base")
@example("version: 1\nrules: [{id: a, on: x, when: &w {not: *w}}]")
def test_a_file_that_was_spoilt_says_where(text):
    told(text)


@long(300)
@given(nearly_rule_files)
def test_a_file_that_is_nearly_right_says_where(tree):
    told(json.dumps(tree))
    told(block(tree))


@long(150)
@given(rule_files)
def test_a_right_file_is_the_same_however_it_is_written(tree):
    flow, blocks = told(json.dumps(tree)), told(block(tree))
    messages = [sorted((p.severity, p.message) for p in each) for each in (flow, blocks)]
    assert re.sub(r"\d+:\d+", "", str(messages[0])) == re.sub(r"\d+:\d+", "", str(messages[1]))
