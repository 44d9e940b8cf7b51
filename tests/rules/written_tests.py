"""Files of rule tests in a few words, read, and what is wrong with them."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from rules.files import RuleFile
from rules.problems import Report
from rules.rule_tests import read_tests

if TYPE_CHECKING:
    from pathlib import Path

    from rules.rule_tests import TestFile

EVENT = "{event: participant_joined, room: {name: a}, participant: {identity: ana}}"


def read(text: str, path: str | Path = "some.test.yaml") -> tuple[TestFile | None, Report]:
    """Read a file of tests."""
    report = Report()
    return read_tests(RuleFile(str(path), dedent(text)), report), report


def wrong(text: str, path: str | Path = "some.test.yaml") -> list[str]:
    """What is wrong with a file, by its places."""
    _, report = read(text, path)
    return [f"{p.line}:{p.column}: {p.message}" for p in report.problems]


def wrong_test(body: str) -> list[str]:
    """What is wrong with one test, which begins in line 2, without the places."""
    return [each.split(": ", 1)[1] for each in wrong(f"tests:\n  - {{name: t, {body}}}\n")]
