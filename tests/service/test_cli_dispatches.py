from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.service.cli import dispatcher, keep
from workers import keys
from workers.dispatch import Dispatch, Move, State
from workers.history import dispatch_document
from workers.planned import follower_ids, next_rung
from workers.shown import shown as seen


@pytest.fixture
def kept(redis):
    """Three dispatches in history, an hour apart."""
    now = datetime.now(UTC)
    for number, (room, state) in enumerate(
        [("support-1", "ended"), ("support-2", "active"), ("a room\n", "failed")]
    ):
        dispatch = replace(
            DISPATCH,
            id=f"D{number}",
            room=room,
            deployment="",
            state=State(state),
            created_at=(now - timedelta(hours=2 - number)).timestamp(),
        )
        keep(redis, dispatch_document(None, dispatch))


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

    @pytest.mark.parametrize("how", ["empty", "as people see it", "in another state"])
    def test_one_that_cannot_be_read_is_told_of_beside_the_answer(self, environ, redis, how):
        strange = {
            "empty": {},
            "as people see it": seen(DISPATCH),
            "in another state": dispatch_document(None, DISPATCH).value | {"state": "lost"},
        }[how]
        redis.set("lkd:dispatch:D1", json.dumps(strange))
        done = dispatcher("dispatches", "--json", environ=environ)
        assert [d["id"] for d in json.loads(done.stdout)["dispatches"]] == ["D2", "D0"]
        assert "history_not_read" in done.stderr
        assert "lkd:dispatch:D1" in done.stderr
        shown = dispatcher("dispatches", "show", "D1", environ=environ)
        assert (shown.returncode, shown.stdout) == (1, "")

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
            "ID", "CREATED", "ROOM", "RULE", "AGENT", "DEPLOYMENT", "STATE", "REASON"
        ]  # fmt: skip
        assert "a room�" in lines[1]
        assert {line.index("support ") for line in lines[1:]} == {lines[0].index("RULE")}


FIRST = "D" + 20 * "a"
LAST = follower_ids(FIRST, 1, 0)[0]


DISPATCH = Dispatch(
    id=FIRST, provider="livekit", room="support-1", room_sid="RM_1", rule="support",
    subject="", agent="greeter", deployment="beta", metadata="{}", attributes={"source": "rules"},
    restart_policy="on_failure", event_id="EV_1", rules_hash="h", created_at=1_770_000_000.25,
    received_at=1_770_000_000.248, wanted_at=1_770_000_000.25, join_within=2.0,
    moves=(Move(1_770_000_000.25, State.REQUESTED, None),),
    fallback=(
        {"agent": "greeter", "deployment": "", "metadata": "{}", "attributes": {},
         "restart_policy": "on_failure", "provider": "livekit", "join_within": 2.0},
    ),
)  # fmt: skip


@pytest.fixture
def ladder(redis):
    """A dispatch whose agent did not come, and the one that took over from it."""
    first = DISPATCH.accepted("AD_1", 1_770_000_000.262)
    first = first.withdrawing(State.SUPERSEDED, "no_worker: nobody", 1_770_000_002.262)
    last = next_rung(first, "no_worker", 1_770_000_002.3, seen_at=0.0)
    first = first.ended(State.SUPERSEDED, "no_worker: nobody", 1_770_000_002.3)
    last = last.accepted("AD_2", 1_770_000_002.31).joined("agent-1", "PA_1", 1_770_000_002.45)
    for dispatch in (first, last):
        keep(redis, dispatch_document(None, dispatch))


@pytest.mark.usefixtures("ladder")
class TestShow:
    def test_how_it_came_to_be_where_it_is(self, environ):
        done = dispatcher("dispatches", "show", FIRST, environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        head, moves, latency, line, fields = done.stdout.split("\n\n")
        assert head == f"{FIRST}: greeter in support-1, superseded, no_worker: nobody"
        assert [row.split() for row in moves.splitlines()] == [
            ["TIME", "MS", "STATE", "REASON"],
            ["2026-02-02T02:40:00.250Z", "requested"],
            ["2026-02-02T02:40:00.262Z", "+12", "pending"],
            ["2026-02-02T02:40:02.262Z", "+2000", "pending", "no_worker:", "nobody"],
            ["2026-02-02T02:40:02.300Z", "+38", "superseded", "no_worker:", "nobody"],
        ]
        assert latency == "webhook -> decision 2 ms -> accepted 12 ms"
        assert [row.split()[:4] for row in line.splitlines()[1:]] == [
            ["*", FIRST, "greeter", "beta"],
            [LAST, "greeter", "active"],
        ]
        told = dict(row.split(maxsplit=1) for row in fields.splitlines())
        assert told["dispatch_id"] == "AD_1"
        assert told["attributes"] == "source=rules"
        assert "joined_at" not in told

    def test_the_beginning_of_its_id_is_enough(self, environ):
        done = dispatcher("dispatches", "show", LAST[:9], environ=environ)
        assert done.stdout.startswith(f"{LAST}: greeter in support-1, active\n")
        assert "\naccepted 10 ms -> joined 140 ms\n" in done.stdout

    def test_what_others_were_not_told_of_it_yet(self, environ, redis):
        redis.hset(f"{keys.NOTICE}{LAST}_started", "body", "{}")
        done = dispatcher("dispatches", "show", LAST, environ=environ)
        assert "\n\nnot told yet: dispatch.started\n\n" in done.stdout

    def test_as_json(self, environ):
        done = dispatcher("dispatches", "show", LAST, "--json", environ=environ)
        shown = json.loads(done.stdout)
        assert (shown["id"], shown["follows"], shown["followed_by"]) == (LAST, FIRST, None)
        assert [move["state"] for move in shown["timeline"]] == ["requested", "pending", "active"]
        assert shown["latency"]["joined_ms"] == 140

    @pytest.mark.parametrize("unknown", ["Dnone", "*", "", "D?", "[D]", LAST + "0"])
    def test_one_that_is_not_there(self, environ, unknown):
        done = dispatcher("dispatches", "show", unknown, environ=environ)
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert f"there is no dispatch '{unknown}'" in line

    def test_a_beginning_of_several(self, environ):
        done = dispatcher("dispatches", "show", "D", environ=environ)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert "several dispatches begin with 'D'" in line
        assert f"{FIRST}, {LAST}" in line

    def test_the_list_has_what_the_contract_names_and_no_more(self, environ):
        done = dispatcher("dispatches", "--json", environ=environ)
        for listed in json.loads(done.stdout)["dispatches"]:
            assert set(listed) == {
                "id", "provider", "room", "room_sid", "rule", "subject", "agent", "deployment",
                "metadata", "attributes", "restart_policy", "state", "reason", "dispatch_id",
                "agent_identity", "attempt", "event_id", "rules_hash", "created_at", "accepted_at",
                "joined_at", "ended_at",
            }  # fmt: skip
