"""`release`: noticing that an agent is not needed any more, and sending it away when its time has
come.

After each event it is asked whether what a dispatch's `release` names is so. Where it is, a timer
runs; where it is not so any more, the timer stops. When it is over, LiveKit is asked who is there,
since a webhook may have been lost; only then is the dispatch deleted.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import structlog

from rules.decision import read_claim
from rules.event import Event
from rules.frozen import replace
from rules.release import Leaving, Release
from rules.session import Session
from workers.dispatch import Dispatch, State, Step
from workers.errors import ProviderError
from workers.planned import renewed
from workers.reasons import Why
from workers.settle import Stepped, later

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.hold import Hold
    from workers.tools import Tools

NONE: Final[Mapping[str, Release]] = MappingProxyType({})
SETTLING_SECONDS: Final = 0.5
_UNCALLED: Final = frozenset({State.SCHEDULED, State.REQUESTED, State.DRY_RUN})

log = structlog.get_logger(__name__)


def after(
    dispatches: Iterable[Dispatch],
    event: Event,
    session: Session,
    now: float,
    conditions: Mapping[str, Release] = NONE,
) -> list[Dispatch]:
    """The dispatches that are to leave, or are not to leave any more, after an event.

    It also has those sent that a human was waited for.

    Args:
        dispatches: of the session, before the event is decided.
        event: what has happened.
        session: who is there after it.
        now: Unix seconds.
        conditions: the releases that have conditions, by the dispatches' ids.
    """
    changed = []
    for dispatch in dispatches:
        if dispatch.step is Step.OWE and session.humans:
            dispatch = replace(dispatch, step=Step.WAIT, due=now)  # noqa: PLW2901 - as it is now
            changed.append(dispatch)
        release = _release(dispatch, conditions)
        if release is None or dispatch.withdrawn is State.RELEASED:
            continue
        already = dispatch.leave_at is not None
        if release.holds(_origin(dispatch), event, session, already=already) == already:
            continue
        leave_at = None if already else now + dispatch.release_after
        changed.append(replace(dispatch, leave_at=leave_at))
    return changed


async def recalled(hold: Hold, tools: Tools) -> Mapping[str, Release]:
    """The releases of a room's dispatches that have conditions, by their ids.

    Raises:
        RedisError: the rules they were decided by could not be read.
    """
    asked = [d for d in hold.record.dispatches.values() if d.live and not d.release_when]
    found = {d.id: await _recalled(d, tools) for d in asked} if asked else {}
    return {dispatch_id: release for dispatch_id, release in found.items() if release is not None}


async def leave(dispatch: Dispatch, hold: Hold, tools: Tools) -> Stepped:
    """The time of an agent that was not needed any more is over: look, then have it deleted."""
    now, uncalled = tools.queue.now(), dispatch.state in _UNCALLED
    if dispatch.state is State.REQUESTED and dispatch.step is not Step.CREATE:
        # Nobody knows whether it is there.
        settled_at = max(dispatch.due, now + SETTLING_SECONDS)
        return Stepped(replace(dispatch, leave_at=settled_at))
    try:
        still = await _holds(dispatch, hold, tools)
    except ProviderError as error:
        if uncalled:  # it is not there: nothing is to be done but not to ask for it again
            return Stepped(dispatch.ended(State.RELEASED, _why(dispatch), now), look=True)
        log.warning("release_put_off", room=hold.room, error=str(error))
        return later(dispatch, str(error), tools)
    now = tools.queue.now()
    if not still:  # somebody is there whose coming nobody has told of
        return Stepped(replace(dispatch, leave_at=None, failures=0), look=True)
    if uncalled:
        return Stepped(dispatch.ended(State.RELEASED, _why(dispatch), now))
    return Stepped(dispatch.withdrawing(State.RELEASED, _why(dispatch), now))


async def released(dispatch: Dispatch, hold: Hold, tools: Tools, seen_at: float) -> Dispatch | None:
    """What takes the place of a released dispatch: somebody may have come while it was deleted.

    `seen_at` is when its room was last seen to be there.
    """
    session = hold.record.session
    release = _release(dispatch, await recalled(hold, tools))
    if session is None or session.ended or release is None:
        return None
    if session.sid != dispatch.room_sid:  # it was another session's
        return None
    origin = _origin(dispatch)
    if release.holds(origin, origin, session, already=True):
        return None
    return renewed(dispatch, tools.queue.now(), seen_at=seen_at)


async def _holds(dispatch: Dispatch, hold: Hold, tools: Tools) -> bool:
    """Whether what its release names is so, as LiveKit lists the room.

    Raises:
        ProviderError: it could not be listed.
    """
    snapshot = await tools.place(hold.server_id).snapshot(hold.room)
    release = _release(dispatch, await recalled(hold, tools))
    if release is None or snapshot.room is None or snapshot.room["sid"] != dispatch.room_sid:
        return release is not None  # the room is over, and so is it
    present = {str(p["sid"]): p for p in snapshot.participants}
    session = Session(dispatch.room_sid, room=snapshot.room, participants=present)
    origin = _origin(dispatch)
    return release.holds(origin, origin, session, already=True)


def _release(dispatch: Dispatch, conditions: Mapping[str, Release]) -> Release | None:
    """When it is to leave; None where it stays."""
    if not dispatch.live:
        return None
    if not dispatch.release_when:
        return conditions.get(dispatch.id)
    when = Leaving(dispatch.release_when)
    return None if when is Leaving.NEVER else Release(when, dispatch.release_after)


async def _recalled(dispatch: Dispatch, tools: Tools) -> Release | None:
    ruleset = await tools.rules.recall(dispatch.rules_hash, tools.queue.redis)
    rule = ruleset.rule(dispatch.rule) if ruleset is not None else None
    position = read_claim(dispatch.claim).position
    for ladder in rule.dispatches if rule is not None else ():
        if ladder.position == position:
            return ladder.release
    log.warning("rules_forgotten", hash=dispatch.rules_hash, rule=dispatch.rule)
    return None


def _origin(dispatch: Dispatch) -> Event:
    """What is needed of the event a dispatch came from."""
    return Event(
        id=dispatch.event_id,
        name="",
        at=0.0,
        project="",
        participant={"identity": dispatch.participant},
        track={"sid": dispatch.track},
    )


def _why(dispatch: Dispatch) -> str:
    return dispatch.release_when or Why.PRESENCE
