"""`dispatcher forget` tells what it finds, asks, and tells what it has done."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.environment import needed
from tests.service.cli import dispatcher
from tests.service.rooms import HUMAN, put_room
from tests.workers.test_forgetting import event, kept, left, letter
from workers.audit import Audit

BODY = {"event": "participant_joined", "participant": {"identity": "ana"}}


@pytest.fixture
def run(environ):
    return lambda *args: dispatcher("forget", *args, environ=environ)


@pytest.fixture
def ana(redis):
    event(redis, "EV_ana", "ana")
    event(redis, "EV_ben", "ben", of_room={"metadata": '{"owner":"ana"}'})
    kept(redis, id="Dana", participant="ana")
    letter(redis, "EV_dead", BODY)


@pytest.mark.usefixtures("ana")
def test_where_nobody_can_be_asked_nothing_goes_and_what_there_is_is_told(run, redis):
    done = run("--identity", "ana")
    assert done.returncode == 2
    assert done.stdout == (
        "found: 1 event, 1 mention in an event of others, 1 dispatch, 1 dead letter\n"
    )
    assert "say --yes" in done.stderr
    assert left(redis) == (["EV_ana", "EV_ben"], ["Dana"])
    assert Audit(redis).last() == []


@pytest.mark.usefixtures("ana")
def test_with_yes_it_goes(run, redis):
    done = run("--identity", "ana", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "forgotten: 1 event, 1 mention in an event of others, 1 dispatch, 1 dead letter\n"
    )
    assert left(redis) == (["EV_ben"], [])
    assert run("--identity", "ana").stdout == "found: nothing\n"


@pytest.mark.usefixtures("ana")
def test_the_audit_has_it_without_whom(run, redis):
    run("--identity", "ana", "--room", "r1", "--yes")
    [act] = Audit(redis).last()
    assert (act["what"], act["target"]) == ("forget", {"room": "r1"})
    assert act["result"].startswith("1 event,")
    assert "ana" not in json.dumps({**act, "who": "", "sender": ""})


@pytest.mark.usefixtures("ana")
def test_as_json(run):
    counts = {"events": 1, "mentions": 1, "dispatches": 1, "dead_letters": 1,
              "notices": 0, "live": 0,
              "unread": 0, "rooms": []}  # fmt: skip
    assert json.loads(run("--identity", "ana", "--json").stdout) == {"found": counts}
    assert json.loads(run("--identity", "ana", "--json", "--yes").stdout) == {"forgotten": counts}


@pytest.mark.usefixtures("ana")
def test_what_is_live_makes_the_answer_no(run, redis, settings):
    put_room(redis, settings.servers[0].id, "support-1", HUMAN)
    done = run("--identity", "ana", "--yes")
    assert done.returncode == 1
    assert "left alone: what is live, or over for less than an hour, in support-1" in done.stdout
    assert left(redis) == (["EV_ben"], [])
    done = run("--identity", "ana")
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "found: nothing")


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize(("said", "status"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks(environ, redis, said, status):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{said}\n".encode())
        done = subprocess.run(
            [sys.executable, "-P", "-m", "service", "forget", "--identity", "ana"],
            env={**needed(), **environ}, stdin=theirs, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == status
    assert "found: 1 event" in done.stderr
    assert "Forget it?" in done.stderr
    assert (left(redis)[1] == []) is (said == "y")


@pytest.mark.parametrize("args", [[], ["--identity", ""]])
def test_whom_it_is_about_must_be_said(run, args):
    assert run(*args).returncode == 2
