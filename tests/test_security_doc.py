"""What security.md says is so: its limits are those of the code, its open routes those that are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules import document, expression, files, limits, loader, tables, template_budget, templates
from service import (
    admin_port,
    attempts,
    bodies,
    front,
    heads,
    json_limits,
    log_bounds,
    problems,
    serve,
)
from service.api import query
from service.dashboard import live
from tests.service.test_every_route import OPEN
from workers import answers
from workers.providers import wire

DOCUMENT = (Path(__file__).parents[1] / "service" / "docs" / "security.md").read_text()
MIB = 1024 * 1024
LIMITS = {
    "a request's body": [bodies.MOST_BYTES // MIB],
    "its time from the head to the end": [int(front.BODY_SECONDS)],
    "its URL": [heads.MOST_URL_BYTES],
    "its headers": [heads.MOST_HEADER_BYTES],
    "JSON in webhooks and bodies": [json_limits.MOST_LEVELS],
    "a whole number in it": [json_limits.MOST_DIGITS],
    "items of a page": [query.MOST],
    "streams of a process to open pages": [live.MOST_STREAMS],
    "connections of a process": [serve.CONNECTIONS],
    "connections at a port of `DISPATCHER_ADMIN_PORT`": [admin_port.CONNECTIONS],
    "attempts of one sender with a token": [attempts.A_MINUTE],
    "attempts from one address": [attempts.A_MINUTE_FROM_ONE_ADDRESS],
    "lines of one kind of warning in a web process's log": [log_bounds.MOST_A_SECOND],
    "an answer of LiveKit or VideoSDK": [wire.MOST_ANSWER_BYTES // MIB],
    "an answer of an agents' worker": [answers.MOST_BYTES // 1024],
    "a rule file": [files.MAX_BYTES // MIB],
    "values in a rule file, aliases written out": [document.MAX_NODES],
    "levels in a rule file": [document.MAX_DEPTH],
    "rule files together": [files.MAX_ALL_BYTES // MIB, files.MAX_FILES],
    "rules": [loader.MAX_RULES],
    "keys of tables": [tables.MAX_ENTRIES],
    "a template": [templates.MAX_SOURCE, templates.MAX_DEPTH],
    "an expression": [expression.MAX_SOURCE],
    "turns of a template's loops": [template_budget.MAX_TURNS],
    "items a template looks at": [template_budget.MAX_WORK],
    "a text or list that a template builds": [template_budget.MAX_LENGTH],
    "metadata of a dispatch": [limits.MAX_METADATA_BYTES],
    "attributes of a dispatch": [limits.MAX_ATTRIBUTES_BYTES],
}
ELSEWHERE = {"their number", "history"}
"""Rows whose figure is granian's, or a setting's."""


def rows() -> dict[str, tuple[str, str]]:
    table = DOCUMENT.split("## Limits\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {what: (most, beyond) for what, most, beyond in cells[1:]}


def test_every_limit_is_in_the_table_and_every_row_is_one() -> None:
    assert rows().keys() == LIMITS.keys() | ELSEWHERE


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_that_of_the_code(what: str) -> None:
    told = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", rows()[what][0])]
    assert told == LIMITS[what]


def test_the_answers_named_there_exist() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    known = {f"{kind.status} `{kind.slug}`" for kind in kinds}
    named = set(re.findall(r"\d{3} `[a-z-]+`", DOCUMENT))
    assert named
    assert named <= known


def test_the_open_routes_are_those_that_are_walked_as_such() -> None:
    sentence = " ".join(re.split(r"Open are", DOCUMENT)[1].split(", and nothing else")[0].split())
    assert set(re.findall(r"`([^`]+)`", sentence)) == OPEN.keys()
