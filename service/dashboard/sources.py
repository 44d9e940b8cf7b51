"""What the pages read: history, the rules, what is paused, the state of the service."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workers.audit import Audit
from workers.deadletters import DeadLetters
from workers.deployed import deployed
from workers.ledger import Ledger
from workers.orders import Orders
from workers.pauses import Pauses
from workers.rooms_now import RoomsNow
from workers.rules_in_force import look_or_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

    from service.deliveries import Deliveries
    from workers.deployed import Deployed
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
    def rooms(self) -> RoomsNow:
        """Rooms as they are now."""
        return RoomsNow(self.redis, self.settings.places, self.settings.redaction)

    @cached_property
    def pauses(self) -> Pauses:
        """Which rules are paused."""
        return Pauses(self.redis)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Events that could not be decided."""
        return DeadLetters(self.redis)

    @cached_property
    def audit(self) -> Audit:
        """What was done by hand."""
        return Audit(self.redis)

    @cached_property
    def orders(self) -> Orders:
        """What is ordered by hand."""
        return Orders(self.redis, self.settings.redaction)

    def remove(self, dispatch: Mapping[str, Any]) -> None:
        """Have a dispatch deleted, on the server that has it: where it is not known it is nothing.

        Raises:
            RedisError: it may or may not have been ordered.
        """
        self.orders.remove_wherever(self.server_ids, dispatch["room"], dispatch["id"])

    def deployed(self) -> Deployed:
        """What is known of agents."""
        return deployed(self.redis, self.rules().ruleset, self.server_ids)

    @property
    def servers(self) -> tuple[Server, ...]:
        """The LiveKit servers."""
        return self.settings.servers

    @property
    def server_ids(self) -> list[str]:
        """Their ids, and that of VideoSDK's account."""
        return list(self.settings.places)

    def rules(self) -> InForce:
        """The rules in force; where none loads here, those that a worker has kept."""
        return look_or_kept(self.in_force, self.redis)

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
