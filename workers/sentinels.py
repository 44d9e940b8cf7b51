"""Redis behind sentinels: `redis+sentinel://user:pass@h1:p1,h2:p2/service/db`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORT: Final = 26379
_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 1, "socket_timeout": 1}
"""A sentinel answers in a moment or is cut off, and while one is waited for no primary is found."""


@dataclass(frozen=True, slots=True)
class Sentinels:
    """What the address says.

    A sentinel that does not answer is not asked twice: there are others.
    """

    hosts: list[tuple[str, int]]
    service: str
    server: dict[str, Any]
    """The database, and the user and password of the servers."""
    auth: dict[str, Any]
    """The user and password of the sentinels themselves, from the query."""

    def client(self, options: Mapping[str, Any]) -> redis.Redis:
        """A client that asks the sentinels for the master whenever it connects."""
        sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]
            self.hosts, sentinel_kwargs={**self.auth, **_TIMEOUTS, "retry": Retry(NoBackoff(), 0)}
        )
        client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
            self.service,
            connection_pool_class=_Pool,
            connection_class=_Connection,
            **self.server,
            **options,
        )
        return client

    def async_client(self, options: Mapping[str, Any]) -> redis.asyncio.Redis:
        """The same for an event loop."""
        sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
            self.hosts,
            sentinel_kwargs={**self.auth, **_TIMEOUTS, "retry": AsyncRetry(NoBackoff(), 0)},
        )
        client: redis.asyncio.Redis = sentinel.master_for(
            self.service,
            connection_pool_class=_AsyncPool,
            connection_class=_AsyncConnection,
            **self.server,
            **options,
        )
        return client


def parse_sentinels(url: str) -> Sentinels:
    """Read an address; `?sentinel_username=` and `?sentinel_password=` are for the sentinels.

    Raises:
        ValueError: it is not one; the message says what it must be and shows no password.
    """
    parts = urlsplit(url)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.removeprefix("/").partition("/")
    if not hosts or not service:
        raise ValueError("it must read redis+sentinel://host:port,host:port/service/db")
    server: dict[str, Any] = {"db": database_of(database)}
    user, colon, password = userinfo.partition(":")
    if user:
        server["username"] = unquote(user)
    if colon:
        server["password"] = unquote(password)
    auth: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in ("sentinel_username", "sentinel_password"):
            raise ValueError(
                "after ? it may have sentinel_username and sentinel_password, nothing else"
            )
        auth[name.removeprefix("sentinel_")] = value
    return Sentinels([_host(host) for host in hosts.split(",")], unquote(service), server, auth)


def port_of(parts: SplitResult) -> int | None:
    """The port of an address.

    Raises:
        ValueError: it is none.
    """
    try:
        return parts.port
    except ValueError:
        raise ValueError("its port must be a number from 1 to 65535") from None


def database_of(text: str) -> int:
    """The number of a database; `""` is 0.

    Raises:
        ValueError: it is none.
    """
    if text and not (text.isascii() and text.isdecimal()):
        raise ValueError("its database must be a number")
    return int(text or 0)


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("it must name the sentinels' hosts")
    return parts.hostname, port_of(parts) or _PORT


class _Connection(redis.sentinel.SentinelManagedConnection):
    """One that never goes back to a server that has lost its place.

    redis-py 8.1 leaves a connection open whose answer did not come in time: the next command is
    given that late answer (redis/redis-py pull request 4292). And a connection that is lost in a
    command goes to the address it had, without asking the sentinels (issue 3874).
    """

    def read_response(
        self,
        *args: Any,  # noqa: ANN401 - redis-py's
        disconnect_on_error: bool | None = True,
        **options: Any,  # noqa: ANN401 - redis-py's
    ) -> Any:  # noqa: ANN401 - any answer
        return super().read_response(*args, disconnect_on_error=disconnect_on_error, **options)

    def connect_check_health(
        self,
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's
        retry_socket_connect: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        if retry_socket_connect:  # not from `connect`, which knows the address
            self.connect()  # type: ignore[no-untyped-call]  # redis-py's
        else:
            super().connect_check_health(check_health, retry_socket_connect)


class _AsyncConnection(redis.asyncio.sentinel.SentinelManagedConnection):
    """The same for an event loop, where only the second is to be mended."""

    async def connect_check_health(
        self,
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's
        retry_socket_connect: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        if retry_socket_connect:
            await self.connect()  # type: ignore[no-untyped-call]  # redis-py's
        else:
            await super().connect_check_health(check_health, retry_socket_connect)


class _Pool(redis.sentinel.SentinelConnectionPool):
    """Closes the connections to the sentinels too, which redis-py leaves open."""

    def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                sentinel.close()


class _AsyncPool(redis.asyncio.sentinel.SentinelConnectionPool):
    """The same for an event loop."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()
