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
            raise not_configured(project)
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


def place_of_room(
    redis: redis.Redis, settings: Settings, room: str, project: str | None = None
) -> str:
    """Id of the LiveKit server or VideoSDK account that is meant, as `server_of_room` tells.

    Raises:
        WhichServer: there is none, or there are several.
        RedisError: Redis could not be reached.
    """
    if project is not None:
        place = settings.place_of(project)
        if place is None:
            raise not_configured(project)
        return place
    places = _known_on(redis, list(settings.places), room)
    if settings.videosdk is None or settings.videosdk.id not in places:
        return server_of_room(redis, settings, room).id
    if len(places) > 1:
        raise WhichServer(
            f"the room {quoted(room)} may be LiveKit's or VideoSDK's: name an API key as 'project'"
        )
    return places[0]


def not_configured(project: str) -> WhichServer:
    """What to say where no server and no account has that API key."""
    return WhichServer(
        f"project {quoted(project)} is not an API key that is configured here;"
        " see LIVEKIT_API_KEY and LIVEKIT_KEYS"
    )


def _servers_of_room(redis: redis.Redis, settings: Settings, room: str) -> Sequence[Server]:
    """The servers on which the room is known to be live; all of them, if it is known on none."""
    known = _known_on(redis, [server.id for server in settings.servers], room)
    return [server for server in settings.servers if server.id in known]


def _known_on(redis: redis.Redis, server_ids: list[str], room: str) -> list[str]:
    """Those on which the room is known to be live; all of them, if it is known on none."""
    if len(server_ids) < 2:  # noqa: PLR2004 - nothing to choose
        return server_ids
    name = well_formed(room)
    scores = redis.zmscore(keys.ROOMS, [keys.room_key(each, name) for each in server_ids])
    live = [each for each, at in zip(server_ids, scores, strict=True) if at is not None]
    return live or server_ids
