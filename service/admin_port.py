"""The second port of a web process, for the dashboard, the API and what tells of the service.

granian listens on one port, and both must be one process: what `/readyz` and metrics tell of
webhooks is counted where webhooks are answered. So aiohttp listens on the other, on granian's loop,
and hands requests to the same `Front`, in the form that granian gives them.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

STOP_SECONDS: Final = 2.0
CONNECTIONS: Final = 512
"""Connections open at once, about: the other port must find file descriptors."""
SILENT_SECONDS: Final = 10.0
"""How long a connection may be open without a request, or between two."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_unheard: Final = logging.getLogger("service.admin_port.aiohttp")
_unheard.setLevel(logging.CRITICAL)  # requests that are none: who sends them is told


class Asked:
    """A request as granian's `Scope` tells it."""

    http_version: Final = "1.1"
    scheme: Final = "http"

    def __init__(self, request: web.BaseRequest) -> None:
        path, _, self.query_string = request.raw_path.partition("?")
        self.path = unquote(path)
        self.method = request.method
        self.headers = request.headers
        self.client = _shown(request, "peername")
        self.server = _shown(request, "sockname")


def _shown(request: web.BaseRequest, end: str) -> str:
    """An end of its connection: `host:port`."""
    address = request.get_extra_info(end) or ("", 0)
    return f"{address[0]}:{address[1]}"


class Exchange:
    """A request's body and its answer, as granian's `HTTPProtocol` has them."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response: web.StreamResponse = web.Response(status=500)

    async def __call__(self) -> bytes:
        """The body, whole."""
        return b"".join([part async for part in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(_CONTINUE)
            self._request.writer.output_size = 0  # it is no part of the answer
        async for part in self._request.content.iter_any():
            yield part

    async def client_disconnect(self) -> None:
        """Never over: aiohttp cancels the handler of a request whose sender has gone."""
        await asyncio.get_running_loop().create_future()

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Answer at once."""
        self.response = web.Response(status=status, headers=CIMultiDict(headers), body=body)

    def response_stream(self, status: int, headers: Sequence[tuple[str, str]]) -> Transport:
        """Answer bit by bit."""
        self.response = web.StreamResponse(status=status, headers=CIMultiDict(headers))
        return Transport(self._request, self.response)


class Transport:
    """Sends parts of an answer."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response

    async def send_str(self, text: str) -> None:
        """Send a part.

        Raises:
            ConnectionResetError: the receiver has gone.
        """
        if not self._response.prepared:
            await self._response.prepare(self._request)
        await self._response.write(text.encode())


class _Refused(asyncio.Protocol):
    """A connection more than there may be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


class AdminPort:
    """Listens there from `start` to `stop`, both called on the loop.

    Args:
        host: where; an IP address.
        port: which.
        answer: answers one request, given its `Asked` and its `Exchange`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[Asked, Exchange], Awaitable[None]],
    ) -> None:
        self._host = host
        self._port = port
        self._answer = answer
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._silent: set[web.RequestHandler] = set()
        """Connections that have asked for nothing yet."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: somebody else does.
        """
        self._server = web.Server(
            self._take,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,  # or a small body becomes a large one before anybody is asked
            keepalive_timeout=SILENT_SECONDS,
            logger=_unheard,
        )
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._connection, self._host, self._port)

    async def stop(self) -> None:
        """Let go of the port, and of whoever is connected."""
        if self._listener is not None and self._server is not None:
            self._listener.close()
            await self._server.shutdown(STOP_SECONDS)

    def _connection(self) -> asyncio.BaseProtocol:
        """For one that begins: it is ended if nothing is asked by it in time."""
        server = cast("web.Server", self._server)
        if len(server.connections) >= CONNECTIONS:
            return _Refused()
        connection = server()
        self._silent.add(connection)
        asyncio.get_running_loop().call_later(SILENT_SECONDS, self._end_if_silent, connection)
        return connection

    def _end_if_silent(self, connection: web.RequestHandler) -> None:
        if connection in self._silent:
            self._silent.discard(connection)
            connection.force_close()

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(request)
        self._silent.discard(request.protocol)
        with suppress(ConnectionResetError):  # the receiver of a stream has gone
            await self._answer(Asked(request), exchange)
        return exchange.response
