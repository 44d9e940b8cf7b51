"""Tells of every manual act over HTTP, whatever becomes of it: one hook behind all routes.

What is not an act is named too, so that a new route must say which it is: a test sees to it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from flask import g, request

from service.access import READING, Caller, caller
from service.sessions import Role
from workers.audit import Act, note

if TYPE_CHECKING:
    import redis
    from flask import Flask, Response

ACTS: Final = {
    "api.orders.create": "dispatch",
    "api.orders.delete": "delete",
    "api.orders.remove": "remove_agent",
    "api.rooms.look": "look",
    "api.events.replay": "replay",
    "dashboard.send": "dispatch",
    "dashboard.delete": "delete",
    "dashboard.remove": "remove_agent",
    "dashboard.look": "look",
    "dashboard.run_again": "replay",
    "dashboard.change": "",
}
"""Endpoints, and what is done there; `""`: its path says it."""
NO_ACTS: Final = frozenset(
    {
        "webhooks.livekit",
        "videosdk_webhooks.videosdk",
        "api.deciding.decide",
        "dashboard.signed_in",
        "dashboard.sign_out",
        "dashboard.try_event",
    }
)
"""Those that take no order of anybody's; the log tells of who signs in."""
_NAMES: Final = {
    "dispatch_id": "dispatch",
    "event_id": "event",
    "name": "room",
    "identity": "identity",
    "rule": "rule",
    "agent": "agent",
}
"""What is told of a path and a form, and as what."""
_SHOWN_AGAIN: Final = 200
"""The answer of a form that asks once more."""
_REFUSED: Final = 400
_UNCLEAR: Final = 500


def about(**target: str) -> None:
    """Say what this request is about, where neither its path nor its form does."""
    g.about = {**g.get("about", {}), **target}


def add_audit(app: Flask, redis: redis.Redis) -> None:
    """Add the hook."""

    @app.after_request
    def told(response: Response) -> Response:
        endpoint, status = request.endpoint or "", response.status_code
        if endpoint not in ACTS or request.method in READING or (who := caller()) is None:
            return response
        if status != _SHOWN_AGAIN:
            # What was refused is logged and not kept: attempts would push out what was done.
            note(redis, _act(who, endpoint, _result(status)), keeps=status < _REFUSED)
        return response


def _act(who: Caller, endpoint: str, result: str) -> Act:
    what = ACTS[endpoint] or str((request.view_args or {}).get("word", ""))
    return Act(_name(who), _sender(), what, _target(what), result)


def _sender() -> str:
    """The address that this request came from, and for whom a proxy says it was."""
    address, forwarded = request.remote_addr or "", request.headers.get("X-Forwarded-For", "")
    return f"{address} for {forwarded[:100]}" if forwarded else address


def _name(who: Caller) -> str:
    if who.session is None:
        return f"{who.role} token"
    mark = sha256(who.session.id.encode()).hexdigest()[:8]  # tells sessions apart, and opens none
    return f"session {mark}" if who.role is Role.ADMIN else f"{who.role}'s session {mark}"


def _target(what: str) -> dict[str, str]:
    is_page = (request.endpoint or "").startswith("dashboard.")
    given = {**(request.form if is_page else {}), **(request.view_args or {})}
    found = {_NAMES[name]: str(v) for name, v in given.items() if name in _NAMES and v}
    found |= g.get("about", {})
    return found or ({"rule": "*"} if what in ("pause", "resume") else {})


def _result(status: int) -> str:
    if status >= _UNCLEAR:
        return f"unclear, {status}"
    return f"refused, {status}" if status >= _REFUSED else "accepted"
