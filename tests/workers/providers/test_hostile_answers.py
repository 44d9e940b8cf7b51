"""Servers that answer without end, or far more than they should, to a client of either provider."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from workers.errors import ProviderError, Unclear
from workers.providers.livekit import LiveKit
from workers.providers.videosdk import VideoSdk
from workers.providers.wire import LONGEST_WORDS
from workers.servers import Server
from workers.videosdk_account import VideoSdkAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
SECRET = "a-secret-that-is-long-enough-for-sha256"


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with suppress(OSError):  # whoever asked does not listen to the end
                answer(self)
            self.close_connection = True

        do_POST = do_GET  # noqa: N815 - the name that it is called by

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(4096):
        handler.wfile.write(b"%x\r\n%s\r\n" % (MIB, b" " * MIB))


def packed(handler: BaseHTTPRequestHandler) -> None:
    """Half a megabyte that is half a gigabyte."""
    body = gzip.compress(b" " * MIB, 1) * 512
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def asked(url: str, provider: str) -> object:
    async def asking() -> object:
        made = (
            LiveKit(Server(url, "devkey", SECRET), calls=2)
            if provider == "livekit"
            else VideoSdk(VideoSdkAccount(url, "k", SECRET, ""), calls=2)
        )
        try:
            return await made.rooms()
        finally:
            await made.aclose()

    return asyncio.run(asking())


@pytest.mark.parametrize("provider", ["livekit", "videosdk"])
@pytest.mark.parametrize("answer", [endless, packed], ids=lambda each: each.__name__)
def test_an_answer_without_end_is_a_lost_one_and_fills_no_memory(monkeypatch, provider, answer):
    monkeypatch.setattr("workers.providers.wire.MOST_ANSWER_BYTES", 8 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with answering(answer) as url, pytest.raises(Unclear, match="longer than 8,388,608 bytes"):
        asked(url, provider)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024  # kB


@pytest.mark.parametrize("provider", ["livekit", "videosdk"])
def test_what_is_said_of_a_failure_is_cut_short(provider):
    def refuse(handler: BaseHTTPRequestHandler) -> None:
        words = "x" * MIB
        body = json.dumps({"code": words, "msg": words, "message": words, "error": words}).encode()
        handler.send_response(400)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with answering(refuse) as url, pytest.raises(ProviderError) as told:
        asked(url, provider)
    assert len(str(told.value)) < 3 * LONGEST_WORDS
