"""The dashboard: pages for people, made here on the server, that work without a script.

Whoever sees them has signed in (sign_in.py). Everything that comes from a room, such as names,
identities and metadata, was chosen by strangers: templates escape it, set names apart from our
words (`bdi` and `isolated` in shown.py) and put them into no link's path, and no page allows a
script or a style that is not one of ours (headers.py).
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Final

from flask import Blueprint, g, render_template
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from service.attempts import Attempts
from service.dashboard.calls import add_calls
from service.dashboard.events import add_events
from service.dashboard.headers import add_headers
from service.dashboard.home import add_home
from service.dashboard.live import Changes
from service.dashboard.ordering import add_ordering
from service.dashboard.rooms import add_rooms
from service.dashboard.rules_page import add_rules
from service.dashboard.shown import add_filters
from service.dashboard.sign_in import add_sign_in
from service.dashboard.sources import Sources
from service.dashboard.stream import add_stream
from workers import keys
from workers.connection import connect_async, unreachable

if TYPE_CHECKING:
    import redis
    from flask import Flask

    from service.deliveries import Deliveries
    from service.sessions import Sessions
    from workers.intake import Intake
    from workers.rules_in_force import RulesInForce
    from workers.settings import Settings

_STATIC: Final = ("dashboard.css", "dashboard.js")


def add_dashboard(
    app: Flask,
    settings: Settings,
    redis: redis.Redis,
    intake: Intake,
    in_force: RulesInForce,
    deliveries: Deliveries,
    sessions: Sessions,
) -> None:
    """Add the pages to an application."""
    pages = Blueprint(
        "dashboard", __name__, template_folder="templates", static_folder="static",
        static_url_path="/static",
    )  # fmt: skip
    sources = Sources(settings, redis, in_force, intake, deliveries)
    changes = Changes(lambda: connect_async(settings, patient=False))
    add_filters(app)
    add_headers(app)
    add_sign_in(pages, sessions, Attempts(redis, keys.SIGN_IN))
    add_stream(pages, changes)
    add_home(pages, sources)
    add_calls(pages, sources)
    add_events(pages, sources)
    add_rules(pages, sources)
    add_rooms(pages, sources)
    add_ordering(pages, sources)

    @pages.errorhandler(RedisError)
    def redis_is_away(error: RedisError) -> tuple[str, int, dict[str, str]]:
        words = unreachable(settings, error)
        return render_template("away.html", words=words), 503, {"Retry-After": "2"}

    @pages.errorhandler(HTTPException)
    def not_so(error: HTTPException) -> tuple[str, int]:
        if not g.get("session"):
            return error.name, error.code or 500
        words = error.description or ""
        return render_template("missing.html", title=error.name, words=words), error.code or 500

    version = _version()

    @pages.app_context_processor
    def of_every_page() -> dict[str, object]:
        return {"version": version}

    app.register_blueprint(pages)


def _version() -> str:
    """What changes with the static files, so that browsers may keep them."""
    static = resources.files("service.dashboard").joinpath("static")
    whole = hashlib.sha256()
    for name in _STATIC:
        whole.update(static.joinpath(name).read_bytes())
    return whole.hexdigest()[:12]
