"""Dispatches from plans and orders: the first of a claim, and those that take over from it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from rules.decision import Claim, Once, Provider
from rules.frozen import replace
from workers.dispatch import Dispatch, Move, State, Step
from workers.reasons import Why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.decision import Notice, Plan, Rung
    from rules.event import Event
    from rules.session import Session

_BY_HAND: Final = "hand:"
"""Whose the claims of orders are. No rule's id has a colon, nor is it a group's."""


def planned(
    plan: Plan,
    event: Event,
    session: Session,
    *,
    event_at: float,
    rules_hash: str,
    now: float,
    received_at: float = 0.0,
    called_by: str = "",
) -> Dispatch:
    """The dispatch that carries out a plan; `called_by` if its Create begins right now.

    `session` is who is there after the event, `event_at` is when its room was last known to be
    there, `received_at` when the event arrived.

    Its id follows from the claim and the event, so that an event decided anew after a lost answer
    makes the same dispatch and not a second one.
    """
    waits = plan.after > 0
    state = State.SCHEDULED if waits else State.REQUESTED
    release = plan.release.when
    leaves = plan.release.holds(event, event, session, already=False)
    is_called = not waits and not (leaves and plan.release.after == 0)
    return Dispatch(
        id=_id(session.sid, plan.claim.key, event.id),
        provider=plan.provider.value,
        version=plan.version,
        target=plan.room,
        known_as=plan.agents_are.patterns,
        room=event.room_name,
        room_sid=session.sid,
        rule=plan.rule,
        subject=plan.claim.subject,
        agent=plan.agent,
        deployment=plan.deployment,
        metadata=plan.metadata,
        attributes=dict(plan.attributes),
        restart_policy=plan.restart_policy.value,
        event_id=event.id,
        rules_hash=rules_hash,
        created_at=now,
        received_at=received_at or now,
        claim=plan.claim.key,
        remembered=plan.remembered,
        share=share_of(plan.rule, plan.share.per) if plan.share is not None else "",
        share_most=plan.share.active if plan.share is not None else 0,
        event_at=event_at,
        state=state,
        step=Step.WAIT if waits else Step.CREATE,
        origin=event.to_json() if waits else {},
        participant=str((event.participant or {}).get("identity") or ""),
        track=str((event.track or {}).get("sid") or ""),
        due=now + plan.after,
        wanted_at=now + plan.after,
        called_at=now if called_by and is_called else None,
        called_by=called_by if is_called else "",
        join_within=plan.join_within,
        fallback=tuple(rung_to_json(rung) for rung in plan.fallback),
        notice=notice_to_json(plan.notice),
        release_when=release.value if release is not None else "",
        release_after=plan.release.after,
        leave_at=now + plan.release.after if leaves else None,
        moves=(Move(now, state, None),),
    )


def ordered(
    asked: Mapping[str, Any],
    order_id: str,
    *,
    room: str,
    room_sid: str,
    event_at: float,
    now: float,
    received_at: float,
) -> Dispatch:
    """The dispatch that somebody has ordered by hand: of no rule, under a claim of its own.

    Args:
        asked: its id and what the agent is to be sent with, as `Orders.dispatch` took it.
        order_id: of the order.
        room: its name.
        room_sid: of its session; `""` where none is known.
        event_at: when that was last known to be there.
        now: Unix seconds.
        received_at: when the order arrived.
    """
    state = State.REQUESTED
    return Dispatch(
        **asked,
        provider=Provider.LIVEKIT.value,
        room=room,
        room_sid=room_sid,
        rule="",
        subject=order_id,
        event_id=order_id,
        rules_hash="",
        created_at=now,
        received_at=received_at,
        claim=Claim(_BY_HAND, "0", Once.EVENT, order_id).key,
        event_at=event_at,
        due=now,
        wanted_at=now,
        moves=(Move(now, state, None),),
    )


def ordered_id(server_id: str, room: str, key: str) -> str:
    """The id of the dispatch of an order: the same for the same key, in one room."""
    return _id(_BY_HAND, server_id, room, key)


def next_rung(before: Dispatch, told: str, now: float, *, seen_at: float) -> Dispatch | None:
    """The dispatch of the next rung of a ladder; None where there is none.

    Args:
        before: the one whose agent did not come.
        told: what became of it, in words.
        now: Unix seconds.
        seen_at: when its room was last seen to be there.
    """
    if not before.fallback:
        return None
    rung, *rest = before.fallback
    return _following(
        before,
        now,
        State.REQUESTED,
        agent=rung["agent"],
        deployment=rung["deployment"],
        metadata=rung["metadata"],
        attributes=rung["attributes"],
        restart_policy=rung["restart_policy"],
        provider=rung["provider"],
        version=rung.get("version", ""),  # one that was kept before there were any
        target=rung.get("room", ""),
        join_within=rung["join_within"],
        fallback=tuple(rest),
        rung=before.rung + 1,
        tried=(*before.tried, told),
        step=Step.CREATE,
        due=now,
        wanted_at=now,
        event_at=seen_at,
    )


def replacement(before: Dispatch, because: str, now: float, due: float) -> Dispatch:
    """The dispatch that takes the place of one whose agent had joined and has failed."""
    return _following(
        before,
        now,
        State.SCHEDULED,
        reason=f"{Why.RESTART}: {because}",
        attempt=before.attempt + 1,
        replaces=before.dispatch_id or "",
        replaced_identity=before.agent_identity or "",
        step=Step.WAIT,
        due=due,
        wanted_at=due,
        event_at=0.0,
    )


def renewed(before: Dispatch, now: float, *, seen_at: float) -> Dispatch:
    """The dispatch that is made anew because one was deleted and turns out to be wanted still."""
    return _following(
        before,
        now,
        State.REQUESTED,
        attempt=before.attempt + 1,
        leave_at=None,
        step=Step.CREATE,
        due=now,
        wanted_at=now,
        event_at=seen_at,
    )


def follower_ids(dispatch_id: str, attempt: int, rung: int) -> tuple[str, str]:
    """Ids of the two dispatches of which one may take over from this one.

    The next rung of its ladder, and its next attempt.
    """
    return _id(dispatch_id, str(attempt), str(rung + 1)), _id(
        dispatch_id, str(attempt + 1), str(rung)
    )


def share_of(rule: str, per: str) -> str:
    """The name under which the live dispatches of a rule are counted, by its `limit.per`."""
    return f"{rule}:{per}"


def rung_to_json(rung: Rung) -> dict[str, Any]:
    """A rung as a record keeps it."""
    names = ("agent", "deployment", "metadata", "restart_policy", "provider", "join_within")
    kept = {"attributes": dict(rung.attributes), **{name: getattr(rung, name) for name in names}}
    return kept | {name: value for name in ("version", "room") if (value := getattr(rung, name))}


def notice_to_json(notice: Notice | None) -> dict[str, str]:
    """What a rule tells where nobody comes, as a record keeps it; empty where it tells nothing."""
    told = {} if notice is None else {"message": notice.message, "data": notice.data or "{}"}
    return {name: value for name, value in told.items() if value}


def _following(before: Dispatch, now: float, state: State, **changes: Any) -> Dispatch:  # noqa: ANN401
    """A new dispatch of the same claim, as it is before anything is done for it.

    Where the one before was to leave at some time, so is this.
    """
    attempt, rung = changes.get("attempt", before.attempt), changes.get("rung", before.rung)
    fresh: Mapping[str, Any] = {
        "id": _id(before.id, str(attempt), str(rung)),
        "created_at": now,
        "follows": before.id,
        "reason": None,
        "dispatch_id": None,
        "agent_identity": None,
        "agent_sid": None,
        "accepted_at": None,
        "joined_at": None,
        "ended_at": None,
        "called_at": None,
        "called_by": "",
        "failures": 0,
        "unlisted": 0,
        "doubtful": False,
        "token_mark": "",
        "join_by": None,
        "withdrawn": None,
        "job_identity": "",
        "worker_id": "",
        "replaces": "",
        "replaced_identity": "",
        "unknown": {},
        **changes,
    }
    reason = fresh["reason"]
    return replace(before, **fresh, state=state, moves=(Move(now, state, reason),))


def _id(*named: str) -> str:
    return "D" + sha256("\x00".join(named).encode()).hexdigest()[:20]
