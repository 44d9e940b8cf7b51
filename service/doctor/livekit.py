"""A LiveKit server: whether it answers, takes our keys, agrees on the time, posts webhooks."""

from __future__ import annotations

import ipaddress
import json
import time
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from livekit.api import AccessToken, VideoGrants

from service.address import http_address
from service.doctor.clocks import APART_SECONDS, judged
from service.doctor.exchange import ask
from service.doctor.findings import failed, ok, warning
from service.webhooks import PATH
from workers.errors import ProviderError
from workers.heard import last_heard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import redis

    from service.doctor.exchange import Answered
    from service.doctor.findings import Finding
    from workers.servers import Server
    from workers.settings import Settings

WEBHOOKS: Final = "livekit webhooks"
LATE_SECONDS: Final = 60.0
"""A room that was opened so long ago has had its webhook, or will not: LiveKit tries for 26 s."""
_TTL: Final = timedelta(minutes=10)
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LISTING: Final = "/twirp/livekit.RoomService/ListRooms"
_EVERYWHERE: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def reached(server: Server, keys: Sequence[str], settings: Settings) -> Iterator[Finding]:
    """Whether it answers and takes each key, and what its clock says.

    Args:
        server: which one.
        keys: all that are configured for it, the one it is called with first.
        settings: they know the secrets.
    """
    answers: list[Answered] = []
    for key in keys:
        try:
            answered = _rooms(server, key, settings)
        except ProviderError as error:
            cause, _, todo = str(error).rpartition("; ")
            found, hint = (cause, todo) if cause else (str(error), "check LIVEKIT_URL")
            yield failed("livekit", f"{server.url}: {found}", hint)
            break
        answers.append(answered)
        yield _judged(server, key, answered, is_called_with=key == server.api_key)
    told = [answered.ahead for answered in answers if answered.ahead is not None]
    if told:
        yield judged("livekit clock", f"the clock of {server.url}", min(told, key=abs))


def webhooks(redis: redis.Redis, server: Server, settings: Settings) -> Iterator[Finding]:
    """Whether its webhooks come, and where they must be posted to.

    Raises:
        RedisError: Redis was lost.
    """
    heard = {key: at for (place, key), at in last_heard(redis).items() if place == server.id}
    url = webhook_url(settings, PATH)
    register = f"have {server.url} post to {url} (webhook.urls), signed with one of its keys here"
    if not heard:
        yield warning(WEBHOOKS, f"{server.url} has never posted one that is valid", register)
        return
    key = max(heard, key=lambda each: heard[each])
    ago = time.time() - heard[key]
    found = f"{server.url} posts to {url}; the last came {in_words(ago)} ago, signed by {key}"
    newer = _opened_since(server, heard[key], settings)
    if newer:
        told = f"{found}: none of the room {newer!r}, which was opened since"
        yield failed(WEBHOOKS, told, f"{register}; look whether it can reach that")
    elif settings.secret_of(key) is None:
        yield warning(WEBHOOKS, f"{found}, which is not configured here", "add it to LIVEKIT_KEYS")
    else:
        yield ok(WEBHOOKS, found)


def webhook_url(settings: Settings, path: str) -> str:
    """Where webhooks are taken, as far as this machine knows."""
    host = "<this machine>" if settings.host in _EVERYWHERE else settings.host
    return f"{http_address(host, settings.port)}{path}"


def within_reach(server: Server, settings: Settings) -> Iterator[Finding]:
    """Whether it could post to the address that webhooks are taken at."""
    theirs = urlsplit(server.url).hostname or ""
    if not _is_loopback(settings.host) or _is_loopback(theirs):
        return
    found = f"webhooks are taken at {settings.host} only, and {server.url} is another machine"
    todo = "set DISPATCHER_HOST=0.0.0.0, unless a proxy on this machine passes them on"
    yield warning("webhook address", found, todo)


def in_words(seconds: float) -> str:
    """A time that has passed: `12 s`, `5 min`, `3 h`, `2 days`."""
    for most, unit, words in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{max(0.0, seconds) / unit:.0f} {words}"
    return f"{seconds / 86400:.0f} days"


def _rooms(server: Server, key: str, settings: Settings) -> Answered:
    grants = VideoGrants(room_list=True)
    signed = AccessToken(key, settings.secret_of(key) or "").with_grants(grants).with_ttl(_TTL)
    token = f"Bearer {signed.to_jwt()}"
    return ask("LiveKit", "LIVEKIT_URL", "POST", server.url + _LISTING, token=token, asked={})


def _judged(server: Server, key: str, answered: Answered, *, is_called_with: bool) -> Finding:
    where = f"{server.url} with the key {key}"
    took = f"{answered.seconds * 1000:.0f} ms"
    if answered.status == HTTPStatus.OK:
        told = answered.headers.get("Server")
        version = f", Server: {told}" if told else ""
        if (listed := _listed(answered)) is None:
            found = f"{where}: what answers there is not LiveKit"
            return failed("livekit", found, "check LIVEKIT_URL")
        rooms = len(listed)
        counted = f"{rooms} room{'s' * (rooms != 1)}"
        return ok("livekit", f"{where}: accepted, {took}, {counted}{version}")
    if answered.status not in _REFUSED:
        found = f"{where}: answered {answered.status}"
        return failed("livekit", found, "check LIVEKIT_URL, and the server's own log")
    is_apart = answered.ahead is not None and abs(answered.ahead) > APART_SECONDS
    clocks = ", or the clocks, which differ," if is_apart else ""
    if is_called_with:
        todo = f"check LIVEKIT_API_KEY and LIVEKIT_API_SECRET{clocks}".rstrip(",")
        return failed("livekit", f"{where}: the key is refused", todo)
    todo = f"check its secret{clocks.rstrip(',')}, or remove it from LIVEKIT_KEYS"
    return warning("livekit", f"{where}: the key is refused", todo)


def _opened_since(server: Server, heard_at: float, settings: Settings) -> str:
    """The name of a room that was opened after its last webhook; `""` if there is none."""
    try:
        answered = _rooms(server, server.api_key, settings)
    except ProviderError:  # it is told elsewhere
        return ""
    until = time.time() - LATE_SECONDS + (answered.ahead or 0.0)
    for room in _listed(answered) or ():
        opened = _opened(room)
        if heard_at + LATE_SECONDS < opened < until:
            return str(room.get("name", ""))
    return ""


def _listed(answered: Answered) -> list[dict[str, Any]] | None:
    """The rooms; None: that is no listing."""
    try:
        told = json.loads(answered.text) if answered.status == HTTPStatus.OK else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("rooms", []), list):
        return None
    return [each for each in told.get("rooms", []) if isinstance(each, dict)]


def _opened(room: Mapping[str, Any]) -> float:
    told = room.get("creation_time") or room.get("creationTime") or 0
    return float(told) if str(told).isdigit() else 0.0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
