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
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import structlog
from flask import Blueprint, Response, request
from redis.exceptions import OutOfMemoryError, RedisError

from rules.event import OURS, EventName
from service import problems
from service.api.described import STORE
from service.front import LATER
from service.problems import Problem
from service.verify import Forged, NotAnEvent, Stale, UnknownKey, Unsigned
from service.verify_videosdk import KeyMissing, Misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from rules.event import Event
    from service.deliveries import Deliveries
    from service.problems import Kind
    from workers.heard import Heard
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

_DELIVERY: Final = "dispatcher.delivery"
"""In the `environ` of a webhook's request: its `Delivery`."""

log = structlog.get_logger(__name__)


class Delivery(NamedTuple):
    """A webhook that was posted."""

    source: str
    """`livekit` or `videosdk`."""
    began: float
    """When it was there whole, by a clock that is never set, seconds."""
    sender: str | None


class Taking:
    """Takes events from any provider. One for all routes and threads."""

    def __init__(
        self,
        intake: Intake,
        gathering: GatheringIntake,
        deliveries: Deliveries,
        heard: Heard,
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces
        self._intake = intake
        self._gathering = gathering
        self._deliveries = deliveries
        self._heard = heard

    def see_to(self, routes: Blueprint, source: str, unverified: Iterable[Kind]) -> None:
        """Answer what these routes raise, and count all that they answer.

        Args:
            routes: of one source of webhooks.
            source: its name.
            unverified: the problems its webhooks may have beside those of `ALWAYS`.
        """
        self._deliveries.expect(source, (*unverified, *ALWAYS))

        def begun() -> None:
            delivery = Delivery(source, time.perf_counter(), request.remote_addr)
            request.environ[_DELIVERY] = delivery

        def refused(error: Exception) -> Response:
            if _DELIVERY not in request.environ:  # it came to a port where none is taken
                begun()
            return self._refused(error, _delivery())

        routes.before_request(begun)
        for kind in REFUSALS:
            routes.register_error_handler(kind, refused)

    def take(self, server_id: str, event: Event | None) -> Response:
        """In a request: store an event of a server; None is one that no rule can use.

        Raises:
            Problem: it could not be stored.
        """
        delivery = _delivery()
        if event is None or not _is_usable(event):
            return self._answer("ignored", delivery)
        later, began = request.environ.get(LATER), time.time()
        if later is not None:
            later.append(partial(self._take_on_loop, server_id, event, delivery))
            return Response()
        try:
            status = self._intake.accept(server_id, event)
        except RedisError as error:
            raise _not_stored(event, error) from None
        self._heard.mark(server_id, event.project)
        return self._stored(event, status, began, delivery)

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
        delivery = _delivery()

        async def taken() -> Response:
            await asyncio.wait([asyncio.wrap_future(done)], timeout=seconds)
            try:
                event = read()
            except REFUSALS as error:
                return self._refused(error, delivery)
            return await self._take_on_loop(server_id, event, delivery)

        later.append(taken)
        return Response()

    async def _take_on_loop(
        self, server_id: str, event: Event | None, delivery: Delivery
    ) -> Response:
        """After the view is done, without its request."""
        if event is None or not _is_usable(event):
            return self._answer("ignored", delivery)
        began = time.time()
        try:
            status = await self._gathering.accept(server_id, event)
        except RedisError as error:
            return self._refused(_not_stored(event, error), delivery)
        self._heard.mark_later(server_id, event.project)
        return self._stored(event, status, began, delivery)

    def _refused(self, error: Exception, delivery: Delivery) -> Response:
        """The answer to one of `REFUSALS`; logged, for who sends webhooks logs none of them."""
        problem = error if isinstance(error, Problem) else _problem(error)
        if problem.kind.status < _SERVER_ERROR:  # what is to be sent again is not refused
            slug = problem.kind.slug
            self._deliveries.refused(slug)
            log.warning("webhook_refused", type=slug, why=problem.detail, sender=delivery.sender)
        self._count(problem.kind.status, problem.kind.slug, delivery)
        return problem.response()

    def _stored(self, event: Event, status: Accepted, began: float, delivery: Delivery) -> Response:
        if self._traces is not None and status == "accepted":
            self._traces.accepted(event, began, time.time())
        return self._answer(status, delivery)

    def _answer(self, status: Accepted | Literal["ignored"], delivery: Delivery) -> Response:
        self._deliveries.accepted()
        self._count(HTTPStatus.OK, status, delivery)
        return Response(f'{{"status":"{status}"}}', content_type="application/json")

    def _count(self, code: int, answer: str, delivery: Delivery) -> None:
        seconds = time.perf_counter() - delivery.began
        self._deliveries.answered(delivery.source, code, answer, seconds)


def _delivery() -> Delivery:
    """That of this request."""
    delivery: Delivery = request.environ[_DELIVERY]
    return delivery


def _is_usable(event: Event) -> bool:
    return event.name in _USABLE and bool(event.room_name)


def _problem(error: Exception) -> Problem:
    kind = _KINDS[type(error)]
    return Problem(kind, f"{error}.", headers=_AGAIN if kind.status >= _SERVER_ERROR else None)


def _not_stored(event: Event, error: RedisError) -> Problem:
    log.error("webhook_not_stored", error=str(error), event_id=event.id)
    if isinstance(error, OutOfMemoryError):
        why = "Redis has no memory left."
    else:
        why = "Redis cannot be reached, or has not confirmed the event in time."
    return Problem(
        problems.STORE_UNREACHABLE,
        f"{why} It is not stored: send it again.",
        headers=_AGAIN,
    )
