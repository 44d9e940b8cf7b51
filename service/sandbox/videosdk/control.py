"""The JSON API under `/sandbox/` by which another process makes things happen in meetings.

It is as that of the LiveKit stand-in (`service/sandbox/control.py`), with fewer things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from service.sandbox.control import Fields, handler

if TYPE_CHECKING:
    from service.sandbox.videosdk.server import VideoSdkSandbox


def control_routes(videosdk: VideoSdkSandbox) -> list[web.RouteDef]:
    """The routes, each a verb on one kind of thing."""
    control = Control(videosdk)
    return [
        web.route(verb, f"/sandbox/{thing}", handler(action))
        for thing, verb, action in (
            ("participants", "GET", control.participants),
            ("participants", "POST", control.join),
            ("participants", "DELETE", control.leave),
            ("webhooks", "GET", control.webhooks),
            ("violations", "GET", control.violations),
        )
    ]


class Control:
    """Each method takes the request's fields and returns the answer's."""

    def __init__(self, videosdk: VideoSdkSandbox) -> None:
        self._videosdk = videosdk

    async def participants(self, given: Fields) -> Fields:
        """`meeting`: the ids of those who are there."""
        return {"participants": sorted(self._videosdk.present(given["meeting"]))}

    async def join(self, given: Fields) -> Fields:
        """`meeting`, `participant`, `name`."""
        return {"session": self._videosdk.join(**given).id}

    async def leave(self, given: Fields) -> Fields:
        """`meeting`, `participant`."""
        self._videosdk.leave(**given)
        return {}

    async def webhooks(self, _given: Fields) -> Fields:
        """Every delivery, and what came of it."""
        return {"webhooks": [each.to_json() for each in self._videosdk.webhooks.deliveries]}

    async def violations(self, _given: Fields) -> Fields:
        """Every request that was not as documented."""
        return {"violations": self._videosdk.violations}
