"""`POST /webhooks/livekit`: an event is verified, stored, and only then answered with 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, Response, request

from service import problems
from service.api.described import Described, described
from service.api.models import Stored
from service.bodies import json_body
from service.taking import ALWAYS
from service.verify import verify

if TYPE_CHECKING:
    from service.taking import Taking
    from workers.settings import Settings

PATH: Final = "/webhooks/livekit"

_UNVERIFIED: Final = (
    problems.SIGNATURE_MISSING,
    problems.UNKNOWN_KEY,
    problems.EXPIRED,
    problems.SIGNATURE_INVALID,
)


def webhooks(settings: Settings, taking: Taking) -> Blueprint:
    """The routes LiveKit posts to."""
    routes = Blueprint("webhooks", __name__)
    taking.see_to(routes, "livekit", _UNVERIFIED)

    @routes.post(PATH, provide_automatic_options=False)
    @described(Described(Stored, problems=(*_UNVERIFIED, *ALWAYS), is_open=True))
    def livekit() -> Response:
        """Take a webhook that LiveKit has signed: the `Authorization` header is its token.

        Once it is answered with 200 it is stored.
        """
        raw = json_body("LiveKit sends application/webhook+json; application/json is taken too.")
        verified = verify(raw, request.headers.get("Authorization"), settings)
        return taking.take(verified.server.id, verified.event)

    return routes
