"""`/` and `/agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, abort, render_template, request

from service.dashboard.lists import BadFilter, numbered
from service.dashboard.overview import overview
from service.dashboard.words import dispatch_said

if TYPE_CHECKING:
    from service.dashboard.sources import Sources

_ACTS: Final = 8
_AGENTS: Final = 50
"""Agents on one page, those that need somebody to look first."""


def add_home(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/")
    def home() -> str:
        known = sources.deployed()
        return render_template(
            "home.html",
            seen=overview(sources, known),
            agents=known.agents[:_AGENTS],
            agent_count=len(known.agents),
            said=dispatch_said,
            acts=sources.audit.last(_ACTS),
            webhook_url=f"{request.host_url}webhooks/livekit",
        )

    @pages.get("/agents")
    def agents() -> str:
        known, wanted = sources.deployed(), request.args.get("agent", "").strip()
        found = [each for each in known.agents if wanted.lower() in each["agent"].lower()]
        try:
            page = numbered(found, request.args.get("page", ""), _AGENTS)
        except BadFilter as problem:
            abort(400, str(problem))
        return render_template(
            "agents.html",
            page=page,
            wanted=wanted,
            found=len(found),
            unanswered=() if wanted else known.unanswered,
        )
