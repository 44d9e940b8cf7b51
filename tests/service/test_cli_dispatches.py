from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.service.cli import dispatcher
from workers import keys


@pytest.fixture
def kept(redis):
    """Three dispatches in history, an hour apart."""
    now = datetime.now(UTC)
    for number, (room, state) in enumerate(
        [("support-1", "ended"), ("support-2", "active"), ("a room\n", "failed")]
    ):
        at = now - timedelta(hours=2 - number)
        created = at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        value = {
            "id": f"D{number}",
            "room": room,
            "rule": "support",
            "agent": "greeter",
            "deployment": "",
            "state": state,
            "reason": None,
            "created_at": created,
        }
        redis.set(f"{keys.DISPATCH}D{number}", json.dumps(value))
        redis.zadd(keys.DISPATCHES, {f"D{number}": at.timestamp() * 1000})


@pytest.fixture
def ids(environ):
    def ids(*args):
        done = dispatcher("dispatches", *args, "--json", environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        return [dispatch["id"] for dispatch in json.loads(done.stdout)["dispatches"]]

    return ids


def test_none(environ, redis):
    assert dispatcher("dispatches", environ=environ).stdout == "no dispatches\n"


@pytest.mark.usefixtures("kept")
class TestKept:
    def test_newest_first_with_or_without_list(self, ids):
        assert ids() == ids("list") == ["D2", "D1", "D0"]

    def test_fewer(self, ids):
        assert ids("--limit", "2") == ["D2", "D1"]
        assert ids("--room", "support-1") == ["D0"]
        assert ids("list", "--state", "active") == ["D1"]
        assert ids("--agent", "other") == []
        assert ids("--deployment", "") == ["D2", "D1", "D0"]
        assert ids("--since", "90m") == ["D2", "D1"]

    def test_as_columns_in_a_pipe(self, environ):
        done = dispatcher("dispatches", environ=environ)
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        assert lines[0].split() == [
            "CREATED", "ROOM", "RULE", "AGENT", "DEPLOYMENT", "STATE", "REASON"
        ]  # fmt: skip
        assert "a room�" in lines[1]
        assert {line.index("support ") for line in lines[1:]} == {lines[0].index("RULE")}
