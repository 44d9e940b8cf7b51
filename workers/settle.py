"""One step for one dispatch against the provider, settled until its outcome is known.

CreateDispatch is not idempotent: two calls are two agents. A call whose answer was lost is
therefore never simply repeated. When it must be over, the room is listed: ours is there and is
adopted, or is not there and is created. Each step takes a dispatch and returns it as it stands
after; it writes nothing itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from rules.decision import Reason
from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE, Dispatch, State, Step
from workers.errors import NotFound, NotSent, ProviderError, Refused, Unauthorized, Unclear
from workers.providers.base import EXECUTION_SECONDS, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.inbox import Hold
    from workers.providers.base import Listed
    from workers.record import Record
    from workers.tools import Tools

RETRY_SECONDS: Final = 300.0
"""How long a dispatch is tried. A caller waits no longer."""
BACKOFF_SECONDS: Final = 0.25
LONGEST_BACKOFF_SECONDS: Final = 15.0
CLOCKS_SECONDS: Final = 5.0
"""How far LiveKit's clock and Redis's may be apart."""
SWEEP_SECONDS: Final = 60.0
"""How long a sweep is tried when LiveKit does not answer."""

log = structlog.get_logger(__name__)


async def create(dispatch: Dispatch, hold: Hold, tools: Tools) -> Dispatch:
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
        return replace(
            dispatch,
            step=Step.SETTLE,
            due=began + EXECUTION_SECONDS,
            called_at=None,
            reason=str(error),
        )
    except (NotSent, Unauthorized) as error:
        gate.unclear += 1
        return _again(dispatch, str(error), tools)
    except NotFound:
        gate.unclear = 0
        return dispatch.dropped(Reason.ROOM_ENDED.value, tools.queue.now())
    except Refused as error:
        gate.unclear = 0
        return dispatch.ended(State.FAILED, str(error), tools.queue.now())
    gate.unclear = 0
    return await _echoed(dispatch, answer, hold, tools)


async def settle(dispatch: Dispatch, hold: Hold, tools: Tools) -> Dispatch:
    """Find out whether an unclear Create was done: adopt it, or create it anew."""
    try:
        found = _ours(dispatch, await _listed(hold, tools), hold, tools)
    except ProviderError as error:
        return _later(dispatch, str(error), tools)
    if not found:
        return _again(dispatch, dispatch.reason or "it was not created", tools)
    if len(found) > 1:  # the second look deletes the others
        dispatch = replace(dispatch, doubtful=True)
    adopted = await _echoed(dispatch, found[0], hold, tools)
    if adopted.state is State.PENDING:
        adopted = replace(adopted, accepted_at=found[0].created_at)
    return adopted


async def look_again(dispatch: Dispatch, hold: Hold, tools: Tools) -> Dispatch:
    """Delete what was created for this dispatch beside what it is known by.

    That is what a worker that had lost the room created; or, for one that was given up while its
    call was unclear, all that is there.
    """
    try:
        listed = await _listed(hold, tools)
        marked = [d for d in listed if d.attributes.get(ID_ATTRIBUTE) == dispatch.id]
        await _delete([d for d in marked if d.id != dispatch.dispatch_id], hold, tools)
    except ProviderError as error:
        return _later(dispatch, str(error), tools)
    return replace(dispatch, step=Step.NOTHING, doubtful=False)


async def in_session(
    dispatches: Sequence[Dispatch], doubtful: Sequence[Dispatch], hold: Hold, tools: Tools
) -> list[Dispatch]:
    """Look whether the room still has the session these are for.

    Args:
        dispatches: all that are due; what the look shows counts for each.
        doubtful: those of them that must not go on without a look.
        hold: their room.
        tools: what the work needs.

    Returns:
        Those that change because of it: their session is over, or it could not be looked up.
    """
    try:
        sid = await tools.providers[hold.server_id].room_sid(hold.room)
    except ProviderError as error:
        return [_later(d, str(error), tools) for d in doubtful]
    now = tools.queue.now()
    lost = [d for d in dispatches if d.room_sid != sid]
    unclear = [d.id for d in lost if d.step is not Step.CREATE or d.doubtful]
    if unclear:  # a call may have made or met another session of the name
        hold.record = hold.record.with_sweep(unclear, now)
    return [d.dropped(Reason.ROOM_ENDED.value, now) for d in lost]


async def sweep(hold: Hold, tools: Tools) -> Record:
    """Delete what calls of earlier sessions of this name left in the present one.

    The name is looked at again when a call that had just begun must be over.
    """
    record = hold.record
    try:
        sid = await tools.providers[hold.server_id].room_sid(hold.room)
        listed = await _listed(hold, tools) if sid is not None else []
        await _delete([d for d in listed if _strayed(d, record, sid)], hold, tools)
        enough = EXECUTION_SECONDS
    except ProviderError as error:
        log.warning("sweep_failed", room=hold.room, error=str(error))
        enough = SWEEP_SECONDS
    now = tools.queue.now()
    if now - record.sweep_since >= enough:
        return replace(record, sweep=())
    return replace(record, sweep_due=now + EXECUTION_SECONDS)


def _strayed(dispatch: Listed, record: Record, sid: str | None) -> bool:
    attributes = dispatch.attributes
    return attributes.get(ID_ATTRIBUTE) in record.sweep and attributes.get(SID_ATTRIBUTE) != sid


async def withdraw(results: Iterable[Dispatch], hold: Hold, tools: Tools) -> None:
    """The room was lost while calls were under way: delete what is not wanted.

    What the new holder has adopted is its own now. What it has not settled yet it will find when
    it looks; only a dispatch it has settled in another way is ours to take back.
    """
    current = await tools.queue.current(hold)
    for dispatch in results:
        if dispatch.dispatch_id is None:
            continue
        if _is_wanted(dispatch, current.dispatches.get(dispatch.id), hold):
            continue
        try:
            await tools.providers[hold.server_id].delete(dispatch.room, dispatch.dispatch_id)
        except NotFound:
            continue
        except ProviderError as error:
            log.warning("withdraw_failed", room=dispatch.room, error=str(error))


def _is_wanted(made: Dispatch, kept: Dispatch | None, hold: Hold) -> bool:
    """Whether the new holder has what was made, or is sure to find it."""
    if kept is None or not kept.live:
        return False
    if kept.dispatch_id is None:
        return kept.step is Step.SETTLE or kept.called_by == hold.token
    return kept.dispatch_id == made.dispatch_id


async def _echoed(dispatch: Dispatch, answer: Listed, hold: Hold, tools: Tools) -> Dispatch:
    """Check that the server took what it was told: up to 1.11 it drops what it does not know."""
    now = tools.queue.now()
    if answer.deployment != dispatch.deployment:
        reason = (
            f"this LiveKit server ignores deployments (asked for {dispatch.deployment!r}, got"
            f" {answer.deployment!r}); it needs version 1.12 or later"
        )
        try:
            await _delete([answer], hold, tools)
        except ProviderError as error:
            reason += f"; deleting what it made instead failed: {error}"
        return dispatch.ended(State.FAILED, reason, now)
    gate = tools.gates[hold.server_id]
    gate.keeps_attributes = answer.attributes.get(ID_ATTRIBUTE) == dispatch.id
    if not gate.keeps_attributes:
        log.warning(
            "attributes_ignored", room=dispatch.room, hint="LiveKit 1.12 or later keeps them"
        )
    return dispatch.accepted(answer.id, now)


def _ours(dispatch: Dispatch, listed: Iterable[Listed], hold: Hold, tools: Tools) -> list[Listed]:
    """What is listed of this dispatch, oldest first.

    On a server that drops attributes it is met by agent, metadata and time: one for one with its
    twins in this room that are unclear too, and never what another dispatch is known by.
    """
    listed = sorted(listed, key=lambda d: d.created_at)
    marked = [d for d in listed if d.attributes.get(ID_ATTRIBUTE) == dispatch.id]
    if marked or tools.gates[hold.server_id].keeps_attributes:
        return marked
    siblings = hold.record.dispatches.values()
    known = {d.dispatch_id for d in siblings}
    like = [
        d
        for d in listed
        if not d.attributes
        and d.id not in known
        and _looks(d) == _looks(dispatch)
        and d.created_at >= dispatch.created_at - CLOCKS_SECONDS
    ]
    twins = sorted(
        d.id for d in siblings if d.step is Step.SETTLE and _looks(d) == _looks(dispatch)
    )
    place = twins.index(dispatch.id) if dispatch.id in twins else 0
    return like[place : place + 1]


def _looks(dispatch: Dispatch | Listed) -> tuple[str, str, str]:
    return dispatch.agent, dispatch.deployment, dispatch.metadata


async def _listed(hold: Hold, tools: Tools) -> Sequence[Listed]:
    return await tools.providers[hold.server_id].dispatches(hold.room)


async def _delete(dispatches: Iterable[Listed], hold: Hold, tools: Tools) -> None:
    for dispatch in dispatches:
        try:
            await tools.providers[hold.server_id].delete(hold.room, dispatch.id)
        except NotFound:
            continue
        log.info("deleted", room=hold.room, livekit_dispatch=dispatch.id)


def _again(dispatch: Dispatch, reason: str, tools: Tools) -> Dispatch:
    """It was not done: create it anew after a while, as long as that makes sense."""
    return _later(replace(dispatch, step=Step.CREATE, called_at=None), reason, tools)


def _later(dispatch: Dispatch, reason: str, tools: Tools) -> Dispatch:
    """The same step again after a while, for as long as that makes sense."""
    now = tools.queue.now()
    began = dispatch.ended_at or dispatch.accepted_at or dispatch.created_at
    if now - began > RETRY_SECONDS:
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
