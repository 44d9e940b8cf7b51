"""The agents that dispatches were made of, and how many of them are in calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers import keys
from workers.states import State

if TYPE_CHECKING:
    import redis

    from workers.ledger import Ledger

_COUNTED: Final = (State.ACTIVE, State.PENDING, State.REQUESTED)


def agents_seen(redis: redis.Redis, ledger: Ledger) -> list[dict[str, Any]]:
    """One row for each agent and deployment, those in calls first.

    Raises:
        RedisError: Redis could not be reached.
    """
    routes = ledger.routes()
    with redis.pipeline(transaction=False) as pipe:
        for route in routes:
            for state in _COUNTED:
                pipe.zcard(f"{keys.DISPATCHES}{state}:{route.key}")
            pipe.zscore(keys.ROUTES, route.key)
        answers = pipe.execute()
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for index, route in enumerate(routes):
        active, pending, requested, used = answers[4 * index : 4 * index + 4]
        row = rows.setdefault((route.agent, route.deployment), _row(route.agent, route.deployment))
        row["sessions"] += active
        row["waiting"] += pending + requested
        row["last_seen"] = max(row["last_seen"] or 0.0, (used or 0.0) / 1000)
        if route.rule:
            row["rules"].append(route.rule)
    for row in rows.values():
        waits = "pending" if row["waiting"] else "idle"
        row["status"] = "active" if row["sessions"] else waits
    return sorted(rows.values(), key=lambda row: (-row["sessions"], row["agent"]))


def _row(agent: str, deployment: str) -> dict[str, Any]:
    return {
        "agent": agent, "deployment": deployment, "status": "idle", "sessions": 0, "waiting": 0,
        "peak": 0, "success_rate": None, "join_p50_ms": None, "join_p95_ms": None,
        "last_seen": None, "rules": [], "sources": {"sessions": "dispatches"},
    }  # fmt: skip
