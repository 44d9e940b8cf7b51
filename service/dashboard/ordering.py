"""Sending an agent to a room by hand, and removing one: each is asked for once more first."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, abort, redirect, render_template, request, url_for

from rules.decision import RestartPolicy
from service.audit import about
from service.dashboard.deployments import PRODUCTION, deployment_of
from workers.orders import BadOrder, KeyUsed
from workers.whereabouts import WhichServer, server_of_room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources

_NOT_SO: Final = (
    "Which deployment? For production leave it empty, as LiveKit has it; one that is really called"
    ' production is written "production", in quotes.'
)
_FIELDS: Final = ("agent", "deployment", "metadata", "restart_policy", "key")


def add_ordering(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/room/send")
    def ask_to_send() -> str:
        return _send_form(sources, request.args, error="", confirm=False)

    @pages.post("/room/send")
    def send() -> AnyResponse | tuple[str, int]:
        """Two steps: what was typed is shown once more, then sent."""
        return _send(sources)

    @pages.get("/room/remove")
    def ask_to_remove() -> str:
        name, identity = request.args.get("name", ""), request.args.get("identity", "")
        return render_template("agent_remove.html", name=name, identity=identity)

    @pages.post("/room/remove")
    def remove() -> AnyResponse:
        name, identity = request.form.get("name", ""), request.form.get("identity", "")
        having = {
            room["server"]
            for room in sources.rooms.named(name)
            if any(agent["identity"] == identity for agent in room["agents"])
        }
        if not having:
            abort(404, "No agent of that identity is known to be in the room.")
        for server_id, url in sources.settings.places.items():
            if url in having:
                sources.orders.remove_agent(server_id, name, identity)
        return redirect(url_for("dashboard.room", name=name, done="remove"), 303)


def _send(sources: Sources) -> AnyResponse | tuple[str, int]:
    given, name = request.form, request.form.get("name", "")
    chosen = given.get("server", "")
    if chosen not in {server.id for server in sources.servers}:
        try:
            chosen = server_of_room(sources.redis, sources.settings, name).id
        except WhichServer:
            words = "Which LiveKit server is the room on?"
            return _send_form(sources, given, words, confirm=False), 400
    if not given.get("agent", "").strip():
        return _send_form(sources, given, "Which agent? It needs a name.", confirm=False), 400
    deployment = given.get("deployment", "").strip()
    if deployment == PRODUCTION:
        return _send_form(sources, given, _NOT_SO, confirm=False), 400
    if given.get("confirmed") != "yes":
        return _send_form(sources, given, "", confirm=True), 200
    try:
        sent = sources.orders.dispatch(
            chosen,
            name, given["agent"].strip(), deployment_of(deployment),
            given.get("metadata", ""), None,
            given.get("restart_policy") or RestartPolicy.ON_FAILURE.value,
            key=given.get("key", ""),
        )  # fmt: skip
    except (BadOrder, KeyUsed) as error:
        return _send_form(sources, given, f"It was not sent: {error}.", confirm=False), 400
    about(dispatch=sent)
    return redirect(url_for("dashboard.room", name=name, sent=sent), 303)


def _send_form(sources: Sources, given: Mapping[str, str], error: str, *, confirm: bool) -> str:
    values: dict[str, Any] = {name: given.get(name, "") for name in _FIELDS}
    values["key"] = values["key"] or secrets.token_hex(8)  # sent twice, it is one dispatch
    return render_template(
        "room_send.html",
        deployment=deployment_of(values["deployment"].strip()),
        name=given.get("name", ""),
        server=given.get("server", ""),
        servers=sources.servers if len(sources.servers) > 1 else (),
        values=values,
        error=error,
        confirm=confirm,
        choices=sources.choices(),
        policies=[policy.value for policy in RestartPolicy],
    )
