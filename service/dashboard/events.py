"""`/events`: what came in, and what every rule made of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from service.api.events import NotWhole, check_whole, replayed
from service.audit import about
from service.dashboard.lists import BadFilter, filled, since
from service.dashboard.trying import NotAnEvent, read, rule_test, told
from service.dashboard.words import decision_said, outcome_said
from workers.foresight import foresee
from workers.pages import Page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from service.dashboard.sources import Sources


def add_events(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/events")
    def events() -> tuple[str, int]:
        room, ago = request.args.get("room", "").strip(), request.args.get("since", "").strip()
        error, page = "", Page([], None)
        try:
            page = filled(
                sources.ledger.events, request.args.get("cursor", ""), room=room or None,
                since=since(ago),
            )  # fmt: skip
        except BadFilter as problem:
            error = str(problem)
        rooms = dict.fromkeys(each["room"] for each in page.items)
        text = render_template(
            "events.html", page=page, room=room, since=ago, error=error, rooms=list(rooms),
            verdict=_verdict,
        )  # fmt: skip
        return text, 400 if error else 200

    @pages.get("/events/<path:event_id>")
    def event(event_id: str) -> str:
        found = _found(sources, event_id)
        return _page(found, json.dumps(found["body"], indent=2, ensure_ascii=False))

    @pages.post("/events/<path:event_id>/try")
    def try_event(event_id: str) -> AnyResponse | tuple[str, int]:
        """Explain an event that was edited, or save it as a rule test; nothing is dispatched."""
        found = _found(sources, event_id)
        text = request.form.get("event", "")
        ruleset = sources.rules().ruleset
        if ruleset is None:
            return _page(found, text, error="There are no rules to explain it by."), 409
        try:
            event, body = read(text)
        except NotAnEvent as error:
            return _page(found, text, error=str(error)), 400
        if request.form.get("do") == "save":
            name = f"{event.name.replace('_', '-')}.test.yaml"
            return Response(
                rule_test(event, body, ruleset),
                content_type="application/yaml; charset=utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        anew = request.form.get("known") != "room"
        foreseen = foresee(
            sources.redis,
            ruleset,
            found["server"],
            event,
            providers=sources.settings.providers,
            anew=anew,
        )
        redaction = sources.settings.redaction
        outcome = told(foreseen.decisions, foreseen.event, redaction)
        return _page(found, text, outcome=outcome), 200

    @pages.get("/events/<path:event_id>/again")
    def ask_to_run_again(event_id: str) -> str:
        return render_template("event_again.html", event=_whole(sources, event_id))

    @pages.post("/events/<path:event_id>/again")
    def run_again(event_id: str) -> AnyResponse:
        found = _whole(sources, event_id)
        again = replayed(sources.intake, found)
        about(new=again)
        return redirect(url_for("dashboard.events", room=found["room"], again=again), 303)


def _page(
    event: dict[str, Any],
    text: str,
    *,
    error: str = "",
    outcome: list[dict[str, Any]] | None = None,
) -> str:
    return render_template(
        "event.html", event=event, text=text, error=error, outcome=outcome, said=decision_said,
        outcome_said=outcome_said, verdict=_verdict,
    )  # fmt: skip


def _found(sources: Sources, event_id: str) -> dict[str, Any]:
    found = sources.ledger.event(event_id, sources.server_ids)
    if found is None:
        abort(404, "There is no such event, or history has forgotten it.")
    return found


def _whole(sources: Sources, event_id: str) -> dict[str, Any]:
    found = _found(sources, event_id)
    try:
        check_whole(found)
    except NotWhole as error:
        abort(409, f"{error}.")
    return found


def _verdict(event: dict[str, Any]) -> tuple[str, str]:
    """What came of an event, as a tone and words."""
    decisions = event["decisions"]
    failed = [d["rule"] for d in decisions if d["outcome"] == "error"]
    sent = [d["rule"] for d in decisions if d["outcome"] == "dispatch"]
    if failed:
        return "bad", f"{', '.join(failed)} failed"
    if sent:
        return "good", f"dispatched by {', '.join(sent)}"
    already = [d["rule"] for d in decisions if d["reason"] == "already_dispatched"]
    if already:
        return "idle", "the agent had been sent already"
    held = [d["reason"].replace("_", " ") for d in decisions
            if d["reason"] in ("paused", "limit", "held", "group", "agent_present")]  # fmt: skip
    if held:
        return "warn", f"not sent: {held[0]}"
    if any(d["outcome"] == "shadow" for d in decisions):
        return "idle", "matched by a shadow rule"
    return "idle", "no rule matched"
