"""The programs of one machine: the embedded Valkey, the web process, the worker."""

from __future__ import annotations

import http.client
import os
import sys
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from service import embedded
from service.address import from_here
from service.child import Program
from workers.connection import connect
from workers.schema import agree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings import Settings

DISPATCHER: Final = (sys.executable, "-P", "-m", "service")
"""This very installation: `-P` keeps a folder named `service` where the user stands out of it."""

_WEB_GRACE: Final = 8.0
_WORKER_GRACE: Final = 15.0


def programs(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Program]:
    """What `up` runs, in the order it is started.

    Args:
        settings: what `environ` says.
        environ: the children's whole environment; secrets reach them in no other way.

    Raises:
        DataError: the embedded Valkey cannot run here.
    """
    own = [valkey(settings)] if settings.redis_url is None else []
    return [*own, web(settings, environ), worker(environ)]


def valkey(settings: Settings) -> Program:
    """The embedded Valkey; it is told nothing of LiveKit."""
    data = settings.data
    return Program(
        name="valkey",
        command=embedded.command(data),
        environ={name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ},
        ready=lambda: embedded.answers(data) and _agreed(settings),
        running=lambda: embedded.running(data),
        last_words=lambda: embedded.last_words(data),
        stops_last=True,
    )


def web(settings: Settings, environ: Mapping[str, str]) -> Program:
    """The web process; ready when it answers."""
    return Program(
        name="web",
        command=[*DISPATCHER, "serve"],
        environ=environ,
        ready=lambda: _healthy(settings),
        grace=_WEB_GRACE,
    )


def worker(environ: Mapping[str, str]) -> Program:
    """One worker process."""
    return Program(
        name="worker", command=[*DISPATCHER, "worker"], environ=environ, grace=_WORKER_GRACE
    )


def _agreed(settings: Settings) -> bool:
    """Whether this version can work with what is kept there; else the next look tells.

    Raises:
        SchemaError: it cannot.
    """
    try:
        with connect(settings) as client:
            agree(client)
    except RedisError:
        return False
    return True


def _healthy(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(from_here(settings.host), settings.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
