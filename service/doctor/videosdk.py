"""VideoSDK's account: whether its API answers, takes what it is called with, and posts webhooks."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from service.doctor.clocks import judged
from service.doctor.exchange import ask
from service.doctor.findings import failed, ok, warning
from service.doctor.livekit import in_words, webhook_url
from service.signing_key import PATH as KEY_PATH
from service.videosdk_webhooks import PATH
from workers.errors import ProviderError, Unauthorized
from workers.heard import last_heard
from workers.providers.videosdk import VideoSdk

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from service.doctor.findings import Finding
    from workers.settings import Settings
    from workers.videosdk_account import VideoSdkAccount

_NOBODYS: Final = "livekit-dispatcher"
"""A meeting that is asked for, to be answered at all."""


def reached(account: VideoSdkAccount) -> Iterator[Finding]:
    """Whether it answers, takes our token, and agrees on the time."""
    try:
        answered = ask("VideoSDK", "VIDEOSDK_URL", "GET", account.url + KEY_PATH)
        asyncio.run(_sessions(account))
    except ProviderError as error:
        cause, _, todo = str(error).rpartition("; ")
        which = "the token is refused" if isinstance(error, Unauthorized) else ""
        found = ": ".join(filter(None, (account.url, which, cause or str(error))))
        yield failed("videosdk", found, todo if cause else "check VIDEOSDK_URL")
        return
    yield ok("videosdk", f"{account.url}: accepted, {answered.seconds * 1000:.0f} ms")
    if answered.ahead is not None:
        yield judged("videosdk clock", f"the clock of {account.url}", answered.ahead)
    if account.webhook_key:
        yield ok("videosdk signing key", "VIDEOSDK_WEBHOOK_PUBLIC_KEY")
    elif answered.status != HTTPStatus.OK:
        found = f"{account.url} answered {answered.status} when asked for it"
        yield warning("videosdk signing key", found, "set VIDEOSDK_WEBHOOK_PUBLIC_KEY")
    else:
        yield ok("videosdk signing key", f"{account.url} tells it")


def webhooks(redis: redis.Redis, account: VideoSdkAccount, settings: Settings) -> Iterator[Finding]:
    """Whether its webhooks come, and where they must be posted to.

    Raises:
        RedisError: Redis was lost.
    """
    heard = [at for (place, _), at in last_heard(redis).items() if place == account.id]
    url = webhook_url(settings, PATH)
    if heard:
        ago = in_words(time.time() - max(heard))
        yield ok("videosdk webhooks", f"VideoSDK posts to {url}; the last came {ago} ago")
    else:
        todo = f"create rooms with its HTTPS address as webhook.endPoint, which leads to {url}"
        yield warning("videosdk webhooks", "VideoSDK has never posted one that is valid", todo)


async def _sessions(account: VideoSdkAccount) -> None:
    videosdk = VideoSdk(account, calls=1)
    try:
        await videosdk.room_sid(_NOBODYS)
    finally:
        await videosdk.aclose()
