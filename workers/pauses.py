"""Which rules are paused: they match as ever, and send nobody until they are resumed.

Workers learn of it with each claim, four times a second or oftener. What is live goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rules.known import EVERY_RULE
from workers import keys

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class Paused:
    """What is paused now."""

    every: bool
    """Whether all rules are, whichever there are or will be."""
    rules: tuple[str, ...]
    """Ids of those that were paused one by one, sorted."""

    @property
    def members(self) -> frozenset[str]:
        """As `rules.known.Known` takes them."""
        return frozenset(self.rules) | ({EVERY_RULE} if self.every else frozenset())

    def __bool__(self) -> bool:
        return self.every or bool(self.rules)

    def __str__(self) -> str:
        if self.every:
            return "all rules are paused"
        if not self.rules:
            return "no rule is paused"
        return f"{', '.join(self.rules)} {'is' if len(self.rules) == 1 else 'are'} paused"


class Pauses:
    """Pauses and resumes rules, for all workers. Every method raises RedisError without Redis."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def now(self) -> Paused:
        """What is paused."""
        members = {m.decode() for m in cast("set[bytes]", self._redis.smembers(keys.PAUSED))}
        return Paused(EVERY_RULE in members, tuple(sorted(members - {EVERY_RULE})))

    def pause(self, rule: str = EVERY_RULE) -> None:
        """Let a rule, or all, send nobody from now on."""
        self._redis.sadd(keys.PAUSED, rule)

    def resume(self, rule: str) -> None:
        """Let a rule send again; while all are paused it does not."""
        self._redis.srem(keys.PAUSED, rule)

    def resume_all(self) -> None:
        """Let all rules send again, those too that were paused one by one."""
        self._redis.delete(keys.PAUSED)
