"""What the pages read: history, the rules, what is paused, the state of the service."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from service.dashboard.rooms_seen import room_seen
from workers.deadletters import DeadLetters
from workers.ledger import Ledger
from workers.orders import Orders
from workers.pauses import Pauses
from workers.rules_in_force import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

    from service.deliveries import Deliveries
    from workers.intake import Intake
    from workers.rules_in_force import InForce, RulesInForce
    from workers.settings import Server, Settings


@dataclass(frozen=True)
class Sources:
    """Everything a page is made of."""

    settings: Settings
    redis: redis.Redis
    in_force: RulesInForce
    intake: Intake
    deliveries: Deliveries

    @cached_property
    def ledger(self) -> Ledger:
        """History."""
        return Ledger(self.redis)

    @cached_property
    def pauses(self) -> Pauses:
        """Which rules are paused."""
        return Pauses(self.redis)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Events that could not be decided."""
        return DeadLetters(self.redis)

    @cached_property
    def orders(self) -> Orders:
        """What is ordered by hand."""
        return Orders(self.redis)

    def remove(self, dispatch: Mapping[str, Any]) -> None:
        """Have a dispatch deleted, on the server whose room has it.

        Raises:
            RedisError: it may or may not have been ordered.
        """
        room = dispatch["room"]
        for server_id in self.server_ids:
            found = room_seen(self.redis, [server_id], room)
            if len(self.servers) == 1 or any(each.sid == dispatch["room_sid"] for each in found):
                self.orders.remove(server_id, room, dispatch["id"])

    def agents(self) -> list[dict[str, Any]]:
        """The deployed agents."""
        from collections import Counter
        rows = {}
        for route in self.ledger.routes():
            row = rows.setdefault((route.agent, route.deployment), dict(agent=route.agent, deployment=route.deployment, status="idle", sessions=0, waiting=0, peak=0, success_rate=None, join_p50_ms=None, join_p95_ms=None, last_seen=None, rules=[], sources={}))
            n = self.redis.zcard(f"lkd:dispatches:active:{route.key}")
            row["sessions"] += n
            if row["sessions"]: row["status"] = "active"
        return list(rows.values())

    @property
    def servers(self) -> tuple[Server, ...]:
        """The LiveKit servers."""
        return self.settings.servers

    @property
    def server_ids(self) -> list[str]:
        """Their ids."""
        return [server.id for server in self.settings.servers]

    def rules(self) -> InForce:
        """The rules in force; where none loads here, those that a worker has kept."""
        now = self.in_force.look()
        if now.ruleset is None:
            with contextlib.suppress(RedisError):
                good = kept(self.redis)
                if good is not None:
                    self.in_force.fall_back(good)
                    now = self.in_force.now
        return now

    def choices(self, rooms: Iterable[str] = ()) -> Choices:
        """What may be chosen in filters, most recently used first."""
        routes = self.ledger.routes()
        ruleset = self.rules().ruleset
        ids = [rule.id for rule in ruleset.rules] if ruleset is not None else []
        return Choices(
            agents=_unlike(route.agent for route in routes),
            deployments=_unlike(route.deployment for route in routes if route.deployment),
            rules=_unlike([*(route.rule for route in routes if route.rule), *ids]),
            rooms=_unlike(rooms),
        )


@dataclass(frozen=True, slots=True)
class Choices:
    """Words that complete what is typed."""

    agents: list[str]
    deployments: list[str]
    rules: list[str]
    rooms: list[str]


def _unlike(words: Iterable[str], most: int = 200) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))[:most]
