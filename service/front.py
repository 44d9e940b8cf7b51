"""The asynchronous front of the web process: whole requests in, whole answers out.

As a WSGI server granian calls the application as soon as a request's headers are there, on a
thread that then waits for the body, however long the sender takes: a few hundred senders that
dawdle hold every thread. Nor does its pool of threads always notice that all of them are held
(emmett-framework/granian issue 873; its remedy leaves a gap), so that one may leave the next
request lying. Here the body is read first, with a limit and a deadline, and only whole requests
reach a thread.

Some requests reach none: a path that waits for nothing, or only for what can be awaited, is called
on the loop. A view there puts what is to be awaited into `environ[LATER]`, and the answer is what
that brings. What goes on and on, such as server-sent events, it puts into `environ[STREAM]`: it is
sent from the loop too, and holds no thread.
"""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]  # they are its public names

from service import problems
from service.admin_port import AdminPort, Asked, Exchange
from service.heads import check_head
from service.ports import PORT, Port
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from flask import Response
    from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]

LATER: Final = "dispatcher.later"
"""In the `environ` of a path called on the loop: a list for one function, async, without arguments,
that brings the `Response` to be sent in place of the view's own. Elsewhere it is not there."""
STREAM: Final = "dispatcher.stream"
"""There too: a list for one function, async, that is given another, async, to send text with. What
it sends follows the headers of the view's own response, until it returns or the receiver goes."""
BODY_SECONDS: Final = 10.0
"""How long a request's body may take from its headers to its end."""

Answer = tuple[int, list[tuple[str, str]], bytes]
Send = Callable[[str], Awaitable[None]]
Stream = Callable[[Send], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)


class Front:
    """Serves a WSGI application over RSGI, granian's own interface.

    Args:
        app: the application; its answers are sent whole.
        threads: how many requests it works on at once.
        most_bytes: the longest body.
        on_loop: paths that are called on the loop, and answered when all threads wait.
        admin: `(IP address, port)` of a second port, which answers all but webhooks; None: the only
            port answers everything.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        threads: int,
        most_bytes: int,
        on_loop: AbstractSet[str] = frozenset(),
        admin: tuple[str, int] | None = None,
    ) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._on_loop = on_loop
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._sending: set[asyncio.Future[None]] = set()
        self._admin = None if admin is None else AdminPort(*admin, partial(self._take, Port.ADMIN))

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have streams end when the process is told to: granian waits for each answer's end.

        It takes the signals through the loop, which hears of them beside whatever handler there is.
        """
        if self._admin is not None:
            loop.run_until_complete(self._admin.start())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._end_streams))
            signal.siginterrupt(number, False)  # noqa: FBT003 - its only form

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of the second port."""
        if self._admin is not None:
            loop.run_until_complete(self._admin.stop())

    def _end_streams(self) -> None:
        for each in self._sending:
            each.cancel()

    async def __rsgi__(self, scope: Scope, exchange: HTTPProtocol) -> None:
        """Answer one request; nothing it raises but the end of its connection gets out."""
        await self._take(Port.PUBLIC, scope, exchange)

    async def _take(
        self, port: Port, scope: Scope | Asked, exchange: HTTPProtocol | Exchange
    ) -> None:
        streams: list[Stream] = []
        try:
            status, headers, content = await self._answer(port, scope, exchange, streams)
            if streams:
                await self._send(streams[0], exchange, status, headers)
            else:
                exchange.response_bytes(status, headers, content)
        except (ProtocolClosed, ProtocolError):
            log.debug("sender_gone", path=scope.path)

    async def _answer(
        self,
        port: Port,
        scope: Scope | Asked,
        exchange: HTTPProtocol | Exchange,
        streams: list[Stream],
    ) -> Answer:
        try:
            check_head(scope)
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._body(scope, exchange)
        except Problem as problem:
            sender, slug = _address(scope), problem.kind.slug
            log.warning("request_refused", type=slug, why=problem.detail, sender=sender)
            return _document(problem)
        except TimeoutError:
            detail = f"A request must be there whole within {BODY_SECONDS:.0f} seconds."
            return _document(Problem(problems.TOO_SLOW, detail))
        request = environ(scope, body)
        if self._admin is not None:
            request[PORT] = port
        if scope.path not in self._on_loop:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _call, self._app, request)
        later: list[Callable[[], Awaitable[Response]]] = []
        answer = _call(self._app, request | {LATER: later, STREAM: streams})
        return _whole(await later[0]()) if later else answer

    async def _send(
        self,
        stream: Stream,
        exchange: HTTPProtocol | Exchange,
        status: int,
        headers: list[tuple[str, str]],
    ) -> None:
        """Send a stream until it is over, its receiver has gone, or this process is to end."""
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        transport = exchange.response_stream(status, kept)
        gone = asyncio.ensure_future(exchange.client_disconnect())
        sending: asyncio.Future[None] = asyncio.ensure_future(stream(transport.send_str))
        self._sending.add(sending)
        try:
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                sending.result()
        finally:
            self._sending.discard(sending)
            gone.cancel()
            sending.cancel()

    async def _body(self, scope: Scope | Asked, exchange: HTTPProtocol | Exchange) -> bytes:
        """The body, read no further than it may be long."""
        length = scope.headers.get("content-length")
        if length is not None:
            if int(length) > self._most_bytes:
                raise Problem(
                    problems.TOO_LARGE, f"It has {length} bytes; {self._most_bytes} are allowed."
                )
            return await exchange()
        chunks: list[bytes] = []
        size = 0
        async for chunk in exchange:
            size += len(chunk)
            if size > self._most_bytes:
                raise Problem(problems.TOO_LARGE, f"It has more than {self._most_bytes} bytes.")
            chunks.append(chunk)
        return b"".join(chunks)


def environ(scope: Scope | Asked, body: bytes) -> WSGIEnvironment:
    """A request as WSGI has it.

    Headers whose names hold `_` are left out, as other servers do: WSGI would take
    `X_Forwarded_For` for the `X-Forwarded-For` that a proxy has set.
    """
    server, _, port = scope.server.rpartition(":")
    request: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _address(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        named = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value if value.isascii() else _as_wsgi(value)
        request[named] = f"{request[named]},{text}" if named in request else text
    return request


def _as_wsgi(value: str) -> str:
    """Bytes beyond ASCII as WSGI has them: each as the letter of its number."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def _address(scope: Scope | Asked) -> str:
    """Of whoever is connected."""
    return str(scope.client).rpartition(":")[0].strip("[]")


def _call(app: WSGIApplication, request: WSGIEnvironment) -> Answer:
    """On a thread: call the application and gather its answer."""
    begun: list[Any] = []

    def start(
        status: str, headers: list[tuple[str, str]], _error: object = None
    ) -> Callable[[bytes], object]:
        begun[:] = [int(status.partition(" ")[0]), headers]
        return lambda _: None

    parts: Iterable[bytes] = app(request, start)
    try:
        content = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = begun
    return status, headers, content


def _document(problem: Problem) -> Answer:
    return _whole(problem.response())


def _whole(response: Response) -> Answer:
    return response.status_code, list(response.headers.items()), response.get_data()
