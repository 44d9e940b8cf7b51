"""Each request has a name, in its answer and in what it logs."""

from __future__ import annotations

import pytest

from service.api import PREFIX


def refused(client, capsys, **headers):
    answer = client.get(f"{PREFIX}/dispatches", headers=headers)
    assert answer.status_code == 401
    return answer.headers["X-Request-Id"], capsys.readouterr().out


def test_it_is_in_the_answer_and_in_the_log(client, capsys):
    first, said = refused(client, capsys)
    assert f"request_id={first}" in said
    second, said = refused(client, capsys)
    assert second != first
    assert first not in said


def test_a_proxys_name_is_taken_over(client, capsys):
    name, said = refused(client, capsys, **{"X-Request-Id": "edge-7f:1.a"})
    assert name == "edge-7f:1.a"
    assert "request_id=edge-7f:1.a" in said


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "é", '"'])
def test_an_odd_one_is_not(client, capsys, odd):
    name, _ = refused(client, capsys, **{"X-Request-Id": odd})
    assert len(name) == 16
