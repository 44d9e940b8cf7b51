"""Whether the Redis server throws keys away when its memory is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    import redis

NOEVICTION: Final = "noeviction"
TODO: Final = "set maxmemory-policy to noeviction"


def eviction(redis: redis.Redis) -> dict[str, Any]:
    """Ask the server for its `maxmemory-policy`; `unknown` where it does not tell.

    Raises:
        RedisError: Redis could not be reached.
    """
    policy = _policy(redis)
    if policy == NOEVICTION:
        return {"status": "ok", "policy": policy}
    if policy == "unknown":
        detail = (
            "the server tells neither its maxmemory-policy nor how full its memory is: ask whoever"
            " runs it"
        )
    else:
        detail = f"when its memory is full it throws away webhooks and rooms in progress: {TODO}"
    return {"status": "warning", "policy": policy, "detail": detail}


def _policy(redis: redis.Redis) -> str:
    try:
        info: dict[str, Any] = redis.info("memory")
    except ResponseError:  # managed servers forbid it
        return "unknown"
    return str(info.get("maxmemory_policy", "unknown"))
