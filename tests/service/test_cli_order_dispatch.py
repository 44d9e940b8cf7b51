from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.environment import needed
from tests.service.cli import dispatcher, keep
from tests.service.test_api_look import entries
from tests.service.test_cli_dispatches import DISPATCH
from tests.waiting import eventually
from workers import keys
from workers.dispatch import State
from workers.history import dispatch_document
from workers.planned import ordered


@pytest.fixture
def run(environ):
    """Run a command that succeeds; what it prints."""

    def run(*args):
        done = dispatcher("dispatches", *args, environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def refused(environ):
    """Run one that does not; its status and its line."""

    def refused(*args, **more):
        done = dispatcher("dispatches", *args, environ={**environ, **more})
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.returncode, done.stderr.strip()

    return refused


@pytest.fixture
def inbox(redis, settings):
    return lambda room="a": [body for _, body in entries(redis, settings.servers[0], room)]


@pytest.fixture
def kept(redis):
    """Puts a dispatch into history: its first move, or its next."""

    def kept(state, **more):
        made = replace(DISPATCH, room="a", **more)
        keep(redis, dispatch_document(None, made))
        return keep(redis, dispatch_document(made, replace(made, state=state)))

    return kept


def test_an_agent_is_ordered(run, inbox):
    told = run(
        "create", "a", "greeter", "--deployment", "staging", "--metadata", '{"a":1}',
        "--attribute", "source=hand", "--attribute", "x=y=z", "--restart-policy", "never", "--json",
    )  # fmt: skip
    dispatch = json.loads(told)
    assert (dispatch["state"], dispatch["rule"]) == ("requested", None)
    [order] = inbox()
    assert order["dispatch"] == {
        "id": dispatch["id"],
        "agent": "greeter",
        "deployment": "staging",
        "metadata": '{"a":1}',
        "attributes": {"source": "hand", "x": "y=z"},
        "restart_policy": "never",
    }


def test_for_people_it_is_one_line_without_control_characters(run, inbox):
    told = run("create", "a\x1b[31m\n", "greeter")
    assert told.count("\n") == 1
    assert "\x1b" not in told
    assert told.endswith(": greeter in a�[31m�, requested\n")
    assert len(inbox("a\x1b[31m\n")) == 1


def test_with_a_key_the_same_order_is_one_dispatch(run, refused, inbox):
    keyed = ("--idempotency-key", "k")
    assert run("create", "a", "greeter", *keyed) == run("create", "a", "greeter", *keyed)
    status, told = refused("create", "a", "other", *keyed)
    assert (status, "was used before" in told) == (2, True)
    assert len(inbox()) == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("a", " "), "the agent's name is empty"),
        (("", "greeter"), "the room's name is empty"),
        (("a", "greeter", "--deployment", "a_b"), "which LiveKit refuses"),
        (("a", "greeter", "--attribute", "a"), "is not KEY=VALUE"),
        (("a", "greeter", "--attribute", "=a"), "is not KEY=VALUE"),
        (("a", "greeter", "--project", "nobody"), "is not an API key"),
        (("a\udcff", "greeter"), "half a character"),
        (("a",), "Missing argument 'AGENT'"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_stored(refused, redis, args, told):
    status, line = refused("create", *args)
    assert (status, told in line) == (2, True), line
    assert redis.dbsize() == 0


@pytest.mark.parametrize("command", [("create", "a", "greeter"), ("delete", "D1")])
def test_without_a_livekit_it_says_what_to_set(refused, command):
    none = {"LIVEKIT_URL": "", "LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": ""}
    status, told = refused(*command, **none)
    assert (status, "LIVEKIT_URL is not set" in told) == (2, True)


@pytest.mark.parametrize("beginning", [DISPATCH.id, DISPATCH.id[:9]])
def test_a_dispatch_is_to_go(run, kept, inbox, beginning):
    kept(State.PENDING)
    assert run("delete", beginning) == f"{DISPATCH.id}: greeter in a, pending\n"
    [order] = inbox()
    assert (order["order"], order["dispatch"]) == ("remove", DISPATCH.id)


def test_one_that_no_worker_has_taken_up_goes_too(run, inbox):
    ours = json.loads(run("create", "a", "greeter", "--json"))["id"]
    run("delete", ours)
    assert [order["order"] for order in inbox()] == ["dispatch", "remove"]


def test_one_that_is_over_or_not_there_is_refused(refused, kept, inbox):
    kept(State.FAILED)
    assert refused("delete", DISPATCH.id) == (
        1, f"error: {DISPATCH.id} is over already: greeter in a, failed"
    )  # fmt: skip
    assert refused("delete", "Dnone")[0] == 1
    assert inbox() == []


@pytest.mark.parametrize(
    ("state", "status", "told"),
    [(State.ACTIVE, 0, ""), (State.FAILED, 1, "error: its agent has not joined: ")],
)
def test_it_waits_for_the_agent(environ, redis, inbox, state, status, told):
    """A worker, played here, takes the order up and tells what comes of it."""
    waiting = _start(environ, "create", "a", "greeter", "--wait")
    [order] = eventually(inbox)
    asked = order["dispatch"]
    made = ordered(
        asked, order["id"], room="a", room_sid="RM_1", event_at=0.0, now=9.0, received_at=9.0
    )
    keep(redis, dispatch_document(None, made))
    assert waiting.poll() is None
    keep(redis, dispatch_document(made, replace(made, state=state)))
    out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, err.startswith(told)) == (status, True)
    assert out == f"{made.id}: greeter in a, {state}\n"


def test_it_waits_until_it_is_over(environ, redis, kept, inbox):
    kept(State.ACTIVE)
    waiting = _start(environ, "delete", DISPATCH.id, "--wait", "--json")
    eventually(inbox)
    assert waiting.poll() is None
    active = replace(DISPATCH, room="a", state=State.ACTIVE)
    keep(redis, dispatch_document(active, replace(active, state=State.RELEASED)))
    out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, err) == (0, "")
    assert json.loads(out)["state"] == "released"


@pytest.mark.parametrize("command", ["create", "delete"])
def test_help_has_an_example(run, command):
    told = run(command, "--help")
    assert f"dispatcher dispatches {command} " in told.partition("Example:")[2]


def test_what_waits_is_kept_for_a_day(run, redis):
    ours = json.loads(run("create", "a", "greeter", "--json"))["id"]
    assert 86_000 < redis.ttl(keys.ORDER + ours) <= 86_400


def _start(environ, *args):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "service", "dispatches", *args],
        env={**needed(), **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
