"""Whether Redis has room for what comes: a full one refuses every webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    import redis

NEARLY_FULL: Final = 0.95
"""History makes room from 0.9 of `maxmemory` on: what is above that is not history."""
TODO: Final = "give it more memory, or set DISPATCHER_HISTORY_BYTES lower"
MEGABYTE: Final = 1_000_000


def memory(redis: redis.Redis) -> dict[str, Any]:
    """How full it is; `megabytes` and `maxmemory`, in MB, are None where it does not tell or has no
    `maxmemory`.

    Raises:
        RedisError: Redis could not be reached.
    """
    try:
        told: dict[str, Any] = redis.info("memory")
    except ResponseError:  # managed servers forbid it; `eviction` says so
        return {"status": "ok", "megabytes": None, "maxmemory": None}
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    shown: dict[str, Any] = {
        "megabytes": round(used / MEGABYTE),
        "maxmemory": round(most / MEGABYTE) if most else None,
    }
    if not most or used < NEARLY_FULL * most:
        return {"status": "ok", **shown}
    if used < most:
        return {"status": "warning", **shown, "detail": f"its memory is nearly full: {TODO}"}
    detail = f"its memory is full, and webhooks are refused with 503: {TODO}"
    return {"status": "failed", **shown, "detail": detail}
