from __future__ import annotations

import json

import pytest

from service.web import create_app
from tests.service.conftest import RULES
from workers import keys
from workers.rules_in_force import LOOK_SECONDS, RulesInForce
from workers.schema import SCHEMA
from workers.settings import load_settings

BROKEN = "version: 1\nrules: [{id: support}]\n"


def ready(app):
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json


def test_healthz_asks_nobody(environ):
    app = create_app(load_settings({**environ, "REDIS_URL": "unix:///nowhere.sock"}))
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_tells_the_rules_and_that_persistence_is_weak(settings):
    status, told = ready(create_app(settings))
    assert status == 200
    assert told["status"] == "warning"  # the Valkey of tests keeps nothing
    assert told["checks"]["redis"] == {"status": "ok"}
    assert told["checks"]["persistence"]["policy"] == "none"
    rules = told["checks"]["rules"]
    assert (rules["status"], rules["count"], len(rules["hash"])) == ("ok", 1, 16)


def test_a_dry_run_is_a_warning(environ, redis):
    _, told = ready(create_app(load_settings({**environ, "DISPATCHER_DRY_RUN": "true"})))
    assert told["checks"]["dry_run"]["status"] == "warning"
    assert "no agent is sent" in told["checks"]["dry_run"]["detail"]


@pytest.mark.parametrize(
    ("here", "marks", "said"),
    [
        ("false", ["hash"], ""),
        ("true", ["hash:dry"], "no agent is sent"),
        ("true", ["hash:dry", "hash"], "true here, and 1 of 2 workers send agents all the same"),
        ("false", ["hash:dry", "hash"], "1 of 2 workers have DISPATCHER_DRY_RUN=true"),
    ],
)
def test_a_dry_run_here_that_is_none_there_is_told(environ, redis, here, marks, said):
    now = redis.time()[0] * 1000
    redis.zadd(keys.WORKERS, {f"worker-{n}:{mark}": now for n, mark in enumerate(marks)})
    _, told = ready(create_app(load_settings({**environ, "DISPATCHER_DRY_RUN": here})))
    assert said in told["checks"].get("dry_run", {}).get("detail", "")
    assert ("dry_run" in told["checks"]) is bool(said)


def test_nobody_at_work_is_a_warning(settings, redis):
    _, told = ready(create_app(settings))
    assert (told["checks"]["workers"]["status"], told["checks"]["workers"]["count"]) == (
        "warning", 0
    )  # fmt: skip
    ours = told["checks"]["rules"]["hash"]
    redis.zadd(keys.WORKERS, {f"worker:{ours}": redis.time()[0] * 1000})
    _, told = ready(create_app(settings))
    assert told["checks"]["workers"] == {"status": "ok", "count": 1, "rules": [ours]}


def test_workers_with_other_rules_are_a_warning(settings, redis):
    now = redis.time()[0] * 1000
    redis.zadd(keys.WORKERS, {"a:old": now - 3000, "a:new": now, "b:old": now})
    _, told = ready(create_app(settings))
    assert told["checks"]["workers"]["status"] == "warning"
    assert told["checks"]["workers"]["count"] == 2
    assert told["checks"]["workers"]["rules"] == ["new", "old"]
    assert told["checks"]["workers"]["detail"].startswith("2 of them work by other rules")


def test_without_redis_it_is_not_ready_and_says_what_to_do(environ):
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://:hush@127.0.0.1:1"}))
    status, told = ready(app)
    assert status == 503
    assert told["checks"]["redis"]["status"] == "failed"
    assert "check the server and REDIS_URL" in told["checks"]["redis"]["detail"]
    assert "hush" not in str(told)
    assert "persistence" not in told["checks"]


@pytest.mark.parametrize("text", [BROKEN, "version: 1\nrules: []\n", "", ":"])
def test_without_any_rule_it_is_not_ready(settings, rules_file, text):
    rules_file.write_text(text)
    status, told = ready(create_app(settings))
    assert (status, told["checks"]["rules"]["status"]) == (503, "failed")
    assert told["checks"]["rules"]["errors"]


class Looks:
    """Rules in force by a clock that goes on with each look."""

    def __init__(self, rules_file):
        self.now = 100.0
        self.in_force = RulesInForce(str(rules_file), clock=lambda: self.now)

    def look(self):
        self.now += LOOK_SECONDS
        return self.in_force.look()

    def settled(self):
        """What is in force when a change has been seen twice."""
        self.look()
        return self.look()


def test_rules_that_loaded_once_stay_when_the_file_breaks(rules_file):
    looks = Looks(rules_file)
    good = looks.look().ruleset
    rules_file.write_text(BROKEN)
    looked = looks.settled()
    assert looked.ruleset is good
    assert looked.errors[0].startswith(f"{rules_file}:2:9: error: ")
    assert looks.look().errors == looked.errors
    rules_file.write_text(RULES.replace("greeter", "other"))
    assert looks.settled().errors == ()
    assert looks.look().ruleset.hash != good.hash


def test_a_file_that_comes_back_as_it_was_is_in_force_again(rules_file):
    looks = Looks(rules_file)
    looks.look()
    rules_file.rename(rules_file.with_suffix(".away"))
    assert "no such file" in looks.settled().errors[0]
    rules_file.with_suffix(".away").rename(rules_file)
    assert looks.settled().errors == ()


def test_a_file_that_is_half_written_is_not_in_force(rules_file):
    looks = Looks(rules_file)
    good = looks.look().ruleset
    rules_file.write_text(
        "version: 1\nrules:\n  - {id: a, on: room_started, dispatch: {agent: a}}\n"
    )
    assert looks.look().ruleset is good
    rules_file.write_text(RULES)
    assert looks.settled().ruleset is good
    assert looks.look().errors == ()


def test_a_file_that_cannot_be_read_is_forgotten_when_it_is_gone(tmp_path, rules_file):
    looks = Looks(tmp_path)
    looks.look()
    unreadable = tmp_path / "z.yaml"
    unreadable.write_bytes(b"\xff")
    assert "not UTF-8" in looks.settled().errors[0]
    unreadable.unlink()
    assert looks.settled().errors == ()


def test_a_look_soon_after_another_reads_nothing(rules_file):
    looks = Looks(rules_file)
    good = looks.look()
    rules_file.write_text(BROKEN)
    for _ in range(3):
        assert looks.in_force.look() is good


def test_the_last_good_rules_make_ready_though_the_files_are_broken(settings, redis, rules_file):
    good = RulesInForce(str(rules_file)).look().ruleset
    files = [[file.path, file.text] for file in good.files]
    redis.set(keys.RULES, json.dumps({"hash": good.hash, "files": files}))
    rules_file.write_text(BROKEN)
    status, told = ready(create_app(settings))
    rules = told["checks"]["rules"]
    assert (status, rules["status"], rules["hash"]) == (200, "warning", good.hash)
    assert rules["errors"]


def test_a_comparison_with_livekit_that_is_overdue_is_a_warning(settings, redis):
    def told():
        return ready(create_app(settings))[1]["checks"]["reconcile"]

    assert (told()["status"], told()["age"]) == ("warning", None)
    key = keys.RECONCILED + settings.servers[0].id
    redis.hset(key, mapping={"at": redis.time()[0], "looks": 2})
    assert (told()["status"], told()["looks"]) == ("ok", 2)
    redis.hset(key, "at", redis.time()[0] - 200)
    assert told()["status"] == "warning"


def test_a_service_that_never_compares_says_so(environ):
    settings = load_settings({**environ, "DISPATCHER_RECONCILE_INTERVAL": "0"})
    check = ready(create_app(settings))[1]["checks"]["reconcile"]
    assert check["status"] == "warning"
    assert "DISPATCHER_RECONCILE_INTERVAL=0" in check["detail"]


NOTIFY = {
    "DISPATCHER_NOTIFY_URL": "https://hooks.example.com/s3cr3t",
    "DISPATCHER_NOTIFY_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def told_of(environ):
    return ready(create_app(load_settings(environ)))[1]["checks"]["notifications"]


def test_what_was_not_told_for_a_minute_is_a_warning(environ, redis):
    now = redis.time()[0] * 1000
    hosts = ["https://hooks.example.com"]
    nothing = {"status": "ok", "receivers": hosts, "waiting": 0, "oldest": None}
    assert told_of({**environ, **NOTIFY}) == nothing
    redis.zadd(keys.NOTICES, {"a": now - 30_000, "b": now - 20_000})
    told = told_of({**environ, **NOTIFY})
    assert (told["status"], told["waiting"]) == ("ok", 2)
    assert 29 <= told["oldest"] < 59
    redis.zadd(keys.NOTICES, {"c": now - 90_000})
    told = told_of({**environ, **NOTIFY})
    assert (told["status"], told["waiting"]) == ("warning", 3)
    assert told["detail"].startswith("3 not told, the oldest for 9")


def test_a_rule_that_tells_nobody_is_a_warning(environ, rules_file):
    assert told_of(environ)["status"] == "ok"
    ladder = "join_within: 1s\n    fallback: [{notify: {message: a}}]"
    rules_file.write_text(RULES + f"    {ladder}\n")
    told = told_of(environ)
    assert told["status"] == "warning"
    assert "DISPATCHER_NOTIFY_URL is not set" in told["detail"]
    assert told_of({**environ, **NOTIFY})["status"] == "ok"
    rules_file.write_text(RULES + f"    {ladder}\n    enabled: false\n")
    assert told_of(environ)["status"] == "ok"


def test_state_of_a_newer_version_is_a_warning(settings, redis):
    assert ready(create_app(settings))[1]["checks"]["state"] == {"status": "ok", "schema": None}
    redis.set(keys.SCHEMA, SCHEMA + 1)
    status, told = ready(create_app(settings))
    assert (status, told["checks"]["state"]["status"]) == (200, "warning")
    assert f"of schema version {SCHEMA + 1}" in told["checks"]["state"]["detail"]


@pytest.mark.parametrize(("share", "expected"), [(0.5, "ok"), (0.97, "warning"), (1.2, "failed")])
def test_a_redis_that_is_full_takes_no_webhooks(settings, redis, share, expected):
    app = create_app(settings)
    ready(app)  # what is made once is made now
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] / share))
    status, told = ready(app)
    assert told["checks"]["memory"]["status"] == expected
    assert status == (503 if expected == "failed" else 200)
    assert ("DISPATCHER_HISTORY_BYTES" in told["checks"]["memory"].get("detail", "")) is (
        expected != "ok"
    )


def test_videosdk_alone_is_reconciled_too(environ, redis):
    only = {name: value for name, value in environ.items() if not name.startswith("LIVEKIT")}
    given = {**only, "VIDEOSDK_API_KEY": "vkey", "VIDEOSDK_SECRET": "s" * 32}
    settings = load_settings(given)
    [place] = settings.places
    redis.hset(keys.RECONCILED + place, mapping={"at": redis.time()[0] - 3600, "looks": 0})
    _, told = ready(create_app(settings))
    assert told["checks"]["reconcile"]["status"] == "warning"
    assert told["checks"]["reconcile"]["age"] > 3000
