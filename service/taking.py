"""What the routes of webhooks share: an event is stored, and only then answered with 200; or it is
refused.

Behind the front of `dispatcher serve` many of them are stored together; under another WSGI server
each by itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import structlog
from flask import Blueprint, Response, request
from redis.exceptions import RedisError

from rules.event import OURS, EventName
from service import problems
from service.api.described import STORE
from service.front import LATER
from service.problems import Problem
from service.verify import Forged, NotAnEvent, Stale, UnknownKey, Unsigned
from service.verify_videosdk import KeyMissing, Misfit

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from rules.event import Event
    from service.deliveries import Deliveries
    from service.problems import Kind
    from workers.intake import Accepted, GatheringIntake, Intake
    from workers.traces import Traces

ALWAYS: Final = (problems.NOT_AN_EVENT, problems.TOO_LARGE, problems.NOT_JSON, *STORE)
"""What every such route may answer."""

_USABLE: Final = frozenset(EventName) - OURS
_KINDS: Final[dict[type[Exception], Kind]] = {
    Unsigned: problems.SIGNATURE_MISSING,
    UnknownKey: problems.UNKNOWN_KEY,
    Stale: problems.EXPIRED,
    Forged: problems.SIGNATURE_INVALID,
    Misfit: problems.SIGNATURE_INVALID,
    KeyMissing: problems.SIGNING_KEY_MISSING,
    NotAnEvent: problems.NOT_AN_EVENT,
}
REFUSALS: Final[tuple[type[Exception], ...]] = (*_KINDS, Problem)
"""Errors that end a webhook's request with an answer."""
_AGAIN: Final = {"Retry-After": "1"}
_SERVER_ERROR: Final = 500

log = structlog.get_logger(__name__)


class Taking:
    """Takes events from any provider. One for all routes and threads."""

    def __init__(
        self,
        intake: Intake,
        gathering: GatheringIntake,
        deliveries: Deliveries,
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces
        self._intake = intake
        self._gathering = gathering
        self._deliveries = deliveries

    def refuse_for(self, routes: Blueprint) -> None:
        """Answer what these routes raise."""

        def refused(error: Exception) -> Response:
            return self.refused(error, sender=request.remote_addr)

        for kind in REFUSALS:
            routes.register_error_handler(kind, refused)

    def take(self, server_id: str, event: Event | None) -> Response:
        """In a request: store an event of a server; None is one that no rule can use.

        Raises:
            Problem: it could not be stored.
        """
        if event is None or not _is_usable(event):
            return self._answer("ignored")
        later, began = request.environ.get(LATER), time.time()
        if later is not None:
            later.append(partial(self._take_on_loop, server_id, event))
            return Response()
        try:
            return self._stored(event, self._intake.accept(server_id, event), began)
        except RedisError as error:
            raise _not_stored(event, error) from None

    def take_after(
        self, done: Future[None], seconds: float, server_id: str, read: Callable[[], Event | None]
    ) -> Response:
        """The same for an event that can be read once something is done.

        Args:
            done: what is waited for.
            seconds: how long at most; then it is read as things are.
            server_id: of the server.
            read: reads the event, or raises one of `REFUSALS`.

        Raises:
            Problem: it could not be stored.
            Exception: what `read` has raised.
        """
        later = request.environ.get(LATER)
        if later is None:
            concurrent.futures.wait([done], timeout=seconds)
            return self.take(server_id, read())
        sender = request.remote_addr

        async def taken() -> Response:
            await asyncio.wait([asyncio.wrap_future(done)], timeout=seconds)
            try:
                event = read()
            except REFUSALS as error:
                return self.refused(error, sender=sender)
            return await self._take_on_loop(server_id, event)

        later.append(taken)
        return Response()

    async def _take_on_loop(self, server_id: str, event: Event | None) -> Response:
        """After the view is done, without its request."""
        if event is None or not _is_usable(event):
            return self._answer("ignored")
        began = time.time()
        try:
            return self._stored(event, await self._gathering.accept(server_id, event), began)
        except RedisError as error:
            return _not_stored(event, error).response()

    def refused(self, error: Exception, *, sender: str | None) -> Response:
        """The answer to one of `REFUSALS`; logged, for who sends webhooks logs none of them."""
        problem = error if isinstance(error, Problem) else _problem(error)
        if problem.kind.status < _SERVER_ERROR:  # what is to be sent again is not refused
            slug = problem.kind.slug
            self._deliveries.refused(slug)
            log.warning("webhook_refused", type=slug, why=problem.detail, sender=sender)
        return problem.response()

    def _stored(self, event: Event, status: Accepted, began: float) -> Response:
        if self._traces is not None and status == "accepted":
            self._traces.accepted(event, began, time.time())
        return self._answer(status)

    def _answer(self, status: Accepted | Literal["ignored"]) -> Response:
        self._deliveries.accepted()
        return Response(f'{{"status":"{status}"}}', content_type="application/json")


def _is_usable(event: Event) -> bool:
    return event.name in _USABLE and bool(event.room_name)


def _problem(error: Exception) -> Problem:
    kind = _KINDS[type(error)]
    return Problem(kind, f"{error}.", headers=_AGAIN if kind.status >= _SERVER_ERROR else None)


def _not_stored(event: Event, error: RedisError) -> Problem:
    log.error("webhook_not_stored", error=str(error), event_id=event.id)
    return Problem(
        problems.STORE_UNREACHABLE,
        "Redis cannot be reached. The event is not stored: send it again.",
        headers=_AGAIN,
    )
