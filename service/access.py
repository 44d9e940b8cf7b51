"""Who may use the API: whoever sends a token as a bearer token (RFC 6750), and whoever has signed
in to the dashboard. The viewer's token opens what only reads.

Who tries many tokens is not looked at for a while (service/guesses.py). A session's changes must
carry its CSRF token in a header, which no other site's page can send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from flask import g, request
from redis.exceptions import RedisError

from service import problems
from service.attempts import Sender
from service.problems import Problem
from service.sessions import COOKIE, CSRF_HEADER, Role

if TYPE_CHECKING:
    from flask import Flask, Request

    from service.guesses import Guesses
    from service.sessions import Session, Sessions

_GUARDED: Final = "/api"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is, once it is known: kept as `g.caller`."""

    role: Role
    session: Session | None = None
    """None: it came with the token."""


def caller() -> Caller | None:
    """Whose request this is; None: nobody's who is known."""
    found = g.get("caller")
    return found if isinstance(found, Caller) else None


def require_token(app: Flask, sessions: Sessions, guesses: Guesses) -> None:
    """Let nobody near `/api` who has neither a token nor a session, to whatever there is or is
    not.

    Args:
        app: the application.
        sessions: who knows the tokens, and who has signed in.
        guesses: who has tried too many tokens.
    """

    @app.before_request
    def refuse_strangers() -> None:
        if request.path == _GUARDED or request.path.startswith(f"{_GUARDED}/"):
            try:
                _refuse(request.headers.get("Authorization", ""), sessions, guesses)
            except Problem as problem:
                log.warning("api_refused", type=problem.kind.slug, sender=request.remote_addr)
                raise


def sender_of(request: Request) -> Sender:
    """Whoever sends a request, as attempts are counted."""
    return Sender(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""))


def _refuse(authorization: str, sessions: Sessions, guesses: Guesses) -> None:
    session = sessions.read(request.cookies.get(COOKIE, ""))
    if not authorization and session is not None:
        _refuse_session(session, sessions)
        return
    scheme, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        raise Problem(
            problems.TOKEN_MISSING,
            "The API needs the header 'Authorization: Bearer …' with DISPATCHER_ADMIN_TOKEN.",
        )
    role = sessions.role_of(given)
    waiting = guesses.waiting(sender_of(request), is_right=role is not None)
    if waiting:
        raise Problem(
            problems.TOO_MANY_ATTEMPTS,
            f"Too many wrong tokens came from there: wait {waiting} s.",
            headers={"Retry-After": str(waiting)},
        )
    if role is None:
        raise Problem(
            problems.TOKEN_INVALID,
            "The bearer token is not this service's DISPATCHER_ADMIN_TOKEN.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    g.caller = Caller(role)
    _refuse_viewers(role)


def _refuse_viewers(role: Role) -> None:
    if role is Role.VIEWER and request.method not in READING:
        raise Problem(
            problems.READ_ONLY,
            "DISPATCHER_VIEWER_TOKEN reads: for anything else send DISPATCHER_ADMIN_TOKEN.",
        )


def _refuse_session(session: Session, sessions: Sessions) -> None:
    try:
        ended = sessions.is_ended(session)
    except RedisError:
        raise Problem(
            problems.STORE_UNREACHABLE,
            "Redis cannot be reached, so it is not known whether this session was signed out of.",
            headers={"Retry-After": "1"},
        ) from None
    if ended:
        raise Problem(problems.TOKEN_MISSING, "This session was signed out of: sign in again.")
    g.caller = Caller(session.role, session)
    _refuse_viewers(session.role)
    given = request.headers.get(CSRF_HEADER, "")
    if request.method not in READING and not sessions.is_csrf(session, given):
        raise Problem(
            problems.CSRF,
            f"A change by a signed-in session needs the header '{CSRF_HEADER}' with the token of"
            " the page's forms; programs send 'Authorization: Bearer …' instead.",
        )
