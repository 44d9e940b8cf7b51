"""`/api/v1/events`: what was decided on, and why; and deciding on it again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import structlog
from flask import Blueprint, Response

from rules.event import read_event
from rules.problems import quoted
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Event, Events, Replayed
from service.api.query import EventsQuery, page_of
from service.audit import about
from service.problems import Problem
from workers.drift import REPLAY
from workers.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis

    from workers.intake import Intake
    from workers.settings import Settings

log = structlog.get_logger(__name__)


def events(settings: Settings, redis: redis.Redis, intake: Intake) -> Blueprint:
    """The routes about events."""
    routes = Blueprint("events", __name__)
    ledger = Ledger(redis)
    server_ids = list(settings.places)

    @routes.get("/events")
    @described(Described(Events, query=EventsQuery, problems=(problems.BAD_QUERY, *STORE)))
    def listed() -> Response:
        """The events that some rule was about, newest first, each with its decisions."""
        page = page_of(ledger.events, EventsQuery)
        return answer(Events.model_validate({"events": page.items, "next": page.next}))

    @routes.get("/events/<path:event_id>")
    @described(Described(Event, problems=(problems.NOT_FOUND, *STORE)))
    def shown(event_id: str) -> Response:
        """One event, and what each rule said of it."""
        return answer(Event.model_validate(found(event_id)))

    @routes.post("/events/<path:event_id>/replay")
    @described(
        Described(Replayed, status=202, problems=(problems.NOT_FOUND, problems.REDACTED, *STORE))
    )
    def replay(event_id: str) -> Response:
        """Run it again, as a new event. What it matches is really dispatched.

        409: what was redacted of it is not kept, so rules would decide on something else.
        """
        try:
            new = replayed(intake, found(event_id))
        except NotWhole as error:
            raise Problem(problems.REDACTED, f"{error}.") from None
        about(new=new)
        log.info("event_replayed", event_id=event_id, new=new)
        return answer(Replayed(id=new), 202)

    def found(event_id: str) -> dict[str, Any]:
        event = ledger.event(event_id, server_ids)
        if event is None:
            detail = f"There is no event {quoted(event_id)}, or it is no longer kept."
            raise Problem(problems.NOT_FOUND, detail)
        return event

    return routes


class NotWhole(ValueError):
    """The event is kept without what rules may ask of it; the text says what."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(
            f"This event is kept without {', '.join(paths)}, so rules would not decide on what came"
            " then; let the room be looked at instead, or send the event anew from where it is"
            " known whole"
        )


def check_whole(event: Mapping[str, Any]) -> None:
    """Refuse an event of which something was redacted: it is not what rules decided on.

    Raises:
        NotWhole: it is one.
    """
    if event["redacted"]:
        raise NotWhole(event["redacted"])


def replayed(intake: Intake, event: dict[str, Any]) -> str:
    """Have an event that was kept decided again; the id of the new one.

    It keeps its time: what is older than some seconds is looked up before an agent is sent.

    Raises:
        NotWhole: something of it was redacted.
        RedisError: it may or may not have been stored.
    """
    check_whole(event)
    new = f"{event['id'][:180]}{REPLAY}{secrets.token_hex(4)}"
    body = {**event["body"], "id": new}
    intake.accept(event["server"], read_event(body, fallback_id=new))
    return new
