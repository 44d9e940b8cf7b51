"""`/api/v1/rooms`: what can be asked and done about a room by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, request
from redis.exceptions import RedisError

from rules.problems import quoted
from service import problems
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.intake import Intake
    from workers.settings import Server, Settings

log = structlog.get_logger(__name__)


def rooms(settings: Settings, intake: Intake) -> Blueprint:
    """The routes about rooms."""
    routes = Blueprint("rooms", __name__)

    @routes.post("/rooms/<room:name>/look")
    def look(name: str) -> tuple[Response, int]:
        """List the room now, and let its rules see what changed.

        202: it has been put into the room's inbox. On every server, unless `?project=` says which.
        """
        servers = _asked(settings, request.args.get("project"))
        try:
            for server in servers:
                intake.look(server.id, name)
        except RedisError as error:
            log.error("look_not_stored", error=str(error), room=name)  # noqa: TRY400 - it is Redis that is away
            raise Problem(
                problems.STORE_UNREACHABLE,
                "Redis cannot be reached. Nothing is stored: ask again.",
                headers={"Retry-After": "1"},
            ) from None
        return Response('{"status":"accepted"}', content_type="application/json"), 202

    return routes


def _asked(settings: Settings, project: str | None) -> Sequence[Server]:
    """The servers that are meant: that of an API key, or all.

    Raises:
        Problem: nobody has configured that key.
    """
    if project is None:
        return settings.servers
    server = settings.server_of(project)
    if server is None:
        raise Problem(
            problems.BAD_QUERY,
            f"project={quoted(project)} is not an API key that is configured here;"
            " see LIVEKIT_API_KEY and LIVEKIT_KEYS.",
        )
    return [server]
