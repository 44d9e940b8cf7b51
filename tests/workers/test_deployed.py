"""The registry: how each agent of each deployment stands, and where that is known from."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from tests.service.cli import keep
from tests.workers.desk import dispatch
from workers import keys
from workers.agent_workers import AskedWorker
from workers.deployed import deployed
from workers.history import dispatch_document
from workers.places import agent_key
from workers.states import State

if TYPE_CHECKING:
    from redis import Redis

RULES = load_files(
    [
        RuleFile(
            "rules.yaml",
            """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, deployment: {weights: {"": 90, staging: 10, old: 0}}}
    join_within: 8s
    fallback: [{agent: voicemail, deployment: ""}]
  - id: by-language
    on: participant_joined
    dispatch: {agent: "greeter-{{ room.metadata.lang }}"}
  - id: by-stage
    on: participant_joined
    dispatch: {agent: helper, deployment: "{{ room.metadata.stage }}"}
""",
        )
    ]
)


@pytest.fixture
def now(redis: Redis) -> float:
    return float(redis.time()[0])


def rows(redis: Redis) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(r["agent"], r["deployment"]): r for r in deployed(redis, RULES, ["s1"]).agents}


def status(redis: Redis, agent: str = "greeter", deployment: str | None = "") -> str:
    return str(rows(redis)[agent, deployment]["status"])


def put(redis: Redis, state: State, number: int = 1, **changes: Any) -> None:
    one = replace(dispatch(f"room-{number}", 1), id=f"D{number}", rule="greet", agent="greeter")
    keep(redis, dispatch_document(None, replace(one, state=state, **changes)))


def came(redis: Redis, at: float, join_ms: int | None, worker: str = "") -> None:
    """An outcome of the greeter."""
    reason = "" if join_ms is not None else "no_worker"
    told = json.dumps([at, join_ms, worker, reason, f"D{at}"])
    redis.lpush(keys.OUTCOMES + agent_key("greeter", ""), told)


def told(redis: Redis, now: float, **changes: Any) -> None:
    """What a worker of the greeter has told."""
    worker = AskedWorker("http://a:1", "", now, agent="greeter", load=0.25, since=now - 60)
    worker = replace(worker, **changes)
    redis.hset(keys.AGENT_WORKERS, worker.url, json.dumps(asdict(worker)))


def test_what_rules_name_is_there_and_was_never_seen(redis: Redis) -> None:
    found = rows(redis)
    assert list(found) == [
        ("greeter", ""), ("greeter", "staging"), ("helper", None), ("voicemail", ""),
    ]  # fmt: skip
    assert {row["status"] for row in found.values()} == {"unknown"}
    assert found["voicemail", ""]["rules"] == ["greet"]
    assert found["greeter", ""]["last_seen"] is None


def test_one_that_a_template_has_named_is_there_once_it_was_sent(redis: Redis) -> None:
    put(redis, State.ENDED, agent="greeter-es", rule="by-language")
    assert rows(redis)["greeter-es", ""]["rules"] == ["by-language"]


def test_one_whose_deployment_is_a_template_is_told_by_those_it_was_sent_as(redis: Redis) -> None:
    assert rows(redis)["helper", None]["rules"] == ["by-stage"]
    put(redis, State.ENDED, agent="helper", deployment="staging", rule="by-stage")
    assert [key for key in rows(redis) if key[0] == "helper"] == [("helper", "staging")]


def test_one_that_is_dispatched_is_pending_and_one_in_calls_active(redis: Redis) -> None:
    put(redis, State.PENDING)
    assert status(redis) == "pending"
    put(redis, State.ACTIVE, 2)
    row = rows(redis)["greeter", ""]
    assert (row["status"], row["sessions"], row["waiting"], row["peak"]) == ("active", 1, 1, 1)
    assert row["sources"]["sessions"] == "dispatches from here"


def test_one_that_has_come_before_or_whose_worker_answers_is_idle(redis: Redis, now: float) -> None:
    came(redis, now - 5000, 300)
    assert status(redis) == "idle"
    redis.flushdb()
    told(redis, now)
    row = rows(redis)["greeter", ""]
    assert (row["status"], row["load"]) == ("idle", 0.25)
    assert row["sources"]["load"] == "http://a:1"


def test_what_a_worker_told_goes_stale(redis: Redis, now: float) -> None:
    told(redis, now - 60)
    assert status(redis) == "unknown"


def test_one_whose_workers_all_do_not_answer_is_failing_unless_it_is_in_calls(
    redis: Redis, now: float
) -> None:
    told(redis, now, error="refused", load=None)
    assert status(redis) == "failing"
    assert rows(redis)["greeter", ""]["warnings"] == [
        "the worker at http://a:1 does not answer: refused"
    ]
    told(redis, now, url="http://b:1")
    assert status(redis) == "idle"
    redis.hdel(keys.AGENT_WORKERS, "http://b:1")
    put(redis, State.ACTIVE)
    assert status(redis) == "active"


def test_one_whose_last_dispatch_got_no_agent_is_failing_until_one_comes(
    redis: Redis, now: float
) -> None:
    for age in range(50, 10, -1):
        came(redis, now - age, 300)
    came(redis, now - 5, None)
    assert status(redis) == "failing"
    assert next(iter(rows(redis))) == ("greeter", ""), "it comes first"
    came(redis, now - 1, 300)
    assert status(redis) == "idle"


def test_one_lost_call_does_not_count_for_hours(redis: Redis, now: float) -> None:
    came(redis, now - 9000, 300)
    came(redis, now - 700, None)
    assert status(redis) == "idle"


def test_two_lost_calls_in_a_row_count_until_one_comes_or_a_worker_answers(
    redis: Redis, now: float
) -> None:
    came(redis, now - 9500, 300)
    came(redis, now - 9000, None)
    came(redis, now - 8000, None)
    assert status(redis) == "failing"
    told(redis, now)
    assert status(redis) == "idle"
    redis.delete(keys.AGENT_WORKERS)
    came(redis, now - 700, 300)
    assert status(redis) == "idle"


def test_lost_calls_of_days_ago_count_no_more(redis: Redis, now: float) -> None:
    for age in (95_000, 90_000):
        came(redis, now - age, None)
    assert status(redis) == "unknown"


def test_a_worker_that_never_answered_is_told_without_its_agent(redis: Redis, now: float) -> None:
    told(redis, now, agent=None, deployment="staging", error="refused", load=None)
    known = deployed(redis, RULES, ["s1"])
    assert [row["status"] for row in known.agents] == ["unknown"] * 4
    [asked] = known.unanswered
    assert (asked["url"], asked["deployment"], asked["error"]) == (
        "http://a:1",
        "staging",
        "refused",
    )


def test_one_that_fails_every_other_time_is_failing(redis: Redis, now: float) -> None:
    for age, join_ms in ((40, None), (30, 300), (20, None), (10, 300)):
        came(redis, now - age, join_ms)
    assert status(redis) == "failing"
    row = rows(redis)["greeter", ""]
    assert (row["success_rate"], row["join_p50_ms"], row["join_p95_ms"]) == (0.5, 300, 300)


def test_a_worker_that_swallows_every_job_stands_out(redis: Redis, now: float) -> None:
    for age in range(60, 40, -1):
        came(redis, now - age, 100 + age, "AW_good")
    for age in (30, 20, 10):
        came(redis, now - age, None, "AW_bad")
    row = rows(redis)["greeter", ""]
    assert [(w["worker_id"], w["took"], w["joined"], w["dropped"]) for w in row["workers"]] == [
        ("AW_bad", 3, 0, 3),
        ("AW_good", 20, 20, 0),
    ]
    assert row["warnings"] == ["worker AW_bad dropped 3 of the last 3 jobs it took"]
    assert (row["join_p50_ms"], row["join_p95_ms"]) == (150, 159)


def test_a_worker_is_judged_by_its_last_jobs_of_an_hour(redis: Redis, now: float) -> None:
    for age in range(9000, 8900, -10):
        came(redis, now - age, None, "AW_was_bad")
    for age in range(90, 60, -2):
        came(redis, now - age, 300, "AW_now_bad")
    for age in range(50, 20, -5):
        came(redis, now - age, None, "AW_now_bad")
    row = rows(redis)["greeter", ""]
    assert row["warnings"] == ["worker AW_now_bad dropped 6 of the last 10 jobs it took"]


def test_agents_that_nobody_here_has_sent_are_shown_as_such(redis: Redis) -> None:
    redis.hset(keys.STRANGERS + "s1", mapping={"greeter": "[3, 1]", "": "[2, 0]"})
    found = rows(redis)
    row = found["greeter", None]
    assert (row["status"], row["sessions"], row["strangers"]) == ("active", 3, 3)
    assert row["warnings"][0].startswith("in 1 room an agent that was not sent from here")
    assert found["", None]["warnings"] == ["agents without a name join every room by themselves"]
    assert found["greeter", ""]["status"] == "unknown", "these are not ours"
