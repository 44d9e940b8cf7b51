"""`/api/v1/agents`: which agents are deployed, and how they stand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from service.api.agent_models import Agents
from service.api.described import STORE, Described, answer, described
from workers.deployed import deployed
from workers.rules_in_force import look_or_kept

if TYPE_CHECKING:
    import redis

    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings


def agents(settings: Settings, redis: redis.Redis, in_force: RulesInForce) -> Blueprint:
    """The routes about agents."""
    routes = Blueprint("agents", __name__)
    server_ids = list(settings.places)

    @routes.get("/agents")
    @described(Described(Agents, problems=STORE))
    def listed() -> Response:
        """The agents that are deployed, as far as can be told; those that are failing first.

        LiveKit does not tell. Each row says where its facts are from.
        """
        known = deployed(redis, look_or_kept(in_force, redis).ruleset, server_ids)
        return answer(Agents.model_validate(asdict(known)))

    return routes
