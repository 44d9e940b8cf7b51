"""The agents there are: which are deployed, in calls, and failing; from all that tells of it.

LiveKit's API cannot say. Rules name agents; dispatches show which of them came, and how fast;
workers tell themselves where DISPATCHER_AGENT_WORKERS says whom to ask; and LiveKit's listing
shows agents that nobody here has sent. Each fact of a row says which of these it is from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final, cast

from rules.weights import Weights
from workers import keys
from workers.agent_status import Facts, Status, status, takers_of, warnings
from workers.agent_workers import AskedWorker, read_workers
from workers.clock import date_of, rfc3339, unix_seconds
from workers.outcomes import read_outcomes
from workers.places import agent_key, read_route, split_agent
from workers.states import LIVE, State
from workers.strangers import read_strangers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

    from rules.ruleset import Ruleset
    from workers.agent_status import Taker

    _SeenAgents = dict[tuple[str, str | None], Facts]

STALE_SECONDS: Final = 20.0
"""Older than this, what a worker told is not believed: nobody has asked it since."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is known, as `service.api.agent_models.Agents` has it."""

    agents: list[dict[str, Any]]
    """One row for each agent of each deployment; those that need somebody to look first."""
    unanswered: list[dict[str, Any]]
    """Addresses where no worker has answered yet: whose they are is not known."""


def deployed(redis: redis.Redis, ruleset: Ruleset | None, server_ids: Iterable[str]) -> Deployed:
    """All that is known of agents.

    A row's `deployment` is None where it is not known: of agents that nobody here has sent (in a
    room they do not tell it), and of those that were never sent and whose rule has a template.

    Raises:
        RedisError: Redis could not be reached.
    """
    now = unix_seconds(redis.time())
    seen: _SeenAgents = defaultdict(Facts)
    named = _from_rules(seen, ruleset)
    _from_dispatches(redis, seen, now)
    asked = [each for each in read_workers(redis) if now - each.asked_at < STALE_SECONDS]
    for worker in asked:
        if worker.agent is not None:
            seen[worker.agent, worker.deployment].asked.append(worker)
    others = read_strangers(redis, server_ids)
    for name, count in others.there.items():
        stranger = seen[name, None]
        stranger.strangers, stranger.doubles = count, others.doubles[name]
    known = {agent for agent, deployment in seen if deployment is not None}
    for agent, rule in named:
        if agent not in known:
            seen[agent, None].rules.add(rule)
    rows = [_row(agent, deployment, each, now) for (agent, deployment), each in seen.items()]
    order = list(Status)
    rows.sort(key=lambda r: (order.index(r["status"]), r["agent"], r["deployment"] or ""))
    return Deployed(rows, [_asked(worker) for worker in asked if worker.agent is None])


def _from_rules(seen: _SeenAgents, ruleset: Ruleset | None) -> list[tuple[str, str]]:
    """The agents that rules name as they are called; of a template it is not known before.

    Returns:
        Agents whose deployment is not known before, and the rules that name them so.
    """
    named = []
    for rule in ruleset.rules if ruleset is not None else ():
        for ladder in rule.dispatches:
            for rung in (ladder.first, *ladder.fallback):
                agent, deployments = rung.agent.constant, _deployments(rung.deployment)
                if agent is None:
                    continue
                for deployment in deployments:
                    seen[agent, deployment].rules.add(rule.id)
                if not deployments:
                    named.append((agent, rule.id))
    return named


def _deployments(deployment: Any) -> list[str]:  # noqa: ANN401 - a template or weights
    if isinstance(deployment, Weights):
        return [name for name, weight in deployment.shares if weight]
    return [deployment.constant] if deployment.constant is not None else []


def _from_dispatches(redis: redis.Redis, seen: _SeenAgents, now: float) -> None:
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
        each = seen[route.agent, route.deployment]
        if route.rule:
            each.rules.add(route.rule)
        by_state = dict(zip(live, counts[number * len(live) :], strict=False))
        each.ours += by_state[State.ACTIVE]
        each.waiting += sum(by_state.values()) - by_state[State.ACTIVE]
    for counted, name in ((today, "today"), (peaks, "peak")):
        for key, count in cast("dict[bytes, bytes]", counted).items():
            each = seen[split_agent(key.decode())]
            setattr(each, name, int(count))
    keyed = {agent_key(a, d): (a, d) for a, d in seen if d is not None}
    for agent, outcomes in read_outcomes(redis, keyed).items():
        seen[keyed[agent]].outcomes = outcomes


def _row(agent: str, deployment: str | None, facts: Facts, now: float) -> dict[str, Any]:
    joins = sorted(o.join_ms for o in facts.outcomes if o.join_ms is not None)
    takers = takers_of(facts.outcomes)
    return {
        "agent": agent,
        "deployment": deployment,
        "status": status(facts, now).value,
        "sessions": facts.sessions,
        "waiting": facts.waiting,
        "peak": max(facts.peak, facts.sessions),
        "today": facts.today,
        "success_rate": round(len(joins) / len(facts.outcomes), 3) if facts.outcomes else None,
        "join_p50_ms": _share(joins, 0.5),
        "join_p95_ms": _share(joins, 0.95),
        "load": max((w.load for w in facts.up if w.load is not None), default=None),
        "last_seen": rfc3339(_last_seen(facts, now)),
        "rules": sorted(facts.rules),
        "strangers": facts.strangers,
        "workers": [_taker(taker) for taker in takers],
        "asked": [_asked(worker) for worker in facts.asked],
        "warnings": warnings(agent, facts, takers, now),
        "sources": _sources(facts),
    }


def _share(sorted_ms: Sequence[int], share: float) -> int | None:
    """The smallest of them that this share does not exceed."""
    return sorted_ms[ceil(share * len(sorted_ms)) - 1] if sorted_ms else None


def _last_seen(facts: Facts, now: float) -> float | None:
    if facts.sessions:
        return now
    times = [outcome.at for outcome in facts.outcomes if outcome.join_ms is not None]
    return max([*times, *(worker.asked_at for worker in facts.up)], default=None)


def _taker(taker: Taker) -> dict[str, Any]:
    return {
        "worker_id": taker.worker_id,
        "took": len(taker.jobs),
        "joined": taker.joined,
        "dropped": taker.dropped,
        "last": rfc3339(taker.jobs[0].at),
    }


def _asked(worker: AskedWorker) -> dict[str, Any]:
    return {
        "url": worker.url,
        "deployment": worker.deployment,
        "up": worker.is_up,
        "since": rfc3339(worker.since),
        "asked_at": rfc3339(worker.asked_at),
        "load": worker.load,
        "jobs": worker.jobs,
        "sdk_version": worker.sdk_version,
        "error": worker.error or None,
    }


def _sources(facts: Facts) -> dict[str, str]:
    """Where each fact of a row is from; what is not known is from nowhere."""
    told: dict[str, str] = {}
    if facts.rules:
        told["rules"] = "rules in force, and dispatches they made"
    if facts.ours or facts.waiting or facts.today or facts.peak:
        told["sessions"] = told["waiting"] = told["today"] = "dispatches from here"
        told["peak"] = "the most at a time today (UTC), looked at every second"
    if facts.strangers:
        told["sessions"] = told["strangers"] = "LiveKit's listing of rooms, at each reconcile"
        told["peak"] = "now"
    if facts.outcomes:
        told["success_rate"] = told["join_p50_ms"] = told["join_p95_ms"] = (
            "the last dispatch that came to an outcome"
            if len(facts.outcomes) == 1
            else f"the last {len(facts.outcomes)} dispatches that came to an outcome"
        )
        told["workers"] = "LiveKit's job states"
    if facts.asked:
        told["load"] = ", ".join(worker.url for worker in facts.asked)
        told["last_seen"] = f"{told['load']}, and joins"
    elif facts.sessions or facts.outcomes:
        told["last_seen"] = "joins"
    return told
