"""`/rooms`: who is where, and sending and removing agents by hand.

A room may be called anything: in forms its name is a field, never a part of the path.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from rules.decision import RestartPolicy
from service.dashboard.rooms_seen import PAGE, Room, room_seen, rooms_seen
from service.dashboard.words import dispatch_said, reason_word
from workers.orders import BadOrder, KeyUsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources

_FIELDS = ("agent", "deployment", "metadata", "restart_policy", "key")


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

    @pages.get("/room/send")
    def ask_to_send() -> str:
        return _send_form(sources, request.args, error="", confirm=False)

    @pages.post("/room/send")
    def send() -> AnyResponse | tuple[str, int]:
        """Two steps: what was typed is shown once more, then sent."""
        given, name = request.form, request.form.get("name", "")
        server_id = given.get("server") or _server_of(sources, name)
        if server_id not in sources.server_ids:
            abort(404, "There is no such LiveKit server.")
        if not given.get("agent", "").strip():
            return _send_form(sources, given, "Which agent? It needs a name.", confirm=False), 400
        if given.get("confirmed") != "yes":
            return _send_form(sources, given, "", confirm=True), 200
        try:
            sent = sources.orders.dispatch(
                server_id, name, given["agent"].strip(), given.get("deployment", "").strip(),
                given.get("metadata", ""), None,
                given.get("restart_policy") or RestartPolicy.ON_FAILURE.value,
                key=given.get("key", ""),
            )  # fmt: skip
        except (BadOrder, KeyUsed) as error:
            return _send_form(sources, given, f"It was not sent: {error}.", confirm=False), 400
        return redirect(url_for("dashboard.room", name=name, sent=sent), 303)

    @pages.get("/room/remove")
    def ask_to_remove() -> str:
        name, identity = request.args.get("name", ""), request.args.get("identity", "")
        return render_template("agent_remove.html", name=name, identity=identity)

    @pages.post("/room/remove")
    def remove() -> AnyResponse:
        name, identity = request.form.get("name", ""), request.form.get("identity", "")
        for each in room_seen(sources.redis, sources.server_ids, name):
            if any(agent.identity == identity for agent in each.agents):
                sources.orders.remove_agent(each.server_id, name, identity)
                return redirect(url_for("dashboard.room", name=name, done="remove"), 303)
        abort(404, "No agent of that identity is known to be in the room.")


def _send_form(
    sources: Sources, given: Mapping[str, str], error: str, *, confirm: bool
) -> str:
    values: dict[str, Any] = {name: given.get(name, "") for name in _FIELDS}
    values["key"] = values["key"] or secrets.token_hex(8)  # sent twice, it is one dispatch
    return render_template(
        "room_send.html",
        name=given.get("name", ""),
        server=given.get("server", ""),
        values=values,
        error=error,
        confirm=confirm,
        choices=sources.choices(),
        policies=[policy.value for policy in RestartPolicy],
    )


def _server_of(sources: Sources, name: str) -> str:
    """The server that has the room; the first, if none is known to."""
    found: list[Room] = room_seen(sources.redis, sources.server_ids, name)
    live = [each.server_id for each in found if each.is_live]
    return (live or sources.server_ids or [""])[0]
