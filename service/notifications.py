"""Whether others are told of dispatches, as `/readyz` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from workers.notice_queue import untold
from workers.notices import NOBODY

if TYPE_CHECKING:
    import redis

    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings

LATE_SECONDS: Final = 60.0
"""How old what is not told may be before somebody should know."""


def notifications(settings: Settings, redis: redis.Redis, in_force: RulesInForce) -> dict[str, Any]:
    """How many receivers there are, how much they were not told yet, and since when."""
    receivers = settings.receivers.all if settings.receivers is not None else ()
    told: dict[str, Any] = {"status": "ok", "receivers": [each.shown for each in receivers]}
    try:
        waiting, age = untold(redis)
    except RedisError as error:
        return {**told, "status": "warning", "detail": str(error)}
    told |= {"waiting": waiting, "oldest": round(age, 1) if waiting else None}
    ruleset = in_force.now.ruleset
    if not receivers and ruleset is not None and ruleset.notifies:
        return {**told, "status": "warning", "detail": NOBODY}
    if age > LATE_SECONDS:
        detail = f"{waiting} not told, the oldest for {age:.0f} s; see the workers' logs"
        return {**told, "status": "warning", "detail": detail}
    return told
