"""`POST /webhooks/livekit`: an event is verified, stored, and only then answered with 200.

Behind the front of `dispatcher serve` many of them are stored together; under another WSGI server
each by itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import structlog
from flask import Blueprint, Response, request
from redis.exceptions import RedisError

from rules.event import OURS, EventName
from service import problems
from service.api.described import STORE, Described, described
from service.api.models import Stored
from service.bodies import json_body
from service.front import LATER
from service.problems import Problem
from service.verify import Forged, NotAnEvent, Stale, UnknownKey, Unsigned, verify

if TYPE_CHECKING:
    from rules.event import Event
    from service.deliveries import Deliveries
    from service.problems import Kind
    from service.verify import Verified
    from workers.intake import Accepted, GatheringIntake, Intake
    from workers.settings import Settings

PATH: Final = "/webhooks/livekit"

_USABLE: Final = frozenset(EventName) - OURS
_KINDS: Final[dict[type[Exception], Kind]] = {
    Unsigned: problems.SIGNATURE_MISSING,
    UnknownKey: problems.UNKNOWN_KEY,
    Stale: problems.EXPIRED,
    Forged: problems.SIGNATURE_INVALID,
    NotAnEvent: problems.NOT_AN_EVENT,
}

log = structlog.get_logger(__name__)


def webhooks(
    settings: Settings, intake: Intake, gathering: GatheringIntake, deliveries: Deliveries
) -> Blueprint:
    """The routes LiveKit posts to."""
    routes = Blueprint("webhooks", __name__)

    @routes.errorhandler(Problem)
    def refused(problem: Problem) -> Response:
        if problem.kind is not problems.STORE_UNREACHABLE:
            slug = problem.kind.slug
            deliveries.refused(slug)
            sender = request.remote_addr
            log.warning("webhook_refused", type=slug, why=problem.detail, sender=sender)
        return problem.response()

    @routes.post(PATH, provide_automatic_options=False)
    @described(
        Described(
            Stored,
            problems=(*_KINDS.values(), problems.TOO_LARGE, problems.NOT_JSON, *STORE),
            is_open=True,
        )
    )
    def livekit() -> Response:
        """Take a webhook that LiveKit has signed: the `Authorization` header is its token.

        Once it is answered with 200 it is stored.
        """
        verified = _verified(settings)
        event = verified.event
        if event.name not in _USABLE or not event.room_name:
            return stored("ignored")
        later = request.environ.get(LATER)
        if later is not None:
            later.append(partial(gathered, verified))
            return Response()
        try:
            return stored(intake.accept(verified.server.id, event))
        except RedisError as error:
            raise _not_stored(event, error) from None

    async def gathered(verified: Verified) -> Response:
        try:
            return stored(await gathering.accept(verified.server.id, verified.event))
        except RedisError as error:
            return _not_stored(verified.event, error).response()

    def stored(status: Accepted | Literal["ignored"]) -> Response:
        deliveries.accepted()
        return Response(f'{{"status":"{status}"}}', content_type="application/json")

    return routes


def _verified(settings: Settings) -> Verified:
    """The event in this request."""
    raw = json_body("LiveKit sends application/webhook+json; application/json is taken too.")
    try:
        return verify(raw, request.headers.get("Authorization"), settings)
    except tuple(_KINDS) as error:
        raise Problem(_KINDS[type(error)], f"{error}.") from None


def _not_stored(event: Event, error: RedisError) -> Problem:
    log.error("webhook_not_stored", error=str(error), event_id=event.id)
    return Problem(
        problems.STORE_UNREACHABLE,
        "Redis cannot be reached. The event is not stored: send it again.",
        headers={"Retry-After": "1"},
    )
