"""Errors over HTTP: RFC 9457 `application/problem+json`, with types that stay the same."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

log = structlog.get_logger(__name__)


class Kind(NamedTuple):
    """One kind of error: what programs compare, what it is called, and its status."""

    slug: str
    title: str
    status: int


SIGNATURE_MISSING: Final = Kind("signature-missing", "The request is not signed", 401)
SIGNATURE_INVALID: Final = Kind("signature-invalid", "The signature does not hold", 401)
UNKNOWN_KEY: Final = Kind("unknown-key", "The API key is not configured here", 401)
EXPIRED: Final = Kind("expired", "The signature is not valid at this time", 401)
TOKEN_MISSING: Final = Kind("token-missing", "The request carries no token", 401)
TOKEN_INVALID: Final = Kind("token-invalid", "The token is another", 401)
CSRF: Final = Kind("csrf", "The change was not asked for by a page of this session", 403)
READ_ONLY: Final = Kind("read-only", "The token is one that only reads", 403)
TOO_MANY_ATTEMPTS: Final = Kind("too-many-attempts", "Too many wrong admin tokens", 429)
BAD_QUERY: Final = Kind("bad-query", "A query value is not allowed", 400)
BAD_BODY: Final = Kind("bad-body", "The body is not allowed", 400)
BAD_HEADER: Final = Kind("bad-header", "A header is not allowed", 400)
NOT_FOUND: Final = Kind("not-found", "Nothing is there", 404)
ALREADY_OVER: Final = Kind("already-over", "The dispatch is over", 409)
KEY_USED: Final = Kind("key-used", "The Idempotency-Key was used for another order", 409)
REDACTED: Final = Kind("redacted", "The event is not kept whole", 409)
NOT_CONFIGURED: Final = Kind("not-configured", "The provider is not configured here", 404)
NOT_AN_EVENT: Final = Kind("not-an-event", "The body is not a webhook event", 400)
NO_RULES: Final = Kind("no-rules", "There are no rules", 503)
TOO_SLOW: Final = Kind("too-slow", "The request took too long to arrive", 408)
TOO_LARGE: Final = Kind("too-large", "The body is larger than 1 MiB", 413)
URL_TOO_LONG: Final = Kind("url-too-long", "The URL is too long", 414)
HEADERS_TOO_LARGE: Final = Kind("headers-too-large", "The headers are too large", 431)
NOT_JSON: Final = Kind("not-json", "The content type is not JSON", 415)
SIGNING_KEY_MISSING: Final = Kind("signing-key-missing", "The signing key is not known yet", 503)
STORE_UNREACHABLE: Final = Kind("store-unreachable", "Redis cannot be reached", 503)
INTERNAL: Final = Kind("internal", "Something went wrong here", 500)

_SHOWN_PATH: Final = 200
_PREFIX: Final = "urn:livekit-dispatcher:problem:"


class Problem(Exception):
    """Ends a request with a problem document.

    Args:
        kind: what kind of problem it is.
        detail: what happened this time and what to do, in one sentence.
        headers: more response headers.
    """

    def __init__(
        self, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer to send."""
        if self.kind.status == 401:  # noqa: PLR2004 - the status that must name a scheme
            self.headers.setdefault("WWW-Authenticate", "Bearer")
        self.headers.setdefault("X-Content-Type-Options", "nosniff")
        self.headers.setdefault("Cache-Control", "no-store")
        return Response(
            json.dumps(
                {
                    "type": _PREFIX + self.kind.slug,
                    "title": self.kind.title,
                    "status": self.kind.status,
                    "detail": self.detail,
                }
            ),
            status=self.kind.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


def answer_with_problems(app: Flask) -> None:
    """Make every error of an app a problem document, Flask's own and unexpected ones too."""
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _unexpected)


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    name = error.name
    kind = Kind(name.lower().replace(" ", "-"), name, status)
    headers = {n: v for n, v in error.get_headers() if n.lower() in ("allow", "location")}
    detail = error.description or name
    if status == HTTPStatus.NOT_FOUND:
        meant = "videosdk" if "videosdk" in request.path else "livekit"
        path = request.path[:_SHOWN_PATH]
        detail = f"Nothing is at {path}; webhooks are taken at /webhooks/{meant}."
    if request.method == "POST":  # LiveKit posts, and logs no refusal of its own
        log.warning("request_refused", type=kind.slug, why=detail, sender=request.remote_addr)
    return Problem(kind, detail, headers=headers).response()


def _unexpected(error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return Problem(INTERNAL, "The log of the service says what.").response()
