"""The web process's front and application, called as granian calls them, without a socket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from service.bodies import MOST_BYTES
from service.front import Front
from service.videosdk_webhooks import PATH as VIDEOSDK
from service.web import create_app
from service.webhooks import PATH as LIVEKIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from tests.fuzz_webhooks.delivery import Delivery, Headers
    from workers.settings import Settings


class Given:
    """Headers as granian gives them."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str) -> str | None:
        return next((value for each, value in self._pairs if each == name), None)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)


@dataclass
class Exchange:
    """One request's body, and the answer to it."""

    body: bytes
    status: int = 0
    content: bytes = b""

    async def __call__(self) -> bytes:
        return self.body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), 65536):
            yield self.body[at : at + 65536]

    def response_bytes(self, status: int, _headers: Headers, content: bytes) -> None:
        self.status, self.content = status, content


class InProcess:
    """Posts deliveries to an application of its own."""

    def __init__(self, settings: Settings) -> None:
        self._front = Front(
            create_app(settings), threads=2, most_bytes=MOST_BYTES, on_loop={LIVEKIT, VIDEOSDK}
        )

    async def post(self, delivery: Delivery) -> tuple[int, bytes]:
        """The status and the content of the answer."""
        exchange = Exchange(delivery.body)
        await self._front.__rsgi__(scope(delivery), exchange)  # type: ignore[arg-type]
        return exchange.status, exchange.content


def scope(delivery: Delivery) -> Any:
    """What granian knows of a request before its body; half of them say how long that is."""
    length = [("content-length", str(len(delivery.body)))] if len(delivery.body) % 2 else []
    return SimpleNamespace(
        proto="http",
        http_version="1.1",
        scheme="http",
        method="POST",
        path=delivery.path,
        query_string="",
        server="127.0.0.1:8080",
        client="192.0.2.1:40000",
        headers=Given([("host", "x"), *length, *delivery.headers]),
    )


def run_all(house: InProcess, deliveries: Iterable[Delivery], tell: Any) -> None:
    """Post them one after the other on a loop of their own; each answer is told."""

    async def run() -> None:
        for delivery in deliveries:
            tell(delivery, *await house.post(delivery))

    asyncio.run(run())
