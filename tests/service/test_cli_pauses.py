from __future__ import annotations

import json

import pytest

from rules.loader import load
from service.web import create_app
from tests.service.cli import dispatcher
from workers import keys

NO_RULES = {"DISPATCHER_RULES": "/nowhere/rules.yaml"}
NOTHING = {"all": False, "rules": []}


@pytest.fixture
def run(environ):
    """Run a command that succeeds; what it prints."""

    def run(*args, **more):
        done = dispatcher(*args, environ={**environ, **more})
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def refused(environ):
    """Run a command that does not; its status and its line."""

    def refused(*args, **more):
        done = dispatcher(*args, environ={**environ, **more})
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.returncode, done.stderr.strip()

    return refused


@pytest.fixture
def paused(run):
    return lambda: json.loads(run("pause", "--list", "--json"))


def test_a_rule_is_paused_and_resumed(run, paused, redis):
    assert run("pause", "--list") == "no rule is paused\n"
    assert run("pause", "support") == "support is paused\n"
    assert paused() == {"all": False, "rules": ["support"]}
    assert run("pause", "--list") == "support is paused\n"
    assert run("resume", "support") == "no rule is paused\n"
    assert paused() == NOTHING
    assert redis.exists(keys.PAUSED) == 0


def test_to_say_it_twice_changes_nothing(run, paused):
    run("pause", "support")
    assert json.loads(run("pause", "support", "--json")) == paused()
    run("resume", "support")
    assert json.loads(run("resume", "support", "--json")) == NOTHING
    assert run("resume") == "no rule is paused\n"


def test_without_a_rule_it_is_all_of_them(run, paused):
    run("pause", "support")
    assert run("pause") == "all rules are paused\n"
    assert paused() == {"all": True, "rules": ["support"]}
    assert run("resume") == "no rule is paused\n"
    assert paused() == NOTHING


def test_one_of_all_that_are_paused_cannot_be_resumed_alone(run, refused, paused):
    run("pause")
    status, told = refused("resume", "support")
    assert status == 1
    assert told == (
        "error: all rules are paused, and 'support' with them: `dispatcher resume` lets all send"
        " again; then pause those that should not"
    )
    assert paused()["all"]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_rule_that_does_not_exist_is_refused_with_the_nearest(refused, paused, command):
    assert refused(command, "suport") == (
        2, "error: there is no rule 'suport', did you mean 'support'?"
    )  # fmt: skip
    assert paused() == NOTHING


def test_rules_that_workers_have_in_force_are_known_where_their_files_are_not(
    run, refused, redis, rules_file
):
    files = [[file.path, file.text] for file in load(str(rules_file)).files]
    redis.set(keys.RULES, json.dumps({"hash": "x", "files": files}))
    assert run("pause", "support", **NO_RULES) == "support is paused\n"
    assert "did you mean 'support'?" in refused("pause", "suport", **NO_RULES)[1]


def test_where_no_rules_can_be_read_any_id_is_taken_and_that_is_told(environ):
    done = dispatcher("pause", "suport", environ=environ | NO_RULES)
    assert (done.returncode, done.stdout) == (0, "suport is paused\n")
    assert done.stderr == "warning: the rules cannot be read here: is it the id of one?\n"


def test_a_rule_that_is_gone_can_still_be_resumed(run, redis):
    redis.sadd(keys.PAUSED, "gone")
    assert run("resume", "gone") == "no rule is paused\n"


@pytest.mark.parametrize("word", ["*", "", "A", "a b", "support\n", "x\x1b[31m"])
@pytest.mark.parametrize("command", ["pause", "resume"])
def test_what_is_no_id_is_refused(refused, command, word):
    status, told = refused(command, word, **NO_RULES)
    assert status == 2
    assert told.endswith("is no rule's id")
    assert "\x1b" not in told


def test_a_list_is_of_all(refused):
    assert refused("pause", "support", "--list") == (
        2,
        "error: --list shows all that is paused: name no RULE with it Try: dispatcher pause --help",
    )


class TestReady:
    @pytest.fixture
    def told(self, settings):
        def told():
            answer = create_app(settings).test_client().get("/readyz")
            assert answer.status_code == 200
            return answer.json["checks"]["pauses"]

        return told

    def test_nothing_is_paused(self, told):
        assert told() == {"status": "ok", **NOTHING}

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            (["*"], "all rules are paused"),
            (["b", "*"], "all rules are paused"),
            (["b"], "b is paused"),
            (["b", "a"], "a, b are paused"),
        ],
    )
    def test_what_is_paused_is_a_warning(self, told, redis, members, words):
        redis.sadd(keys.PAUSED, *members)
        check = told()
        assert check["status"] == "warning"
        assert check["all"] == ("*" in members)
        assert check["rules"] == sorted(set(members) - {"*"})
        assert check["detail"].startswith(words)
        assert "`dispatcher resume`" in check["detail"]
