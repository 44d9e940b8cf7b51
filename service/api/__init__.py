"""The API, `/api/v1`: what operators and their programs ask and order.

Whoever comes here has shown the admin token (service/access.py). Routes live in a module for each
thing they are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint

from service.api.names import RoomName
from service.api.orders import orders
from service.api.rooms import rooms

if TYPE_CHECKING:
    import redis
    from flask import Flask

    from workers.intake import Intake
    from workers.settings import Settings

PREFIX: Final = "/api/v1"


def add_api(app: Flask, settings: Settings, intake: Intake, redis: redis.Redis) -> None:
    """Add the routes of the API to an application."""
    app.url_map.converters["room"] = RoomName
    routes = Blueprint("api", __name__)
    routes.register_blueprint(rooms(settings, intake))
    routes.register_blueprint(orders(settings, redis))
    app.register_blueprint(routes, url_prefix=PREFIX)
