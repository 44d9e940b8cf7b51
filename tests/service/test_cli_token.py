from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import click
import pytest
from livekit.api import TokenVerifier

from tests.environment import needed
from tests.service.cli import dispatcher
from tests.service.signed import KEY, SECRET
from tests.service.test_api_look import SECOND
from workers import keys


@pytest.fixture
def run(environ):
    """Run `token`; what it prints, and what it says beside it."""

    def run(*args, room="support-1"):
        done = dispatcher("token", room, "--identity", "ana", *args, environ=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run


@pytest.fixture
def refused(environ):
    def refused(*args, **more):
        done = dispatcher("token", "support-1", "--identity", "ana", *args, environ=environ | more)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        return done.returncode, done.stderr.strip()

    return refused


def verified(text):
    return TokenVerifier(KEY, SECRET).verify(text.strip())


def test_it_is_printed_alone(run, redis, settings):
    out, err = run()
    assert (out.count("\n"), err) == (1, "")
    claims = verified(out)
    assert (claims.identity, claims.video.room) == ("ana", "support-1")
    assert [agent.agent_name for agent in claims.room_config.agents] == ["greeter"]
    assert redis.exists(keys.TOKENS + keys.room_key(settings.servers[0].id, "support-1"))


def test_everything_that_can_be_said_of_it(run):
    out, _ = run(
        "--name", "Ana", "--metadata", "m", "--attribute", "lang=es", "--attribute", "x=y=z",
        "--kind", "sip", "--ttl", "2h", "--room-metadata", "r", "--project", KEY,
    )  # fmt: skip
    claims = verified(out)
    assert (claims.name, claims.metadata, claims.kind) == ("Ana", "m", "sip")
    assert claims.attributes == {"lang": "es", "x": "y=z"}
    assert claims.room_config.metadata == "r"


def test_as_json_with_agents_and_decisions(run):
    told = json.loads(run("--json")[0])
    assert verified(told["token"]).identity == "ana"
    assert [agent["agentName"] for agent in told["agents"]] == ["greeter"]
    assert [each["reason"] for each in told["decisions"]] == ["matched"]


def test_one_without_an_agent_says_why(run, redis):
    out, err = run(room="sales-1")
    assert verified(out).room_config is None
    assert err.splitlines() == [
        "the token carries no agent:",
        "  · support  when.room.name: expected support-*; got 'sales-1'",
    ]
    assert redis.dbsize() == 0


def test_the_rules_that_workers_have_in_force_count(run, redis, rules_file):
    text = rules_file.read_text().replace("greeter", "worker")
    redis.set(keys.RULES, json.dumps({"hash": "h", "files": [["rules.yaml", text]]}))
    [agent] = verified(run()[0]).room_config.agents
    assert agent.agent_name == "worker"


def test_people_are_told_what_was_decided(environ):
    """On a terminal, beside the token, which may go into a pipe."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "service", "token", "support-1", "--identity", "ana"]
    done = subprocess.run(
        command, env={**needed(), **environ}, stdout=subprocess.PIPE, stderr=theirs, check=True
    )
    os.close(theirs)
    told = click.unstyle(os.read(ours, 4096).decode())
    os.close(ours)
    assert "dispatch greeter in production" in told
    assert verified(done.stdout.decode()).identity == "ana"


def test_what_is_wrong_is_one_line(refused):
    assert refused("--ttl", "soon")[0] == 2
    assert "such as 250ms" in refused("--ttl", "soon")[1]
    assert "KEY=VALUE" in refused("--attribute", "lang")[1]
    assert "--kind" in refused("--kind", "agent")[1]
    assert "is not an API key" in refused("--project", "nobody")[1]
    assert "several LiveKit servers" in refused(**SECOND)[1]


def test_without_rules_or_redis_there_is_none(refused, rules_file):
    status, told = refused(REDIS_URL="redis://127.0.0.1:1")
    assert (status, "cannot use the Redis" in told) == (1, True)
    rules_file.write_text("rules: [")
    status, told = refused()
    assert (status, "no rules load" in told) == (1, True)
