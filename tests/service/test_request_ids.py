"""Each request has a name, in its answer and in what it logs."""

from __future__ import annotations

import json

import pytest
import structlog

from service.api import PREFIX
from service.request_name import add_request_id


@pytest.fixture(autouse=True)
def _named_lines(logging_stays):
    structlog.configure([add_request_id, structlog.processors.JSONRenderer()])


def refused(client, capsys, **headers):
    """The name of a request that is refused: in its answer, and in the one line it logs."""
    answer = client.get(f"{PREFIX}/dispatches", headers=headers)
    assert answer.status_code == 401
    [line] = capsys.readouterr().out.splitlines()
    return answer.headers["X-Request-Id"], json.loads(line)["request_id"]


def test_it_is_in_the_answer_and_in_the_log(client, capsys):
    first, logged = refused(client, capsys)
    assert first == logged
    second, logged = refused(client, capsys)
    assert first != second == logged


def test_a_proxys_name_is_taken_over(client, capsys):
    named = refused(client, capsys, **{"X-Request-Id": "edge-7f:1.a"})
    assert named == ("edge-7f:1.a", "edge-7f:1.a")


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "é", '"'])
def test_an_odd_one_is_not(client, capsys, odd):
    name, _ = refused(client, capsys, **{"X-Request-Id": odd})
    assert len(name) == 16
