"""How this process reaches Redis: the one REDIS_URL names, else the embedded Valkey's socket.

Both clients answer bytes, give up in seconds, and come back by themselves when the server does.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis.retry import Retry

from workers.sentinels import Sentinels, database_of, parse_sentinels, port_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workers.settings import Settings

SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel")

_SOCKET_LIMIT: Final = 103
"""Bytes of a unix socket's path: 104 with the final NUL on macOS, 108 on Linux."""
_UNEXPECTED: Final = re.compile(r"unexpected keyword argument '(\w+)'")
_SOCKET_PATH: Final = re.compile(r"[A-Za-z0-9/._@+~-]+")
_TIMEOUTS: Final[dict[str, Any]] = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "health_check_interval": 30,
}
_MOST_CONNECTIONS: Final = 1024
"""More than there are threads and pipelines: redis-py refuses the one above its limit of 100."""


def connect(settings: Settings) -> redis.Redis:
    """A client for threads; nothing is sent until it is used.

    It tries again once and at once, which heals a connection the server closed, and no more: a
    server that hangs is not asked twice, and whoever waits for a webhook's answer is told soon.
    """
    once_more = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    options = {**_TIMEOUTS, "max_connections": _MOST_CONNECTIONS, "retry": once_more}
    address = _address(settings)
    if isinstance(address, Path):
        return redis.Redis(unix_socket_path=str(address), **options)
    if isinstance(address, Sentinels):
        return address.client(options)
    return redis.Redis.from_url(address, **options)


def connect_async(
    settings: Settings, restarted: Callable[[], None] = lambda: None, *, patient: bool = True
) -> redis.asyncio.Redis:
    """The same for an event loop.

    Args:
        settings: which server.
        restarted: called when a connection leads to another run of the server than the one before
            did.
        patient: wait out a short absence of the server, as nobody waits for an answer.
    """
    options = {
        **_TIMEOUTS,
        "max_connections": _MOST_CONNECTIONS,
        "retry": (
            AsyncRetry(ExponentialBackoff(cap=0.5, base=0.02), 3)
            if patient
            else AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        ),
        "redis_connect_func": _asking_for_the_run(restarted),
    }
    address = _address(settings)
    if isinstance(address, Path):
        return redis.asyncio.Redis(unix_socket_path=str(address), **options)
    if isinstance(address, Sentinels):
        return address.async_client(options)
    return redis.asyncio.Redis.from_url(address, **options)


def _asking_for_the_run(
    restarted: Callable[[], None],
) -> Callable[[redis.asyncio.Connection], Awaitable[None]]:
    """What to do with each new connection: greet the server, and ask which run of it this is."""
    last = [b""]

    async def greet(connection: redis.asyncio.Connection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        try:
            told = bytes(await connection.read_response())
        except ResponseError:  # managed servers may forbid it
            return
        run = told.partition(b"run_id:")[2].partition(b"\r\n")[0]
        if last[0] not in (b"", run):
            restarted()
        last[0] = run

    return greet


def unreachable(settings: Settings, error: Exception) -> str:
    """One line for people: which Redis could not be used, why, and what to do about it."""
    if settings.redis_url is None:
        return (
            f"cannot reach the embedded Valkey of {settings.data}: is `dispatcher up` running"
            " there? Otherwise set REDIS_URL"
        )
    cause = " ".join(str(error).split())
    hint = "check the server and REDIS_URL"
    if isinstance(error, AuthenticationError | NoPermissionError):
        hint = "check the user and password in REDIS_URL"
    return f"cannot use the Redis at {without_password(settings.redis_url)}: {cause}; {hint}"


def embedded_socket(data: Path) -> Path:
    """Where the embedded Valkey of a data directory listens.

    A socket's path must be short, and without spaces: CLIENT LIST, which RQ reads, shows it
    unquoted. Where the data directory's is not so, the socket goes to a directory of this user's
    own in /tmp, named by the data directory's hash so that every command on the machine finds it.
    """
    socket = data / "valkey.sock"
    if _SOCKET_PATH.fullmatch(str(socket)) and len(str(socket)) <= _SOCKET_LIMIT:
        return socket
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path("/tmp") / f"livekit-dispatcher-{os.getuid()}-{digest}" / "valkey.sock"  # noqa: S108 - checked by `private`


def private(directory: Path) -> bool:
    """Whether a directory is this user's and closed to others; False too if there is none."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return False
    closed = not stat.S_IMODE(found.st_mode) & 0o077
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and closed


def check_redis_url(url: str) -> None:
    """Whether `connect` could use an address, without connecting.

    Raises:
        ValueError: it could not; the message says what is wrong and never shows a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "redis+sentinel":
        parse_sentinels(url)
        return
    if parts.scheme not in SCHEMES:
        raise ValueError("it must begin with " + ", ".join(f"{s}://" for s in SCHEMES))
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("it must have a path, such as unix:///run/redis.sock")
    else:
        port_of(parts)
        database_of(parts.path.removeprefix("/"))
    try:
        redis.ConnectionPool.from_url(url).make_connection()
    except TypeError as error:  # what stands after ? are arguments of the connection
        unknown = _UNEXPECTED.search(str(error))
        told = f"no option is called {unknown[1]!r}" if unknown else "an option cannot be set"
        raise ValueError(f"after ? {told}") from None
    except (ValueError, redis.RedisError) as error:
        raise ValueError(str(error).split(":")[0]) from None


def without_password(url: str) -> str:
    """An address that can be shown: whatever could be a password is replaced by `***`."""
    scheme, separator, rest = url.partition("://")
    if not separator and not {"@", "?"} & set(url):
        return url
    rest, _, query = rest.partition("?")
    userinfo, at, place = rest.rpartition("@")
    if not separator or "@" in query:
        return "***"
    user = f"{userinfo.partition(':')[0]}:***@" if at else ""
    return f"{scheme}://{user}{place}" + ("?***" if query else "")


def passwords_in(url: str) -> tuple[str, ...]:
    """The passwords an address carries, for striking them out of logs."""
    parts = urlsplit(url)
    userinfo = parts.netloc.rpartition("@")[0]
    password = unquote(userinfo.partition(":")[2])
    asked = (value for name, value in parse_qsl(parts.query) if name.endswith("password"))
    return tuple(filter(None, (password, *asked)))


def _address(settings: Settings) -> str | Path | Sentinels:
    if settings.redis_url is None:
        socket = embedded_socket(settings.data)
        if socket.parent != settings.data and socket.parent.exists() and not private(socket.parent):
            raise redis.exceptions.ConnectionError(f"{socket.parent} is not this user's alone")
        return socket
    if settings.redis_url.startswith("redis+sentinel:"):
        return parse_sentinels(settings.redis_url)
    return settings.redis_url
