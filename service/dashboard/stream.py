"""The route of `GET /live`; what is sent there is in live.py."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

from service.dashboard.live import PATH
from service.front import STREAM

if TYPE_CHECKING:
    from service.dashboard.live import Changes


def add_stream(pages: Blueprint, changes: Changes) -> None:
    """Add the route."""

    @pages.get(PATH)
    def live() -> Response | tuple[str, int, dict[str, str]]:
        """503 where this process serves no streams, or no more: pages then ask by themselves."""
        streams = request.environ.get(STREAM)
        if streams is None or changes.is_full:
            return "", 503, {"Retry-After": "10"}
        streams.append(partial(changes.tell, g.session))
        return Response(content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
