"""What is answered on which port, where DISPATCHER_ADMIN_PORT is one of its own.

Then the port that LiveKit reaches answers webhooks and `/healthz`, and nothing else: pages, the API
and whatever tells of the service are on the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import structlog
from flask import request

from service import problems
from service.problems import Problem

if TYPE_CHECKING:
    from flask import Flask

PORT: Final = "dispatcher.port"
"""In the `environ` of a request where there are two ports: a `Port`."""
log = structlog.get_logger(__name__)

_ON_BOTH: Final = "/healthz"
_WEBHOOKS: Final = "/webhooks/"


class Port(StrEnum):
    """Through which port a request came."""

    PUBLIC = "public"
    ADMIN = "admin"


def keep_apart(app: Flask) -> None:
    """Have each port answer what belongs there. To be called before other checks are added."""

    @app.before_request
    def is_here() -> None:
        port = request.environ.get(PORT)
        if port is None or request.path == _ON_BOTH:
            return
        wanted = Port.PUBLIC if request.path.startswith(_WEBHOOKS) else Port.ADMIN
        if port != wanted:
            if request.method == "POST":  # LiveKit posts, and logs no refusal of its own
                sender = request.remote_addr
                log.warning("request_refused", type=problems.NOT_FOUND.slug, sender=sender)
            raise Problem(problems.NOT_FOUND, "There is nothing of this path on this port.")
