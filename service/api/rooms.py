"""`/api/v1/rooms`: what can be asked and done about a room by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response
from redis.exceptions import RedisError

from rules.problems import quoted
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Accepted, OneRoom, Rooms
from service.api.query import ProjectQuery, RoomsQuery, page_of, read_query
from service.problems import Problem
from workers.ledger import Ledger
from workers.rooms_now import RoomsNow
from workers.whereabouts import not_configured

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from workers.intake import Intake
    from workers.settings import Settings

log = structlog.get_logger(__name__)


def rooms(settings: Settings, redis: redis.Redis, intake: Intake) -> Blueprint:
    """The routes about rooms."""
    routes = Blueprint("rooms", __name__)
    now = RoomsNow(redis, settings.places, settings.redaction)
    ledger = Ledger(redis)

    @routes.get("/rooms")
    @described(Described(Rooms, query=RoomsQuery, problems=(problems.BAD_QUERY, *STORE)))
    def listed() -> Response:
        """Rooms that are live, with their humans and agents, the latest first.

        A room in which something happens while pages are turned moves to the first.
        """
        page = page_of(now.page, RoomsQuery)
        return answer(Rooms.model_validate({"rooms": page.items, "next": page.next}))

    @routes.get("/rooms/<room:name>")
    @described(Described(OneRoom, problems=(problems.NOT_FOUND, *STORE)))
    def shown(name: str) -> Response:
        """A room as it is now, and the last events of its name."""
        found, events = now.named(name), ledger.events(room=name).items
        if not found and not events:
            detail = f"No room {quoted(name)} is live, and nothing of one is kept."
            raise Problem(problems.NOT_FOUND, detail)
        return answer(OneRoom.model_validate({"rooms": found, "events": events}))

    @routes.post("/rooms/<room:name>/look")
    @described(Described(Accepted, 202, query=ProjectQuery, problems=(problems.BAD_QUERY, *STORE)))
    def look(name: str) -> Response:
        """List the room now, and let its rules see what changed.

        It has been put into the room's inbox. On every server, unless `project` says which.
        """
        server_ids = _asked(settings, read_query(ProjectQuery).project)
        try:
            for server_id in server_ids:
                intake.look(server_id, name)
        except RedisError as error:
            log.error("look_not_stored", error=str(error), room=name)  # noqa: TRY400 - it is Redis that is away
            raise Problem(
                problems.STORE_UNREACHABLE,
                "Redis cannot be reached. Nothing is stored: ask again.",
                headers={"Retry-After": "1"},
            ) from None
        return answer(Accepted(), 202)

    return routes


def _asked(settings: Settings, project: str | None) -> Sequence[str]:
    """Ids of the places that are meant: that of an API key, or all.

    Raises:
        Problem: nobody has configured that key.
    """
    if project is None:
        return list(settings.places)
    place = settings.place_of(project)
    if place is None:
        raise Problem(problems.BAD_QUERY, f"{not_configured(project)}.")
    return [place]
