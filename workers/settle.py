"""One step for one dispatch against the provider, settled until its outcome is known.

CreateDispatch is not idempotent: two calls are two agents. A call whose answer was lost is
therefore never simply repeated. When it must be over, the room is listed: ours is there and is
adopted, or is not there and is created. Each step takes a dispatch and returns it as it stands
after, with what must not stay in LiveKit; it writes and deletes nothing itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from rules.decision import Reason
from workers.clock import CLOCKS_SECONDS
from workers.dispatch import ID_ATTRIBUTE, Dispatch, State, Step
from workers.errors import NotFound, NotSent, ProviderError, Refused, Unauthorized, Unclear
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.inbox import Hold
    from workers.providers.base import Listed
    from workers.tools import Tools

RETRY_SECONDS: Final = 300.0
"""How long a dispatch is tried. A caller waits no longer."""
BACKOFF_SECONDS: Final = 0.25
LONGEST_BACKOFF_SECONDS: Final = 15.0

log = structlog.get_logger(__name__)


class Stepped(NamedTuple):
    """A dispatch after a step."""

    dispatch: Dispatch
    unwanted: tuple[str, ...] = ()
    """LiveKit's ids of the dispatches that must go."""


class Look(NamedTuple):
    """What a look before late calls showed."""

    stepped: Sequence[Stepped]
    """Those that change because of it: their session is over, or they have been made before; or,
    without an answer, those that could not be looked up."""
    answered: bool


async def create(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Call CreateDispatch; the record already says so."""
    order = Order(
        room=dispatch.room,
        agent=dispatch.agent,
        deployment=dispatch.deployment,
        metadata=dispatch.metadata,
        attributes=dispatch.own_attributes,
        restart_policy=dispatch.restart_policy,
    )
    gate = tools.gates[hold.server_id]
    began = tools.queue.now()
    try:
        answer = await tools.providers[hold.server_id].create(order)
    except Unclear as error:
        gate.unclear += 1
        unclear = replace(
            dispatch,
            step=Step.SETTLE,
            due=began + EXECUTION_SECONDS,
            called_at=None,
            reason=str(error),
        )
        return Stepped(unclear)
    except (NotSent, Unauthorized) as error:
        gate.unclear += 1
        return Stepped(_again(dispatch, str(error), tools))
    except NotFound:
        gate.unclear = 0
        return Stepped(dispatch.dropped(Reason.ROOM_ENDED.value, tools.queue.now()))
    except Refused as error:
        gate.unclear = 0
        return Stepped(dispatch.ended(State.FAILED, str(error), tools.queue.now()))
    gate.unclear = 0
    gate.keeps_attributes = answer.attributes.get(ID_ATTRIBUTE) == dispatch.id
    if not gate.keeps_attributes:
        log.warning(
            "attributes_ignored", room=dispatch.room, hint="LiveKit 1.12 or later keeps them"
        )
    return _echoed(dispatch, answer, tools)


async def settle(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find out whether an unclear Create was done: adopt it, or create it anew."""
    try:
        found = _ours(dispatch, await _listed(hold, tools), hold, tools)
    except ProviderError as error:
        return Stepped(later(dispatch, str(error), tools))
    if not found:
        return Stepped(_again(dispatch, dispatch.reason or "it was not created", tools))
    return _adopted(dispatch, found, tools)


async def look_again(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find what was created for this dispatch beside what it is known by: that must go.

    It is what a worker that had lost the room created; or, for one that was given up while its
    call was unclear, all that is there.
    """
    try:
        listed = await _listed(hold, tools)
    except ProviderError as error:
        return Stepped(later(dispatch, str(error), tools))
    marked = [d.id for d in listed if _is_marked(d, dispatch)]
    doubles = tuple(i for i in marked if i != dispatch.dispatch_id)
    return Stepped(replace(dispatch, step=Step.NOTHING, doubtful=False), doubles)


async def in_session(
    dispatches: Sequence[Dispatch], doubtful: Sequence[Dispatch], hold: Hold, tools: Tools
) -> Look:
    """Look whether the room still has the session these are for, and what was made for them before.

    Redis may have forgotten a call that was made: what it has decided again has the same id.

    Args:
        dispatches: all that are due; what the look shows counts for each.
        doubtful: those of them that must not go on without a look.
        hold: their room.
        tools: what the work needs.
    """
    try:
        sid = await tools.providers[hold.server_id].room_sid(hold.room)
        creates = [d for d in doubtful if d.step is Step.CREATE and d.room_sid == sid]
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        listed = await _listed(hold, tools) if creates else ()
    except ProviderError as error:
        put_off = [later(replace(d, called_at=None), str(error), tools) for d in doubtful]
        return Look([Stepped(d) for d in put_off], answered=False)
    now = tools.queue.now()
    lost = [d for d in dispatches if d.room_sid != sid]
    made = {d.id: [each for each in listed if _is_marked(each, d)] for d in creates}
    unclear = [d.id for d in lost if d.step is not Step.CREATE or d.doubtful]
    if unclear:  # a call may have made or met another session of the name
        hold.record = hold.record.with_sweep(unclear, now).with_stragglers(lost, now)
    stepped = [
        *(Stepped(d.dropped(Reason.ROOM_ENDED.value, now)) for d in lost),
        *(_adopted(d, made[d.id], tools) for d in creates if made[d.id]),
    ]
    return Look(stepped, answered=True)


def _adopted(dispatch: Dispatch, found: Sequence[Listed], tools: Tools) -> Stepped:
    """Take the oldest of what was made for a dispatch; the others must go."""
    first, *doubles = found
    adopted, unwanted = _echoed(dispatch, first, tools)
    if adopted.state is State.PENDING:
        adopted = replace(adopted, accepted_at=first.created_at)
    return Stepped(adopted, (*unwanted, *(double.id for double in doubles)))


def _echoed(dispatch: Dispatch, answer: Listed, tools: Tools) -> Stepped:
    """Check that the server took what it was told: up to 1.11 it drops what it does not know."""
    now = tools.queue.now()
    if answer.deployment != dispatch.deployment:
        reason = (
            f"this LiveKit server ignores deployments (asked for {dispatch.deployment!r}, got"
            f" {answer.deployment!r}); it needs version 1.12 or later"
        )
        return Stepped(dispatch.ended(State.FAILED, reason, now), (answer.id,))
    return Stepped(dispatch.accepted(answer.id, now))


def _ours(dispatch: Dispatch, listed: Iterable[Listed], hold: Hold, tools: Tools) -> list[Listed]:
    """What is listed of this dispatch, oldest first.

    On a server that is known to drop attributes it is met by agent, metadata and time: one for one
    with its twins in this room that are unclear too, and never what another dispatch is known by.
    """
    listed = sorted(listed, key=lambda d: d.created_at)
    marked = [d for d in listed if _is_marked(d, dispatch)]
    if marked or tools.gates[hold.server_id].keeps_attributes is not False:
        return marked
    siblings = hold.record.dispatches.values()
    known = {d.dispatch_id for d in siblings}
    like = [
        d
        for d in listed
        if d.id not in known
        and _looks(d) == _looks(dispatch)
        and d.deployment in ("", dispatch.deployment)  # it drops deployments too
        and d.created_at >= dispatch.wanted_at - CLOCKS_SECONDS
    ]
    twins = sorted(
        d.id for d in siblings if d.step is Step.SETTLE and _looks(d) == _looks(dispatch)
    )
    place = twins.index(dispatch.id) if dispatch.id in twins else 0
    return like[place : place + 1]


def _is_marked(listed: Listed, dispatch: Dispatch) -> bool:
    return listed.attributes.get(ID_ATTRIBUTE) == dispatch.id


def _looks(dispatch: Dispatch | Listed) -> tuple[str, str]:
    return dispatch.agent, dispatch.metadata


async def _listed(hold: Hold, tools: Tools) -> Sequence[Listed]:
    return await tools.providers[hold.server_id].dispatches(hold.room)


def _again(dispatch: Dispatch, reason: str, tools: Tools) -> Dispatch:
    """It was not done: create it anew after a while, as long as that makes sense."""
    return later(replace(dispatch, step=Step.CREATE, called_at=None), reason, tools)


def later(dispatch: Dispatch, reason: str, tools: Tools) -> Dispatch:
    """The same step again after a while, for as long as that makes sense."""
    now = tools.queue.now()
    began = dispatch.ended_at or dispatch.accepted_at or dispatch.wanted_at
    if now - began > RETRY_SECONDS and dispatch.step is not Step.FIND_AGENT:
        return _given_up(dispatch, reason, now)
    wait = min(BACKOFF_SECONDS * 2 ** min(dispatch.failures, 8), LONGEST_BACKOFF_SECONDS)
    return replace(
        dispatch,
        due=now + tools.spread(wait),
        failures=dispatch.failures + 1,
        reason=reason if dispatch.state is State.REQUESTED else dispatch.reason,
    )


def _given_up(dispatch: Dispatch, reason: str, now: float) -> Dispatch:
    if dispatch.state is not State.REQUESTED:
        return replace(dispatch, step=Step.NOTHING)
    failed = dispatch.ended(State.FAILED, f"given up after 5 minutes: {reason}", now)
    if dispatch.step is not Step.SETTLE:
        return failed
    return replace(failed, step=Step.LOOK_AGAIN, due=now)  # it may be there, and must not stay
