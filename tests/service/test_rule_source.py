"""A rule's lines are found in its file, wherever in it the id stands."""

from __future__ import annotations

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from service.rule_source import lines_of

TEXT = """\
version: 1
rules:
  # of the first
  - id: first
    on: participant_joined
    dispatch: {agent: a}

  - description: the id comes late
    on:
      - participant_joined
    id: second
    dispatch: {agent: b}
  - {id: third, on: participant_joined,
     dispatch: {agent: c}}
x-more: {}
"""
RULES = load_files([RuleFile("rules.yaml", TEXT)])


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("first", "  - id: first", "    dispatch: {agent: a}"),
        ("second", "  - description: the id comes late", "    dispatch: {agent: b}"),
        ("third", "  - {id: third, on: participant_joined,", "     dispatch: {agent: c}}"),
    ],
)
def test_a_rule_is_the_item_its_id_stands_in(name: str, first: str, last: str) -> None:
    rule = RULES.rule(name)
    assert rule is not None
    lines = TEXT.splitlines()
    found = [lines[n] for n in lines_of(rule, lines)]
    assert (found[0], [line for line in found if line][-1]) == (first, last)


def test_of_a_file_that_is_another_one_now_there_are_none() -> None:
    rule = RULES.rule("third")
    assert rule is not None
    assert not lines_of(rule, ["version: 1"])
