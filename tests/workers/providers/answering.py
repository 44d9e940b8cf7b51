"""A VideoSDK that answers whatever a test wants, as no stand-in that keeps to the rules would."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeVar

from workers.providers.videosdk import VideoSdk
from workers.videosdk_account import VideoSdkAccount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")
SECRET = "a-secret-that-is-long-enough-for-sha256"


@dataclass
class Answering:
    """Its address, and what it was asked: method, path and token."""

    url: str
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def ask(self, question: Callable[[VideoSdk], Awaitable[T]], *, token: str = "") -> T:
        """What the provider makes of it."""

        async def asking() -> T:
            account = VideoSdkAccount(self.url, "k", "" if token else SECRET, token)
            provider = VideoSdk(account, calls=4)
            try:
                return await question(provider)
            finally:
                await provider.aclose()

        return asyncio.run(asking())


@contextmanager
def answering(answer: Callable[[str], tuple[int, Any]]) -> Iterator[Answering]:
    """Answer each path with a status, and a text or JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path, self.headers.get("Authorization")))
            status, given = answer(self.path)
            body = (given if isinstance(given, str) else json.dumps(given)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Answering(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
