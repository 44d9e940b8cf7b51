"""The headers of every page: nothing is loaded, framed, stored or guessed but what is meant.

The API has them too, and errors that belong to no page. Only answers to webhooks do without: no
browser sees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

if TYPE_CHECKING:
    from flask import Flask, Response

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_WITHOUT: Final = "/webhooks/"


def add_headers(app: Flask) -> None:
    """Send them with everything an application answers; the dashboard's styles and script may be
    kept by browsers, since each version of them has an address of its own.
    """

    @app.after_request
    def guarded(answer: Response) -> Response:
        if request.path.startswith(_WITHOUT):
            return answer
        is_file = answer.direct_passthrough and answer.status_code < 400  # noqa: PLR2004 - an error
        for name, value in HEADERS.items():
            answer.headers[name] = value
        if is_file:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
