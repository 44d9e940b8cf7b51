"""What becomes of an accepted event if the Redis server's machine loses its power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    import redis

_DETAILS: Final = {
    "always": "every event is on disk before it is answered",
    "everysec": "up to a second of accepted events can be lost with the machine:"
    " set appendfsync to always to keep all",
    "no": "accepted events of some seconds can be lost with the machine: set appendfsync to always",
    "none": "accepted events can be lost with the server:"
    " set appendonly to yes and appendfsync to always",
    "unknown": "the server does not tell its appendfsync: ask whoever runs it",
}


def persistence(redis: redis.Redis) -> dict[str, Any]:
    """Ask the server for its policy: `always`, `everysec`, `no`, `none` (no file) or `unknown`."""
    policy = _policy(redis)
    return {
        "status": "ok" if policy == "always" else "warning",
        "policy": policy,
        "detail": _DETAILS.get(policy, _DETAILS["unknown"]),
    }


def _policy(redis: redis.Redis) -> str:
    try:
        config: dict[Any, Any] = redis.config_get("append*")
    except RedisError:  # managed servers forbid it
        return _policy_from_info(redis)
    told = {_text(name): _text(value) for name, value in config.items()}
    if told.get("appendonly") == "no":
        return "none"
    return told.get("appendfsync", "unknown")


def _policy_from_info(redis: redis.Redis) -> str:
    try:
        info: dict[str, Any] = redis.info("persistence")
    except RedisError:
        return "unknown"
    return "none" if info.get("aof_enabled") == 0 else "unknown"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
