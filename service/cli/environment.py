"""What commands need of the world: settings, a LiveKit, a Redis that answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from service.cli.commands import Failure
from service.logs import configure_logs
from workers.connection import connect, unreachable
from workers.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis


def settings_with_livekit() -> Settings:
    """The settings of commands that speak to LiveKit or verify it.

    Raises:
        SettingsError: no LiveKit server is configured.
    """
    return _with_livekit(load_settings())


def settings_with_provider() -> Settings:
    """The settings of the service itself, which may be VideoSDK's alone.

    Raises:
        SettingsError: no LiveKit server is configured, nor is VideoSDK.
    """
    settings = load_settings()  # once: a secret's file may be a pipe
    return settings if settings.videosdk is not None else _with_livekit(settings)


def _with_livekit(settings: Settings) -> Settings:
    if not settings.servers:
        raise SettingsError(
            "LIVEKIT_URL is not set: set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET,"
            " or try `dispatcher demo`, which needs none"
        )
    return settings


@contextlib.contextmanager
def reached_redis(settings: Settings) -> Iterator[redis.Redis]:
    """A client for one command; where Redis fails, the command ends with one line."""
    configure_logs("command", settings.secrets)  # to stderr: stdout is for the answer
    client = None
    try:
        client = connect(settings)
        yield client
    except RedisError as error:
        raise Failure(unreachable(settings, error)) from None
    finally:
        if client is not None:
            client.close()
