"""The server as a whole: its parts put together, and its address."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from aiohttp import web

from service.sandbox.breakable import Breakable
from service.sandbox.calls import Calls
from service.sandbox.deliveries import RETRY_WAITS
from service.sandbox.faults import Faults
from service.sandbox.loop import Pauses, on_loop
from service.sandbox.videosdk.agents import Agent, Agents
from service.sandbox.videosdk.api import Api
from service.sandbox.videosdk.control import control_routes
from service.sandbox.videosdk.sessions import Session, Sessions, Shape
from service.sandbox.videosdk.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_KEY: Final = "5e1f5d0c-videosdk"
DEFAULT_SECRET: Final = "videosdkvideosdkvideosdkvideosdkvideosdk"  # noqa: S105 - the sandbox's only


class VideoSdkSandbox(Breakable):
    """A stand-in VideoSDK; run it with `service.sandbox.running`.

    Its methods may be called on its loop and, once it has started, from any other thread.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str = DEFAULT_KEY,
        secret: str = DEFAULT_SECRET,
        webhook_urls: Sequence[str] = (),
        agents: Sequence[Agent] = (),
        retry_waits: Sequence[float] = RETRY_WAITS,
    ) -> None:
        """Build it; it listens on loopback once it is started.

        Args:
            port: 0 for a free one.
            key: the API key.
            secret: its secret.
            webhook_urls: where webhooks go.
            agents: those registered from the start.
            retry_waits: seconds before each retry of a webhook.
        """
        self.host, self.port, self.key, self.secret = "127.0.0.1", port, key, secret
        self.faults = Faults()
        self.calls = Calls()
        self.webhooks = Webhooks(tuple(webhook_urls), self.faults, retry_waits=tuple(retry_waits))
        self.sessions = Sessions(self.webhooks.notify, time.time)
        self.agents = Agents(self.sessions)
        self.agents.registered.extend(agents)
        self.public_key = self.webhooks.public_key
        """The PEM of the key that signs webhooks."""
        self._pauses = Pauses()
        self._api = Api(
            self.sessions,
            self.agents,
            {key: secret},
            self.faults,
            self.calls,
            self._pauses,
            self.public_key,
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address as `VIDEOSDK_URL` takes it."""
        return f"http://{self.host}:{self.port}"

    @property
    def violations(self) -> list[str]:
        """Every request so far that was not as documented."""
        return list(self._api.violations)

    async def start(self) -> None:
        """Listen; again on the same port and with the same sessions, if it was stopped before.

        Raises:
            OSError: the port is taken.
        """
        self.loop = asyncio.get_running_loop()
        self._pauses.begin()
        await self.webhooks.start()
        app = web.Application()
        app.add_routes(control_routes(self))
        app.router.add_route("*", "/{path:.*}", self._api.answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop at once: agents on their way, calls that hang and queued webhooks are given up."""
        self._pauses.end()
        self.agents.stop()
        await self.webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self.loop = None

    @on_loop
    def join(self, meeting: str, participant: str, *, name: str = "") -> Session:
        """Let somebody in; the session begins with the first."""
        return self.sessions.join(meeting, participant, name)

    @on_loop
    def leave(self, meeting: str, participant: str) -> None:
        """Let somebody out; the session ends with the last. Who is not there is a KeyError."""
        self.sessions.leave(meeting, participant)

    @on_loop
    def end(self, meeting: str) -> None:
        """End the meeting's session. A KeyError if none is going on."""
        self.sessions.end(meeting)

    @on_loop
    def session(self, meeting: str) -> Session | None:
        """The meeting's session that is going on."""
        return self.sessions.going_on.get(meeting)

    @on_loop
    def present(self, meeting: str) -> set[str]:
        """Ids of those who are in the meeting."""
        session = self.sessions.going_on.get(meeting)
        return {each.id for each in session.present} if session is not None else set()

    @on_loop
    def add_agent(self, agent: Agent) -> Agent:
        """Register an agent."""
        self.agents.registered.append(agent)
        return agent

    @on_loop
    def remove_agent(self, agent: Agent) -> None:
        """It takes no more dispatches; where it is, it stays."""
        self.agents.registered.remove(agent)

    @on_loop
    def answer_as(self, *, shape: Shape | None = None, nobody_status: int | None = None) -> None:
        """Choose among what the documentation leaves open; see `Shape` and `Api.nobody_status`."""
        self._api.shape = shape or self._api.shape
        self._api.nobody_status = nobody_status or self._api.nobody_status
