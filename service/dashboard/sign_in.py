"""Signing in by a token, and the guard before every page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from flask import Blueprint, g, make_response, redirect, render_template, request, url_for

from service.access import READING, Caller, sender_of
from service.dashboard.live import PATH as LIVE
from service.sessions import COOKIE, LIFE_SECONDS

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.wrappers import Response as AnyResponse

    from service.attempts import Attempts
    from service.sessions import Session, Sessions

FORM_COOKIE: Final = "lkd_form"
FIELD: Final = "csrf"
_OPEN: Final = frozenset({"dashboard.sign_in", "dashboard.signed_in", "dashboard.static"})
_SIGN_OUT: Final = "dashboard.sign_out"
_ASKING: Final = "dashboard.ask_to_"
"""Endpoints of pages that are there for a change alone begin so."""

log = structlog.get_logger(__name__)


def add_sign_in(pages: Blueprint, sessions: Sessions, attempts: Attempts) -> None:
    """Add the routes, and the guard of all others."""

    @pages.before_request
    def guard() -> AnyResponse | tuple[str, int] | None:
        g.session = None
        if request.endpoint in _OPEN:
            return None
        session = _session(sessions)
        if session is None:
            return _to_sign_in()
        g.session = session
        g.caller = Caller(session.role, session)
        if not session.may_change and _is_for_changes():
            return _refused("read-only")
        is_ours = sessions.is_csrf(session, request.form.get(FIELD, ""))
        return None if request.method in READING or is_ours else _refused("csrf")

    @pages.get("/sign-in")
    def sign_in() -> AnyResponse:
        if _session(sessions) is not None:
            return redirect(local(request.args.get("next", "")))
        return _form(sessions, local(request.args.get("next", "")))

    @pages.post("/sign-in")
    def signed_in() -> AnyResponse:
        return _signed_in(sessions, attempts, local(request.form.get("next", "")))

    @pages.post("/sign-out")
    def sign_out() -> AnyResponse:
        sessions.end(g.session)
        answer = redirect(url_for("dashboard.sign_in"), 303)
        _delete(answer, COOKIE)
        return answer


def _signed_in(sessions: Sessions, attempts: Attempts, target: str) -> AnyResponse:
    if not sessions.is_form(request.form.get(FIELD, ""), request.cookies.get(FORM_COOKIE, "")):
        return _form(sessions, target, "This form was too old. Please try again.", 400)
    sender = sender_of(request)
    waiting = attempts.count(sender)
    if waiting:
        log.warning("sign_in_refused", sender=sender.address, why="too many attempts")
        words = "Too many attempts. Wait a minute, then try again."
        refused = _form(sessions, target, words, 429)
        refused.headers["Retry-After"] = str(waiting)
        return refused
    role = sessions.role_of(request.form.get("token", "").strip())
    if role is None:
        log.warning("sign_in_refused", sender=sender.address, why="not the admin token")
        nor = ", nor the viewer’s" if sessions.has_viewers else ""
        words = f"That is not the admin token of this service{nor}."
        return _form(sessions, target, words, 401)
    attempts.succeeded(sender)
    log.info("signed_in", sender=sender.address, role=role.value)
    answer = redirect(target, 303)
    _set(answer, COOKIE, sessions.begin(role), LIFE_SECONDS)
    _delete(answer, FORM_COOKIE)
    return answer


def _is_for_changes() -> bool:
    """Whether a request is one that a viewer has no use for. Anybody may sign out."""
    endpoint = request.endpoint or ""
    changes = request.method not in READING and endpoint != _SIGN_OUT
    return changes or endpoint.startswith(_ASKING)


def _refused(why: str) -> tuple[str, int]:
    log.warning("change_refused", path=request.path, sender=request.remote_addr, type=why)
    return render_template("refused.html", why=why), 403


def local(path: str) -> str:
    """The path of a page of ours, `/` for any other address."""
    is_ours = path.startswith("/") and not path.startswith("//")
    return path if is_ours and path.isprintable() and "\\" not in path else "/"


def _session(sessions: Sessions) -> Session | None:
    """Whose request this is. A stream begins on the loop, which waits for no Redis: it is looked
    after where it runs.
    """
    session = sessions.read(request.cookies.get(COOKIE, ""))
    if session is None or (request.path != LIVE and sessions.is_ended(session)):
        return None
    return session


def _to_sign_in() -> AnyResponse | tuple[str, int]:
    if request.path == LIVE:
        return "", 401
    if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        # A link from a chat or a pager comes without a SameSite=Strict cookie: coming once more,
        # from a page of ours, it brings the one there may be.
        return make_response(render_template("once_more.html"))
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect(url_for("dashboard.sign_in", next=None if target == "/" else target), 303)


def _form(sessions: Sessions, target: str, error: str = "", status: int = 200) -> Response:
    text = sessions.form()
    answer = make_response(
        render_template(
            "sign_in.html",
            form=text,
            next=target,
            error=error,
            has_viewers=sessions.has_viewers,
        ),
        status,
    )
    _set(answer, FORM_COOKIE, text, None)
    return answer


def _set(answer: AnyResponse, name: str, value: str, seconds: int | None) -> None:
    answer.set_cookie(
        name, value, max_age=seconds, secure=_is_https(), httponly=True, samesite="Strict"
    )


def _delete(answer: AnyResponse, name: str) -> None:
    answer.delete_cookie(name, secure=_is_https(), httponly=True, samesite="Strict")


def _is_https() -> bool:
    return request.is_secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
