"""The server as a whole: its parts put together, and its address."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from service.sandbox.access import read_token
from service.sandbox.agents import JOB_LISTING_DELAY, Agents, Worker
from service.sandbox.breakable import Breakable
from service.sandbox.calls import Calls
from service.sandbox.control import control_routes
from service.sandbox.deliveries import RETRY_WAITS
from service.sandbox.faults import FaultName, Faults
from service.sandbox.loop import Pauses, on_loop
from service.sandbox.methods import Methods
from service.sandbox.people import People
from service.sandbox.rooms import Rooms
from service.sandbox.twirp import Twirp
from service.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from livekit.protocol.models import ParticipantInfo

DEFAULT_PORT: Final = 7880
DEFAULT_KEY: Final = "devkey"
DEFAULT_SECRET: Final = "secretsecretsecretsecretsecretsecret"  # noqa: S105 - the sandbox's only
_LARGEST_BODY: Final = 4 * 1024 * 1024


class Sandbox(Breakable, People):
    """A stand-in LiveKit server: `async with Sandbox(webhook_urls=[…]) as livekit: …`.

    Its methods may be called on its loop and, once it has started, from any other thread.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        key: str = DEFAULT_KEY,
        secret: str = DEFAULT_SECRET,
        more_keys: Mapping[str, str] | None = None,
        webhook_urls: Sequence[str] = (),
        workers: Sequence[Worker] = (),
        missing_room_delay: float = 3.0,
        job_listing_delay: float = JOB_LISTING_DELAY,
        retry_waits: Sequence[float] = RETRY_WAITS,
        sweep_every: float = 1.0,
    ) -> None:
        """Build it; it listens once it is started.

        Args:
            port: 0 for a free one.
            host: the address to listen on.
            key: the API key, which signs the webhooks too.
            secret: its secret.
            more_keys: other keys the API accepts, with their secrets.
            webhook_urls: where webhooks go.
            workers: those registered from the start.
            missing_room_delay: seconds until a call for a room that is not there fails.
            job_listing_delay: seconds until ListDispatch knows of jobs, after a worker came or a
                minute has passed; see `agents.py`. 0 makes tests faster and less true.
            retry_waits: seconds before each retry of a webhook.
            sweep_every: seconds between looks for idle rooms.
        """
        self.host, self.port, self.key, self.secret = host, port, key, secret
        self.faults = Faults()
        self.calls = Calls()
        self.webhooks = Webhooks(
            tuple(webhook_urls),
            key,
            secret,
            self.faults,
            self.now,
            retry_waits=tuple(retry_waits),
        )
        notify = self.webhooks.notify
        super().__init__(Rooms(notify, self.now), notify, self.now)
        self.agents = Agents(
            self.rooms,
            is_offered=lambda room: not self.faults.on(FaultName.NO_WORKER, room.name),
            clock=self.now,
            job_listing_delay=job_listing_delay,
        )
        self.agents.workers.extend(workers)
        self.rooms.on_dispatch = self.agents.offer
        self._keys = {**(more_keys or {}), key: secret}
        self._pauses = Pauses()
        methods = Methods(
            self.rooms, self.agents, self._pauses, missing_room_delay=missing_room_delay
        )
        self._twirp = Twirp(
            methods.table(), self._keys, self.faults, self.calls, self._pauses, self.now
        )
        self._sweep_every = sweep_every
        self._runner: web.AppRunner | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its address as `LIVEKIT_URL` takes it."""
        return f"http://{self.host}:{self.port}"

    def now(self) -> float:
        """Unix seconds by its own clock."""
        return time.time() + self.faults.clock_ahead

    async def start(self) -> None:
        """Listen; again on the same port and with the same rooms, if it was stopped before.

        Raises:
            OSError: the port is taken.
        """
        self.loop = asyncio.get_running_loop()
        self._pauses.begin()
        await self.webhooks.start()
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_get("/", _alive)
        app.router.add_route("*", "/twirp/livekit.{service}/{method}", self._twirp.answer)
        app.add_routes(control_routes(self))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Stop at once: agents on their way, calls that hang and queued webhooks are given up."""
        self._pauses.end()
        self.agents.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self.webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self.loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @on_loop
    def add_worker(self, worker: Worker) -> Worker:
        """Register a worker; jobs offered before it came are not offered to it."""
        self.agents.register(worker)
        return worker

    @on_loop
    def remove_worker(self, worker: Worker) -> None:
        """Its connection is gone: it gets no jobs and hears of no end; its agents stay."""
        self.agents.workers.remove(worker)

    @on_loop
    def send_again(self, room: str, dispatch_id: str) -> None:
        """Offer a dispatch's job once more, as LiveKit Cloud does when its agent has failed."""
        opened = self.rooms.open[room]
        self.agents.offer(opened, opened.dispatches[dispatch_id])

    @on_loop
    def join_by_token(self, token: str) -> ParticipantInfo:
        """Let the bearer of a join token in.

        Raises:
            Unauthorized: the server does not accept the token.
        """
        return self.join_with(read_token(token, self._keys, self.now()))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_every)
            self.rooms.sweep(self.now())


async def _alive(_request: web.Request) -> web.Response:
    return web.Response(text="OK")
