"""One step for one dispatch against the provider, settled until its outcome is known.

CreateDispatch is not idempotent: two calls are two agents. A call whose answer was lost is
therefore never simply repeated. When it must be over, the room is listed: ours is there and is
adopted, or is not there and is created. Each step takes a dispatch and returns it as it stands
after, with what must not stay in LiveKit; it writes and deletes nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from rules.decision import Reason
from rules.frozen import replace
from workers.by_token import fitting
from workers.clock import CLOCKS_SECONDS
from workers.dispatch import ID_ATTRIBUTE, Dispatch, State, Step
from workers.errors import NotFound, NotSent, ProviderError, Refused, Unauthorized, Unclear
from workers.planned import next_rung
from workers.providers.base import CALL_SECONDS, EXECUTION_SECONDS, Order
from workers.reasons import Why, all_tried, attempt_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.hold import Hold
    from workers.providers.base import Listed
    from workers.removal import Unwanted
    from workers.tools import Tools

RETRY_SECONDS: Final = 300.0
"""How long a dispatch is tried. A caller waits no longer."""
LEAST_TRIES: Final = 6
"""It is tried so often in any case: nothing of us may have run for all that time."""
BACKOFF_SECONDS: Final = 0.25
LONGEST_BACKOFF_SECONDS: Final = 15.0

log = structlog.get_logger(__name__)


class Stepped(NamedTuple):
    """A dispatch after a step, and what else follows from it."""

    dispatch: Dispatch
    unwanted: tuple[str, ...] = ()
    """LiveKit's ids of the dispatches that must go."""
    follower: Dispatch | None = None
    """The dispatch that takes over its claim."""
    removed: tuple[Unwanted, ...] = ()
    """Agents that must not be there, of dispatches that are deleted already."""
    coming: bool = False
    """Its agent may still be on its way, and nobody knows what it will be called."""
    held: bool = False
    """Somebody has deleted it by hand."""
    look: bool = False
    """The room is not as it was thought to be: look at all of it."""


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
        due = began + EXECUTION_SECONDS
        now = tools.queue.now()
        return Stepped(dispatch.told(str(error), now, step=Step.SETTLE, due=due, called_at=None))
    except (NotSent, Unauthorized) as error:
        gate.unclear += 1
        return again(dispatch, str(error), tools)
    except NotFound:
        gate.unclear = 0
        return Stepped(dispatch.dropped(Reason.ROOM_ENDED.value, tools.queue.now()))
    except Refused as error:
        gate.unclear = 0
        return gave_up(dispatch, str(error), tools.queue.now())
    gate.unclear = 0
    gate.keeps_attributes = answer.attributes.get(ID_ATTRIBUTE) == dispatch.id
    if not gate.keeps_attributes:
        log.warning(
            "attributes_ignored", room=dispatch.room, hint="LiveKit 1.12 or later keeps them"
        )
    return echoed(replace(dispatch, token_mark=""), answer, tools)


async def settle(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find out whether an unclear Create was done: adopt it, or create it anew."""
    try:
        found = _ours(dispatch, await _listed(hold, tools), hold, tools)
    except ProviderError as error:
        return later(dispatch, str(error), tools)
    if not found:
        return again(dispatch, dispatch.reason or "it was not created", tools)
    return _adopted(dispatch, found, tools)


async def look_again(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """Find what was created for this dispatch beside what it is known by: that must go.

    It is what a worker that had lost the room created; or, for one that was given up while its
    call was unclear, all that is there.
    """
    try:
        listed = await _listed(hold, tools)
    except ProviderError as error:
        return later(dispatch, str(error), tools)
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
        sid = await tools.place(hold.server_id).room_sid(hold.room)
        creates = [
            d for d in doubtful if d.step is Step.CREATE and d.room_sid == sid and not d.apart
        ]
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        listed = await _listed(hold, tools) if creates else ()
    except ProviderError as error:
        put = [later(replace(d, called_at=None), str(error), tools) for d in doubtful]
        return Look(put, answered=False)
    now = tools.queue.now()
    lost = [d for d in dispatches if d.room_sid != sid]
    listed_here = [d for d in lost if not d.apart]
    made = {d.id: [each for each in listed if _is_marked(each, d)] for d in creates}
    unclear = [d.id for d in listed_here if d.step is not Step.CREATE or d.doubtful]
    if unclear:  # a call may have made or met another session of the name
        hold.record = hold.record.with_sweep(unclear, now).with_stragglers(listed_here, now)
    stepped = [
        *(Stepped(d.dropped(Reason.ROOM_ENDED.value, now)) for d in lost),
        *(_met(d, made[d.id], hold, tools) for d in creates if made[d.id]),
    ]
    return Look(stepped, answered=True)


def _met(dispatch: Dispatch, made: Sequence[Listed], hold: Hold, tools: Tools) -> Stepped:
    """Take what was made for it before, by us or by a join token, if it still fits."""
    fits, others = fitting(dispatch, made, hold.record.unwanted, tools.queue.now())
    met = _adopted(dispatch, fits, tools) if fits else Stepped(dispatch)
    return met._replace(removed=(*met.removed, *others))


def _adopted(dispatch: Dispatch, found: Sequence[Listed], tools: Tools) -> Stepped:
    """Take the oldest of what was made for a dispatch; the others must go."""
    first, *doubles = found
    at = min(first.created_at, tools.queue.now())
    if first.attributes.get(ID_ATTRIBUTE) == dispatch.token_mark:
        log.info("came_by_token", room=dispatch.room, dispatch=dispatch.id)
        at = max(at, dispatch.created_at)  # it was sent before anybody had decided it
    else:
        dispatch = replace(dispatch, token_mark="")
    adopted = echoed(dispatch, first, tools, at=at)
    others = tuple(double.id for double in doubles)
    return adopted._replace(unwanted=(*adopted.unwanted, *others))


def echoed(dispatch: Dispatch, answer: Listed, tools: Tools, *, at: float | None = None) -> Stepped:
    """Check that the server took what it was told: up to 1.11 it drops what it does not know."""
    now = tools.queue.now()
    if answer.deployment != dispatch.deployment:
        reason = (
            f"{Why.DEPLOYMENT_IGNORED}: this LiveKit server ignores deployments (asked for"
            f" {dispatch.deployment!r}, got {answer.deployment!r}); it needs version 1.12 or later"
        )
        return gave_up(dispatch, reason, now)._replace(unwanted=(answer.id,))
    return Stepped(dispatch.accepted(answer.id, now, at))


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
    return listed.attributes.get(ID_ATTRIBUTE) in dispatch.marks


def _looks(dispatch: Dispatch | Listed) -> tuple[str, str]:
    return dispatch.agent, dispatch.metadata


async def _listed(hold: Hold, tools: Tools) -> Sequence[Listed]:
    return await tools.providers[hold.server_id].dispatches(hold.room)


def again(dispatch: Dispatch, reason: str, tools: Tools) -> Stepped:
    """It was not done: create it anew after a while, as long as that makes sense."""
    return later(replace(dispatch, step=Step.CREATE, called_at=None), reason, tools)


def later(dispatch: Dispatch, reason: str, tools: Tools) -> Stepped:
    """The same step again after a while, for as long as that makes sense."""
    now = tools.queue.now()
    began = dispatch.ended_at or dispatch.wanted_at
    is_endless = dispatch.live and dispatch.state is not State.REQUESTED
    is_new = now - began <= RETRY_SECONDS or dispatch.failures < LEAST_TRIES
    if is_new or is_endless:
        return Stepped(put_off(dispatch, reason, tools))
    if not dispatch.live:
        return Stepped(replace(dispatch, step=Step.NOTHING))
    over = gave_up(dispatch, f"{Why.GIVEN_UP}: not done within 5 minutes, {reason}", now)
    if dispatch.step is not Step.SETTLE:
        return over
    still = replace(over.dispatch, step=Step.LOOK_AGAIN, due=now)
    return over._replace(dispatch=still)  # it may be there, and must not stay


def put_off(dispatch: Dispatch, reason: str, tools: Tools) -> Dispatch:
    """What is due for it now is due again after a while, each time a longer one."""
    now = tools.queue.now()
    wait = min(BACKOFF_SECONDS * 2 ** min(dispatch.failures, 8), LONGEST_BACKOFF_SECONDS)
    at = now + tools.spread(wait)
    put = replace(
        dispatch,
        due=max(dispatch.due, at),
        join_by=max(dispatch.join_by, at) if dispatch.join_by is not None else None,
        leave_at=max(dispatch.leave_at, at) if dispatch.leave_at is not None else None,
        failures=dispatch.failures + 1,
    )
    return put.told(reason, now) if dispatch.state is State.REQUESTED else put


def gave_up(dispatch: Dispatch, why: str, now: float, *, seen_at: float = 0.0) -> Stepped:
    """No agent comes of it: the next rung of its ladder, or the end.

    `seen_at` is when its room was last seen to be there; 0 has the next rung look first.
    """
    follower = next_rung(dispatch, attempt_told(dispatch, why), now, seen_at=seen_at)
    if follower is None:
        return Stepped(dispatch.ended(State.FAILED, all_tried(dispatch, why), now))
    return Stepped(dispatch.ended(State.SUPERSEDED, why, now), follower=follower)
