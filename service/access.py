"""Who may use the API: whoever sends the admin token as a bearer token (RFC 6750)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import structlog
from flask import request

from service import problems
from service.problems import Problem

if TYPE_CHECKING:
    from flask import Flask

_GUARDED: Final = "/api"

log = structlog.get_logger(__name__)


def require_token(app: Flask, token: str | None) -> None:
    """Let nobody near `/api` without the token, to whatever there is or is not.

    Args:
        app: the application.
        token: the admin token; None lets nobody in.
    """

    @app.before_request
    def refuse_strangers() -> None:
        if request.path == _GUARDED or request.path.startswith(f"{_GUARDED}/"):
            _refuse(request.headers.get("Authorization", ""), token)


def _refuse(authorization: str, token: str | None) -> None:
    scheme, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        problem = Problem(
            problems.TOKEN_MISSING,
            "The API needs the header 'Authorization: Bearer …' with DISPATCHER_ADMIN_TOKEN.",
        )
    elif token is None or not hmac.compare_digest(given.encode(), token.encode()):
        problem = Problem(
            problems.TOKEN_INVALID,
            "The bearer token is not this service's DISPATCHER_ADMIN_TOKEN.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    else:
        return
    log.warning("api_refused", type=problem.kind.slug, sender=request.remote_addr)
    raise problem
