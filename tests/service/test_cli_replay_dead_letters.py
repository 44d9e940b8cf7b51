from __future__ import annotations

import json

import pytest

from tests.service.cli import dispatcher
from tests.service.signed import joined
from workers import keys
from workers.places import place


@pytest.fixture
def letters(redis, settings):
    """Two events put aside, as a worker writes them."""
    server = settings.servers[0].id
    for number in (1, 2):
        event = {**joined(f"EV_{number}"), "project": "devkey"}
        value = {
            "id": f"EV_{number}",
            "server": server,
            "room": "support-1",
            "at": f"2026-01-01T00:00:0{number}.000Z",
            "error": "ValueError: broken\x1b",
            "body": event,
        }
        redis.set(f"{keys.DEAD}{server}:EV_{number}", json.dumps(value))
        redis.zadd(keys.DEAD_LETTERS, {place("support-1", f"{server}:EV_{number}"): number})


@pytest.fixture
def run(environ):
    return lambda *args: dispatcher("replay", "--dead-letters", *args, environ=environ)


def test_none(run, redis):
    assert run().stdout == "no dead letters\n"
    assert json.loads(run("--json").stdout) == {"dead_letters": []}


@pytest.mark.usefixtures("letters")
class TestWithLetters:
    def test_they_are_listed_newest_first(self, run):
        done = run()
        lines = done.stdout.splitlines()
        assert lines[0].split() == ["AT", "ROOM", "EVENT", "ERROR"]
        assert [line.split()[2] for line in lines[1:]] == ["EV_2", "EV_1"]
        assert "\x1b" not in done.stdout
        told = json.loads(run("--json").stdout)["dead_letters"]
        assert [letter["id"] for letter in told] == ["EV_2", "EV_1"]

    def test_one_is_replayed_by_its_id(self, run, redis):
        done = run("EV_1")
        assert (done.returncode, done.stdout) == (0, "EV_1  accepted\n")
        [inbox] = redis.keys(keys.INBOX + "*")
        assert redis.llen(inbox) == 1
        assert "EV_1" not in run().stdout

    def test_all_are(self, run):
        assert json.loads(run("--all", "--json").stdout) == {
            "replayed": {"EV_1": "accepted", "EV_2": "accepted"}
        }
        assert run().stdout == "no dead letters\n"

    def test_one_that_is_not_there_is_status_1(self, run):
        done = run("EV_9")
        assert (done.returncode, done.stdout) == (1, "EV_9  not found\n")
