"""`/` and `/agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, render_template, request

from service.dashboard.overview import overview
from service.dashboard.words import dispatch_said

if TYPE_CHECKING:
    from service.dashboard.sources import Sources

_ACTS: Final = 8


def add_home(pages: Blueprint, sources: Sources) -> None:
    """Add the routes."""

    @pages.get("/")
    def home() -> str:
        known = sources.deployed()
        return render_template(
            "home.html",
            seen=overview(sources, known),
            agents=known.agents,
            said=dispatch_said,
            acts=sources.audit.last(_ACTS),
            webhook_url=f"{request.host_url}webhooks/livekit",
        )

    @pages.get("/agents")
    def agents() -> str:
        return render_template("agents.html", known=sources.deployed())
