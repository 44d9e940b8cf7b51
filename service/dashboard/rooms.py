"""`/rooms`: who is where, and what has happened there.

A room may be called anything: in forms its name is a field, never a part of the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for

from service.dashboard.rooms_seen import PAGE, room_seen, rooms_seen
from service.dashboard.words import dispatch_said, reason_word

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources


def add_rooms(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/rooms")
    def rooms() -> str:
        begin = max(0, request.args.get("begin", 0, type=int))
        part = request.args.get("name", "").strip()
        found, more = rooms_seen(sources.redis, begin, part)
        return render_template(
            "rooms.html", rooms=found, part=part, begin=begin, more=more, page=PAGE,
            several=len(sources.servers) > 1,
        )  # fmt: skip

    @pages.get("/rooms/<room:name>")
    def room(name: str) -> str:
        calls = sources.ledger.dispatches(room=name, limit=20)
        events = sources.ledger.events(room=name, limit=15)
        return render_template(
            "room.html",
            name=name,
            rooms=room_seen(sources.redis, sources.server_ids, name),
            calls=calls,
            events=events,
            said=dispatch_said,
            urls={server.id: server.url for server in sources.servers},
            word=reason_word,
        )

    @pages.post("/room/look")
    def look() -> AnyResponse:
        name = request.form.get("name", "")
        for server_id in sources.server_ids:
            sources.intake.look(server_id, name)
        return redirect(url_for("dashboard.room", name=name, done="look"), 303)
