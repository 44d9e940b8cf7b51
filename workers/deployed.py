"""The agents there are: which are deployed, in calls, and failing; from all that tells of it.

LiveKit's API cannot say. Rules name agents; dispatches show which of them came, and how fast;
workers tell themselves where DISPATCHER_AGENT_WORKERS says whom to ask; and LiveKit's listing
shows agents that nobody here has sent. Each fact of a row says which of these it is from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

from rules.weights import Weights
from workers import keys
from workers.agent_workers import AskedWorker, read_workers
from workers.clock import date_of, rfc3339, unix_seconds
from workers.outcomes import Outcome, read_outcomes
from workers.places import agent_key, read_route, split_agent
from workers.states import LIVE, State
from workers.strangers import read_strangers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

    from rules.ruleset import Ruleset

RECENT_SECONDS: Final = 600.0
"""How long a dispatch that got no agent counts against its agent."""
ENOUGH: Final = 3
"""Recent outcomes from which on half of them is too many."""
STALE_SECONDS: Final = 20.0
"""Older than this, what a worker told is not believed: nobody has asked it since."""


class Status(StrEnum):
    """How an agent of a deployment stands; the first of these that is so."""

    FAILING = "failing"
    """Its last dispatch, or half of the recent, got no agent; or none of its workers answers."""
    ACTIVE = "active"
    """It is in calls."""
    PENDING = "pending"
    """It is dispatched and has not come yet."""
    IDLE = "idle"
    """A worker of it answers, or it has been seen, and it is in no call."""
    UNKNOWN = "unknown"
    """A rule names it, and it was never seen."""


@dataclass(slots=True)
class _Seen:
    """All that is known of one agent of one deployment."""

    rules: set[str] = field(default_factory=set)
    sessions: int = 0
    waiting: int = 0
    strangers: int = 0
    doubles: int = 0
    peak: int = 0
    today: int = 0
    outcomes: Sequence[Outcome] = ()
    asked: list[AskedWorker] = field(default_factory=list)


def deployed(
    redis: redis.Redis, ruleset: Ruleset | None, server_ids: Iterable[str]
) -> list[dict[str, Any]]:
    """One row for each agent of each deployment, as `service.api.models.Agent` has it.

    Those that need somebody to look at them come first. `deployment` is None for agents that
    nobody here has sent: in a room they do not tell it.

    Raises:
        RedisError: Redis could not be reached.
    """
    now = unix_seconds(redis.time())
    seen: dict[tuple[str, str | None], _Seen] = {}
    _from_rules(seen, ruleset)
    _from_dispatches(redis, seen, now)
    for worker in read_workers(redis):
        if worker.agent is not None and now - worker.asked_at < STALE_SECONDS:
            seen.setdefault((worker.agent, worker.deployment), _Seen()).asked.append(worker)
    others = read_strangers(redis, server_ids)
    for name, count in others.there.items():
        stranger = seen.setdefault((name, None), _Seen())
        stranger.strangers, stranger.doubles = count, others.doubles[name]
    rows = [_row(agent, deployment, each, now) for (agent, deployment), each in seen.items()]
    order = list(Status)
    rows.sort(key=lambda r: (order.index(r["status"]), r["agent"], r["deployment"] or ""))
    return rows


def _from_rules(seen: dict[tuple[str, str | None], _Seen], ruleset: Ruleset | None) -> None:
    """The agents that rules name as they are called; of a template it is not known before."""
    for rule in ruleset.rules if ruleset is not None else ():
        for ladder in rule.dispatches:
            for rung in (ladder.first, *ladder.fallback):
                if rung.agent.constant is None:
                    continue
                for deployment in _deployments(rung.deployment):
                    key = (rung.agent.constant, deployment)
                    seen.setdefault(key, _Seen()).rules.add(rule.id)


def _deployments(deployment: Any) -> list[str]:  # noqa: ANN401 - a template or weights
    if isinstance(deployment, Weights):
        return [name for name, weight in deployment.shares if weight]
    return [deployment.constant] if deployment.constant is not None else []


def _from_dispatches(
    redis: redis.Redis, seen: dict[tuple[str, str | None], _Seen], now: float
) -> None:
    found = cast("list[bytes]", redis.zrange(keys.ROUTES, 0, -1))
    routes = [read_route(each.decode()) for each in found]
    live = [state for state in State if state in LIVE]
    with redis.pipeline(transaction=False) as pipe:
        for route in routes:
            for state in live:
                pipe.zcard(f"{keys.DISPATCHES}{state}:{route.key}")
        pipe.hgetall(keys.DAY + date_of(now))
        pipe.hgetall(keys.PEAK + date_of(now))
        *counts, today, peaks = pipe.execute()
    for number, route in enumerate(routes):
        each = seen.setdefault((route.agent, route.deployment), _Seen())
        if route.rule:
            each.rules.add(route.rule)
        by_state = dict(zip(live, counts[number * len(live) :], strict=False))
        each.sessions += by_state[State.ACTIVE]
        each.waiting += sum(by_state.values()) - by_state[State.ACTIVE]
    for counted, name in ((today, "today"), (peaks, "peak")):
        for key, count in cast("dict[bytes, bytes]", counted).items():
            each = seen.setdefault(split_agent(key.decode()), _Seen())
            setattr(each, name, int(count))
    keyed = {agent_key(a, d): (a, d) for a, d in seen if d is not None}
    for agent, outcomes in read_outcomes(redis, keyed).items():
        seen[keyed[agent]].outcomes = outcomes


def _row(agent: str, deployment: str | None, seen: _Seen, now: float) -> dict[str, Any]:
    joins = sorted(o.join_ms for o in seen.outcomes if o.join_ms is not None)
    up = [worker for worker in seen.asked if worker.is_up]
    sessions = seen.sessions + seen.strangers
    return {
        "agent": agent,
        "deployment": deployment,
        "status": _status(seen, sessions, up, now).value,
        "sessions": sessions,
        "waiting": seen.waiting,
        "peak": max(seen.peak, sessions),
        "today": seen.today,
        "success_rate": round(len(joins) / len(seen.outcomes), 3) if seen.outcomes else None,
        "join_p50_ms": _share(joins, 0.5),
        "join_p95_ms": _share(joins, 0.95),
        "load": max((w.load for w in up if w.load is not None), default=None),
        "last_seen": rfc3339(_last_seen(seen, sessions, up, now)),
        "rules": sorted(seen.rules),
        "strangers": seen.strangers,
        "workers": _takers(seen.outcomes),
        "asked": [_asked(worker) for worker in seen.asked],
        "warnings": _warnings(agent, seen),
        "sources": _sources(seen),
    }


def _status(seen: _Seen, sessions: int, up: Sequence[AskedWorker], now: float) -> Status:
    if _is_failing(seen.outcomes, now) or (seen.asked and not up and not sessions):
        return Status.FAILING
    if sessions:
        return Status.ACTIVE
    if seen.waiting:
        return Status.PENDING
    return (
        Status.IDLE if up or any(o.join_ms is not None for o in seen.outcomes) else Status.UNKNOWN
    )


def _is_failing(outcomes: Sequence[Outcome], now: float) -> bool:
    recent = [outcome for outcome in outcomes if now - outcome.at < RECENT_SECONDS]
    without = sum(outcome.join_ms is None for outcome in recent)
    if recent and max(recent, key=lambda o: o.at).join_ms is None:
        return True
    return len(recent) >= ENOUGH and 2 * without >= len(recent)


def _share(sorted_ms: Sequence[int], share: float) -> int | None:
    """The value that this share of them does not exceed."""
    return sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))] if sorted_ms else None


def _last_seen(seen: _Seen, sessions: int, up: Sequence[AskedWorker], now: float) -> float | None:
    if sessions:
        return now
    times = [outcome.at for outcome in seen.outcomes if outcome.join_ms is not None]
    return max([*times, *(worker.asked_at for worker in up)], default=None)


def _takers(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What became of the jobs that each of LiveKit's workers took, those that drop most first."""
    by_worker: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.worker_id:
            by_worker.setdefault(outcome.worker_id, []).append(outcome)
    told = [
        {
            "worker_id": worker,
            "took": len(took),
            "joined": sum(o.join_ms is not None for o in took),
            "dropped": sum(o.join_ms is None for o in took),
            "last": rfc3339(max(o.at for o in took)),
        }
        for worker, took in by_worker.items()
    ]
    return sorted(told, key=lambda each: (-each["dropped"], -each["took"], each["worker_id"]))


def _asked(worker: AskedWorker) -> dict[str, Any]:
    return {
        "url": worker.url,
        "up": worker.is_up,
        "since": rfc3339(worker.since),
        "asked_at": rfc3339(worker.asked_at),
        "load": worker.load,
        "jobs": worker.jobs,
        "sdk_version": worker.sdk_version,
        "error": worker.error or None,
    }


def _warnings(agent: str, seen: _Seen) -> list[str]:
    """What somebody should look at, in words."""
    told = [
        f"the worker at {worker.url} does not answer: {worker.error}"
        for worker in seen.asked
        if not worker.is_up
    ]
    told += [
        f"worker {each['worker_id']} took {each['took']} jobs and none of its agents joined"
        for each in _takers(seen.outcomes)
        if each["dropped"] >= ENOUGH and not each["joined"]
    ]
    if seen.doubles:
        rooms = f"{seen.doubles} room{'s' * (seen.doubles != 1)}"
        told.append(
            f"in {rooms} an agent that was not sent from here stands beside one that was: give"
            " the agent an agent_name and no automatic dispatch, and look at tokens' roomConfig"
        )
    elif seen.strangers and not agent:
        told.append("agents without a name join every room by themselves")
    return told


def _sources(seen: _Seen) -> dict[str, str]:
    """Where each fact of a row is from; what is not known is from nowhere."""
    told: dict[str, str] = {}
    if seen.rules:
        told["rules"] = "rules in force, and dispatches they made"
    if seen.sessions or seen.waiting or seen.today or seen.peak:
        told["sessions"] = told["waiting"] = told["today"] = "dispatches from here"
        told["peak"] = "the most at a time today (UTC), looked at every second"
    if seen.strangers:
        told["sessions"] = told["strangers"] = "LiveKit's listing of rooms, at each reconcile"
    if seen.outcomes:
        told["success_rate"] = told["join_p50_ms"] = told["join_p95_ms"] = (
            f"the last {len(seen.outcomes)} dispatches that came to an outcome"
        )
        told["workers"] = "LiveKit's job states"
    if seen.asked:
        told["load"] = ", ".join(worker.url for worker in seen.asked)
        told["last_seen"] = f"{told['load']}, and joins"
    elif seen.sessions or seen.strangers or seen.outcomes:
        told["last_seen"] = "joins"
    return told
