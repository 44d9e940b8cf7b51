"""Whether what a primary takes is kept when another server takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    import redis

_NONE: Final = "no replica is in step with the primary: webhooks are answered with 503 until one is"
_CUT_OFF: Final = (
    "a primary that is cut off from its replicas goes on working, and what it does is lost:"
    " set min-replicas-to-write to 1 on every server"
)
_UNKNOWN: Final = "the server does not tell of its replicas: ask whoever runs it"


def replicas(redis: redis.Redis) -> dict[str, Any]:
    """Ask the primary how many replicas follow it, and how many it must have to be written to."""
    try:
        told: dict[str, Any] = redis.info("replication")
    except RedisError:  # managed servers forbid it
        return {"status": "warning", "connected": None, "needed": None, "detail": _UNKNOWN}
    connected, needed = int(told.get("connected_slaves", 0)), _needed(redis, told)
    details = [
        detail for detail, is_so in ((_NONE, not connected), (_CUT_OFF, needed == 0)) if is_so
    ]
    found: dict[str, Any] = {
        "status": "warning" if details else "ok",
        "connected": connected,
        "needed": needed,
    }
    return found | ({"detail": "; ".join(details)} if details else {})


def _needed(redis: redis.Redis, told: dict[str, Any]) -> int:
    """`min-replicas-to-write`. Without the right to ask: 1 or more where INFO counts them."""
    try:
        config: dict[Any, Any] = redis.config_get("min-replicas-to-write")
    except RedisError:
        return int("min_slaves_good_slaves" in told)
    return int(next(iter(config.values()), 0))
