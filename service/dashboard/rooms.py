"""`/rooms`: who is where, and what has happened there.

A room may be called anything, such as `../calls`, where a browser would go elsewhere: in links and
forms its name is a field, never a part of the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request, url_for

from service.dashboard.lists import BadFilter, filled
from service.dashboard.words import dispatch_said
from workers.pages import Page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources


def add_rooms(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/rooms")
    def rooms() -> tuple[str, int]:
        part, error, page = request.args.get("name", "").strip(), "", Page([], None)
        try:
            page = filled(sources.rooms.page, request.args.get("cursor", ""), name=part)
        except BadFilter as problem:
            error = str(problem)
        several = len(sources.servers) > 1
        text = render_template("rooms.html", page=page, part=part, error=error, several=several)
        return text, 400 if error else 200

    @pages.get("/room")
    def room() -> str:
        name = request.args.get("name", "")
        if not name:
            abort(404, "Which room? Its name is to stand in the address: /room?name=…")
        return shown(name)

    @pages.get("/rooms/<room:name>")
    def room_by_path(name: str) -> str:
        """The same page, as other programs link to it."""
        return shown(name)

    def shown(name: str) -> str:
        sent = request.args.get("sent", "")
        calls = sources.ledger.dispatches(room=name, limit=20)
        events = sources.ledger.events(room=name, limit=15)
        return render_template(
            "room.html",
            name=name,
            rooms=sources.rooms.named(name),
            sent=sent if sent.isalnum() else "",  # an id of ours, whoever made the link
            calls=calls,
            events=events,
            said=dispatch_said,
        )

    @pages.post("/room/look")
    def look() -> AnyResponse:
        name = request.form.get("name", "")
        for server_id in sources.server_ids:
            sources.intake.look(server_id, name)
        return redirect(url_for("dashboard.room", name=name, done="look"), 303)
