from __future__ import annotations

import json

import pytest

from tests.service.cli import dispatcher
from tests.service.rooms import AGENT, HUMAN, OTHER_AGENT, dispatch, put_room
from workers.dispatch import State


@pytest.fixture
def rooms(redis, settings):
    server = settings.servers[0].id
    ours = dispatch("support-1")
    put_room(redis, server, "support-1", HUMAN, AGENT, OTHER_AGENT, dispatches=(ours,), at=3.0)
    waiting = dispatch(
        "support-2", id="Dwait", state=State.PENDING, agent_sid=None, agent_identity=None,
        joined_at=None,
    )  # fmt: skip
    five = [{**HUMAN, "sid": f"PA_1{n}", "identity": f"h{n}"} for n in range(5)]
    put_room(redis, server, "support-2", *five, dispatches=(waiting,), at=2.0)
    put_room(redis, server, "a\x1b[31m\nroom", at=1.0)
    put_room(redis, server, "over", HUMAN, ended=True, at=4.0)


def rows(done):
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split() for line in done.stdout.splitlines()]


def test_none_is_live(environ, redis):
    assert dispatcher("rooms", environ=environ).stdout == "no room is live\n"


@pytest.mark.usefixtures("rooms")
class TestRooms:
    def test_the_latest_first_with_humans_and_agents(self, environ):
        head, *found = rows(dispatcher("rooms", environ=environ))
        assert head == ["ROOM", "SINCE", "HUMANS", "AGENTS", "WAITING"]
        since = "2026-02-02T02:40:00Z"
        assert found == [
            ["support-1", since, "ana", "greeter,", "greeter"],
            ["support-2", since, "h0,", "h1,", "h2,", "2", "more", "greeter"],
            ["a�[31m�room", since],
        ]

    def test_fewer(self, environ):
        def names(*args):
            done = dispatcher("rooms", *args, "--json", environ=environ)
            return [room["name"] for room in json.loads(done.stdout)["rooms"]]

        assert names("--match", "support") == ["support-1", "support-2"]
        assert names("--limit", "1") == ["support-1"]
        assert names("--match", "*") == []

    def test_who_is_in_one(self, environ):
        told, _, head, *found = rows(dispatcher("rooms", "support-1", environ=environ))
        assert told[:2] == ["support-1", "(RM_support-1"]
        assert head == ["IDENTITY", "KIND", "JOINED", "AGENT", "DEPLOYMENT", "DISPATCH"]
        assert found == [
            ["ana", "STANDARD", "2026-02-02T02:40:01Z"],
            ["agent-1", "AGENT", "greeter", "beta", "Done"],
            ["agent-x", "AGENT", "greeter", "not", "ours"],
        ]

    def test_who_is_awaited_in_one(self, environ):
        *_, last = rows(dispatcher("rooms", "support-2", environ=environ))
        assert last == ["AGENT", "pending", "greeter", "beta", "Dwait"]

    def test_one_at_a_terminal_that_knows_of_no_livekit(self, environ):
        bare = {name: value for name, value in environ.items() if "LIVEKIT" not in name}
        told = json.loads(dispatcher("rooms", "support-1", "--json", environ=bare).stdout)
        assert [room["name"] for room in told["rooms"]] == ["support-1"]
        assert dispatcher("rooms", "support", environ=bare).returncode == 1

    def test_one_as_json(self, environ):
        told = json.loads(dispatcher("rooms", "support-1", "--json", environ=environ).stdout)
        [room] = told["rooms"]
        assert [(a["identity"], a["ours"]) for a in room["agents"]] == [
            ("agent-1", True), ("agent-x", False)
        ]  # fmt: skip
        assert told["events"] == []

    @pytest.mark.parametrize("name", ["nobody", "over", ""])
    def test_one_that_is_not_live(self, environ, name):
        done = dispatcher("rooms", name, environ=environ)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"no room '{name}' is live" in done.stderr

    def test_wrong_use(self, environ):
        assert dispatcher("rooms", "a", "--match", "b", environ=environ).returncode == 2
        done = dispatcher("rooms", "--watch", environ=environ)
        assert (done.returncode, "needs --json" in done.stderr) == (2, True)
