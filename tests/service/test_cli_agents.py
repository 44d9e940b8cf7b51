"""`dispatcher agents`: the registry in a terminal."""

from __future__ import annotations

import json

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from tests.service.cli import dispatcher, keep
from tests.service.conftest import RULES
from tests.service.rooms import dispatch
from workers import keys
from workers.history import dispatch_document
from workers.places import agent_key


@pytest.fixture
def in_force(redis):
    """The rules, as a worker keeps those it works by."""
    files = load_files([RuleFile("rules.yaml", RULES)]).files
    told = [[file.path, file.text] for file in files]
    redis.set(keys.RULES, json.dumps({"hash": "h", "files": told}))


def test_none(environ, redis):
    done = dispatcher("agents", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no agent is known: no rule names one, and none was seen\n"


@pytest.mark.usefixtures("in_force")
def test_one_that_a_rule_names_and_one_that_was_sent(environ, redis):
    keep(redis, dispatch_document(None, dispatch("support-1")))
    done = dispatcher("agents", "--json", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    told = {(r["agent"], r["deployment"]): r for r in json.loads(done.stdout)["agents"]}
    assert told["greeter", "beta"]["status"] == "active"
    assert told["greeter", ""] | {"sources": {}} == told["greeter", ""] | {
        "status": "unknown", "rules": ["support"], "sources": {},
    }  # fmt: skip


def test_what_is_wrong_is_said_first(environ, redis):
    now = redis.time()[0]
    for _ in range(3):
        outcome = json.dumps([now - 5, None, "AW_bad\x1b", "never_joined"])
        redis.lpush(keys.OUTCOMES + agent_key("greeter\n", "staging"), outcome)
    keep(redis, dispatch_document(None, dispatch("x", agent="greeter\n", deployment="staging")))
    done = dispatcher("agents", environ=environ)
    warning, _, head, row = done.stdout.splitlines()
    assert warning == (
        "warning: greeter� (staging): worker AW_bad� dropped 3 of the last 3 jobs it took"
    )
    assert head.split()[:3] == ["AGENT", "DEPLOYMENT", "STATUS"]
    assert row.split()[:3] == ["greeter�", "staging", "failing"]
