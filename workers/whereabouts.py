"""Which server a room is on, for whoever names the room alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.metadata import well_formed
from rules.problems import quoted
from workers import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from workers.settings import Server, Settings


class WhichServer(ValueError):
    """It cannot be told which server is meant; the text says what to name."""


def server_of_room(
    redis: redis.Redis, settings: Settings, room: str, project: str | None = None
) -> Server:
    """The one server that is meant: that of an API key, or the only one that may have the room.

    Raises:
        WhichServer: there is none, or there are several.
        RedisError: Redis could not be reached.
    """
    if project is not None:
        server = settings.server_of(project)
        if server is None:
            raise WhichServer(
                f"project {quoted(project)} is not an API key that is configured here;"
                " see LIVEKIT_API_KEY and LIVEKIT_KEYS"
            )
        return server
    servers = _servers_of_room(redis, settings, room)
    if not servers:
        raise WhichServer("no LiveKit server is configured here; see LIVEKIT_URL")
    if len(servers) > 1:
        raise WhichServer(
            f"there are several LiveKit servers, and the room {quoted(room)} may be on"
            f" {len(servers)} of them: name an API key of one as 'project'"
        )
    return servers[0]


def _servers_of_room(redis: redis.Redis, settings: Settings, room: str) -> Sequence[Server]:
    """The servers on which the room is known to be live; all of them, if it is known on none."""
    servers = settings.servers
    if len(servers) < 2:  # noqa: PLR2004 - nothing to choose
        return servers
    name = well_formed(room)
    names = [keys.room_key(server.id, name) for server in servers]
    scores = redis.zmscore(keys.ROOMS, names)
    live = [server for server, at in zip(servers, scores, strict=True) if at is not None]
    return live or servers
