"""The second port of a web process, for the dashboard, the API and what tells of the service.

granian listens on one port, and both must be one process: what `/readyz` and metrics tell of
webhooks is counted where webhooks are answered. So aiohttp listens on the other, on granian's loop,
and hands requests to the same `Front`, in the form that granian gives them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

STOP_SECONDS: Final = 2.0


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
        return await self._request.content.read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        return self._request.content.iter_any()

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
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: somebody else does.
        """
        server = web.Server(self._take, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Let go of the port, and of whoever is connected."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(request)
        with suppress(ConnectionResetError):  # the receiver of a stream has gone
            await self._answer(Asked(request), exchange)
        return exchange.response
