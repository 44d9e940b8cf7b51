"""The job. Run by `rq worker webhooks`, or by RQ's SimpleWorker, which does not fork for each."""

from __future__ import annotations

import asyncio
import json

from livekit.api import LiveKitAPI
from livekit.protocol.agent_dispatch import CreateAgentDispatchRequest


def dispatch(event: str, room: str) -> None:
    """Send the agent the room needs."""
    if event == "room_started" and room.startswith("bench-"):
        asyncio.run(_create(room))


async def _create(room: str) -> None:
    async with LiveKitAPI() as api:  # it takes LIVEKIT_URL and the key from the environment
        await api.agent_dispatch.create_dispatch(
            CreateAgentDispatchRequest(
                agent_name="greeter", room=room, metadata=json.dumps({"room": room})
            )
        )
