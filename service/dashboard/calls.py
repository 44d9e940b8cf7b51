"""`/calls`: what was dispatched, and what became of each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, abort, redirect, render_template, request, url_for

from service.dashboard import timeline
from service.dashboard.lists import BadFilter, Filters, filled
from service.dashboard.words import dispatch_said
from workers.pages import Page
from workers.states import State, lives

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources

VIEWS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("All", {}),
    ("Failing now", {"state": "failed", "since": "1h"}),
    ("Waiting", {"state": "pending"}),
    ("In call", {"state": "active"}),
    ("Last hour", {"since": "1h"}),
)


def add_calls(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/calls")
    def calls() -> tuple[str, int]:
        filters = Filters.of(request.args)
        error, page = "", Page([], None)
        try:
            page = filled(sources.ledger.dispatches, filters.cursor, **filters.asked())
        except BadFilter as problem:
            error = str(problem)
        text = render_template(
            "calls.html",
            filters=filters,
            page=page,
            error=error,
            views=VIEWS,
            states=list(State),
            choices=sources.choices(each["room"] for each in page.items),
            said=dispatch_said,
        )
        return text, 400 if error else 200

    @pages.get("/calls/<dispatch_id>")
    def call(dispatch_id: str) -> str:
        found = _found(sources, dispatch_id)
        line = sources.ledger.line_of(found)
        return render_template(
            "call.html",
            call=found,
            line=line,
            said=dispatch_said,
            picture=timeline.picture(line, time.time()),
            bars=timeline.bars(found, time.time()),
            phases=timeline.phases(found["provider"]),
            phase_words=timeline.WORDS,
            waited=timeline.waited(line, found, time.time()),
            is_live=lives(found["state"], found["ended_at"]),
        )

    @pages.get("/calls/<dispatch_id>/delete")
    def ask_to_delete(dispatch_id: str) -> str:
        return render_template("call_delete.html", call=_found(sources, dispatch_id))

    @pages.post("/calls/<dispatch_id>/delete")
    def delete(dispatch_id: str) -> AnyResponse:
        found = _found(sources, dispatch_id)
        if lives(found["state"], found["ended_at"]):
            sources.remove(found)
        return redirect(url_for("dashboard.call", dispatch_id=found["id"]), 303)


def _found(sources: Sources, dispatch_id: str) -> dict[str, Any]:
    found = sources.orders.shown(dispatch_id)
    if found is None:
        abort(404, "There is no such call, or history has forgotten it.")
    return found
