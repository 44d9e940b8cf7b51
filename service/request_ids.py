"""A name for each request: in every line it logs, and in the answer's header `X-Request-Id`.

A proxy's is taken over where it is plain, so that its log and ours tell of one request alike. What
is answered to accepted webhooks has none: their events have ids.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from flask import g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER: Final = "X-Request-Id"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


def name_requests(app: Flask) -> None:
    """Name every request. To be called before whatever may log."""

    @app.before_request
    def name() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _PLAIN.match(given) else secrets.token_hex(8)
        clear_contextvars()  # of the request this thread had before
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def tell(response: Response) -> Response:
        if "request_id" in g:
            response.headers[HEADER] = g.request_id
        return response
