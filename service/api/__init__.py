"""The API, `/api/v1`: what operators and their programs ask and order.

Whoever comes here has shown a token (service/access.py), and the admin token to change anything.
Routes live in a module for each thing they are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from flask import Blueprint, Response
from redis.exceptions import RedisError

from service import problems
from service.api.agents import agents
from service.api.audit import audit
from service.api.decide import deciding
from service.api.dispatches import dispatches
from service.api.events import events
from service.api.openapi import openapi
from service.api.orders import orders
from service.api.rooms import rooms
from service.api.rules import rules
from service.problems import Problem

if TYPE_CHECKING:
    import redis
    from flask import Flask

    from workers.intake import Intake
    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings

PREFIX: Final = "/api/v1"

log = structlog.get_logger(__name__)


def add_api(
    app: Flask, settings: Settings, intake: Intake, redis: redis.Redis, in_force: RulesInForce
) -> None:
    """Add the routes of the API to an application."""
    routes = Blueprint("api", __name__)
    routes.register_blueprint(dispatches(redis))
    routes.register_blueprint(orders(settings, redis))
    routes.register_blueprint(rooms(settings, redis, intake))
    routes.register_blueprint(events(settings, redis, intake))
    routes.register_blueprint(agents(settings, redis, in_force))
    routes.register_blueprint(rules(redis, in_force))
    routes.register_blueprint(deciding(settings, redis, in_force))
    routes.register_blueprint(audit(redis))
    routes.register_blueprint(openapi())
    routes.register_error_handler(RedisError, _away)
    app.register_blueprint(routes, url_prefix=PREFIX)


def _away(error: RedisError) -> Response:
    log.error("api_failed", error=str(error))
    return Problem(
        problems.STORE_UNREACHABLE,
        "Redis cannot be reached: ask again.",
        headers={"Retry-After": "1"},
    ).response()
