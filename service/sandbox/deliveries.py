"""Webhooks on their way: queued, one after another in a room, retried.

Each URL has a queue of its own for every room. A delivery that fails holds up the rest of its
room's queue while it is retried, and whatever has waited too long by then is dropped unsent.
Source: `webhook/resource_url_notifier.go` of livekit/protocol, and go-retryablehttp, which also
obeys `Retry-After` on 429 and 503.
"""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from service.sandbox.faults import FaultName

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from service.sandbox.faults import Faults

RETRY_WAITS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each retry; the delivery is lost after the last."""
_CONNECTIONS: Final = 256
"""At once; the real server knows no limit, a process that may open 1,024 files does."""
_MAX_AGE: Final = 30.0
_MAX_DEPTH: Final = 200
_REMEMBERED: Final = 20_000


@dataclass(slots=True)
class Delivery:
    """One event on its way to one URL."""

    id: str
    event: str
    room: str
    url: str
    queued_at: float
    """Unix seconds."""
    body: bytes
    attempts: list[int | str] = field(default_factory=list)
    """What came of each: an HTTP status, or the name of a connection's error."""
    outcome: str = "pending"
    """`pending`, `delivered`, `refused` (a final 4xx), `lost` (retries ran out), `dropped`."""
    answered_at: float | None = None
    """When the last attempt was over, Unix seconds."""

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it; the body holds a secret and is left out."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "body"}


class Deliveries(ABC):
    """The queues of one server's webhooks."""

    def __init__(
        self, urls: tuple[str, ...], faults: Faults, *, retry_waits: tuple[float, ...]
    ) -> None:
        self.urls = urls
        self.count = 0
        """Events so far, sent or not."""
        self.deliveries: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self._faults = faults
        self._retry_waits = retry_waits
        self._queues: dict[tuple[str, str], deque[Delivery]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    @abstractmethod
    def headers(self, body: bytes) -> Mapping[str, str]:
        """What is sent beside a body: its type, and how it is signed."""

    def put(self, event: str, event_id: str, room: str, body: bytes, *, queue: str) -> None:
        """Queue an event of a room for every URL."""
        self.count += 1
        times = 2 if self._faults.on(FaultName.WEBHOOKS_DOUBLED, room) else 1
        for url in self.urls * times:
            delivery = Delivery(event_id, event, room, url, time.time(), body)
            self.deliveries.append(delivery)
            if self._faults.on(FaultName.WEBHOOKS_LOST, room):
                delivery.outcome = "lost"
            elif shuffled := self._faults.on(FaultName.WEBHOOKS_SHUFFLED, room):
                self._start(self._send_within(shuffled.seconds, delivery))
            else:
                self._queue(url, queue, delivery)

    def wake(self) -> None:
        """Look again whether what was held may go."""
        self._woken.set()
        self._woken = asyncio.Event()

    async def start(self) -> None:
        """Open the client; a receiver may take as long as it likes, as with the real server."""
        self._woken = asyncio.Event()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "Go-http-client/1.1"},
        )

    async def stop(self) -> None:
        """Give up what is queued and close."""
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._queues.clear()
        if self._session is not None:
            await self._session.close()

    async def settled(self) -> None:
        """Wait until every queue is empty."""
        while self._senders:
            await asyncio.wait(set(self._senders))

    def _queue(self, url: str, name: str, delivery: Delivery) -> None:
        queue = self._queues.get((url, name))
        if queue is None:
            queue = self._queues[url, name] = deque()
            self._start(self._send_queue((url, name), queue))
        if len(queue) < _MAX_DEPTH:
            queue.append(delivery)
        else:
            delivery.outcome = "dropped"

    def _start(self, sending: Coroutine[None, None, None]) -> None:
        sender = asyncio.create_task(sending)
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    async def _send_within(self, seconds: float, delivery: Delivery) -> None:
        await asyncio.sleep(random.uniform(0, seconds))  # noqa: S311 - chance, no secret
        await self._send(delivery)

    async def _send_queue(self, key: tuple[str, str], queue: deque[Delivery]) -> None:
        while queue:
            while self._faults.on(FaultName.WEBHOOKS_HELD, queue[0].room):
                await self._woken.wait()
                for held in queue:
                    held.queued_at = time.time()
            delivery = queue.popleft()
            if time.time() - delivery.queued_at > _MAX_AGE:
                delivery.outcome = "dropped"
            else:
                await self._send(delivery)
        del self._queues[key]

    async def _send(self, delivery: Delivery) -> None:
        headers = self.headers(delivery.body)
        for wait in (*self._retry_waits, None):
            status, retry_after = await self._post(delivery, headers)
            delivery.attempts.append(status)
            delivery.answered_at = time.time()
            if isinstance(status, int) and not _is_retried(status):
                delivery.outcome = "delivered" if status < 400 else "refused"  # noqa: PLR2004
                return
            if wait is not None:
                await asyncio.sleep(wait if retry_after is None else retry_after)
        delivery.outcome = "lost"

    async def _post(
        self, delivery: Delivery, headers: Mapping[str, str]
    ) -> tuple[int | str, float | None]:
        """The status, or an error's name; and the seconds a `Retry-After` asked for."""
        if self._session is None:
            return "NotStarted", None
        try:
            async with self._session.post(
                delivery.url, data=delivery.body, headers=headers
            ) as answer:
                await answer.read()
                obeyed = answer.status in (429, 503)
                return answer.status, _seconds(answer.headers.get("Retry-After"), obeyed=obeyed)
        except aiohttp.ClientError as error:
            return type(error).__name__, None


def _is_retried(status: int) -> bool:
    return status == 429 or (status >= 500 and status != 501)  # noqa: PLR2004


def _seconds(retry_after: str | None, *, obeyed: bool) -> float | None:
    return float(retry_after) if obeyed and retry_after and retry_after.isdigit() else None
