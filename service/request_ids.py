"""A name for each request: in every line it logs, and in the answer's header `X-Request-Id`.

A proxy's is taken over where it is plain, so that its log and ours tell of one request alike. What
is answered to accepted webhooks has none: their events have ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from service.front import LATER
from service.request_name import CURRENT, RequestName

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER: Final = "X-Request-Id"


def name_requests(app: Flask) -> None:
    """Name every request. To be called before whatever may log."""

    @app.before_request
    def name() -> None:
        CURRENT.set(RequestName(request.headers.get(HEADER, "")))

    @app.after_request
    def tell(response: Response) -> Response:
        if not request.environ.get(LATER):  # else another response is sent in place of this one
            response.headers[HEADER] = str(CURRENT.get())
        return response
