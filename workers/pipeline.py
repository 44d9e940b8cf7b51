"""The way of an event through a room, in one screen.

    observe     the event against the record of its room
    decide      what the rules say of it; pure
    commit      one fenced script: the event leaves the inbox, the new record, the decisions and
                the claims arrive; events that ask for nothing go with the next commit
    carry out   what the record says is due: create, look, delete

Events come before effects: a room that has ended meanwhile gets no agent. A crash repeats effects,
never decisions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from rules.decide import decide
from rules.decision import Outcome
from rules.event import PARTIAL, read_event
from rules.known import Known
from workers import by_token, counted, dry_run, history, lifecycle, releases, tallies, telling
from workers.by_hand import obey
from workers.calls import CALLS_EACH, late
from workers.drift import ID_PREFIX, is_told
from workers.effects import carry_out
from workers.entries import CLEAR, LOOK, ORDER, split_entry
from workers.errors import Fenced, NotYet, OverLimit, ProviderError
from workers.inbox import LEASE_SECONDS
from workers.looking import look
from workers.metrics import PUT_ASIDE
from workers.notices import of_dispatches as notices_of
from workers.planned import planned, share_of
from workers.providers.base import CALL_SECONDS
from workers.writing import tell_moved, write_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.event import Event
    from workers.dispatch import Dispatch
    from workers.hold import Document, Hold
    from workers.lifecycle import Observed
    from workers.providers.base import Snapshot
    from workers.tools import Tools

MOST_TRIES: Final = 3
"""Leases on one event that may end in a crash or an exception before it is put aside."""

GATHERING_SECONDS: Final = LEASE_SECONDS / 2
"""Seconds of a lease that must be left for an event's commit to be put off."""

PATIENCE_SECONDS: Final = 60.0
"""How long an event waits for a listing it needs before it is decided without."""

log = structlog.get_logger(__name__)


async def work(hold: Hold, tools: Tools) -> None:
    """Do all that is due in a room now.

    Raises:
        Fenced: another holds the room.
        NotYet: an event needs a listing that failed.
        RedisError: Redis was lost on the way.
    """
    if not tools.dry_run:  # a claim that one holds is free for what comes
        await dry_run.end(hold, tools)
    while hold.entries:
        try:
            last = len(hold.entries) == 1 and not hold.more
            await _one_event(hold, tools, hold.entries[0], last=last)
        except NotYet:  # what was decided before this event does not wait for it
            hold.poisoned = None
            await tools.queue.flush(hold)
            await carry_out(hold, tools)
            raise
        except (Fenced, RedisError):
            raise
        except Exception:  # it is told against this event, so this one must be the first
            await tools.queue.flush(hold)
            raise
        hold.poisoned = None
    await tools.queue.flush(hold)
    await carry_out(hold, tools)


async def put_aside(hold: Hold, tools: Tools, error: str) -> None:
    """Take the event at the inbox's head away from the room and keep it as a dead letter.

    Raises:
        Fenced: another holds the room.
        RedisError: Redis was lost.
    """
    event_id, body, _ = split_entry(hold.entries[0])
    try:
        value = json.loads(body)
    except ValueError:
        value = body.decode("utf-8", "replace")
    letter = history.dead_letter(hold, event_id, value, error, now=tools.queue.now())
    counts = [(PUT_ASIDE.field(), 1)]
    await tools.queue.commit(hold, None, [letter], taken=event_id, counts=counts)
    _, told = tools.queue.redaction.letter(value, error)
    log.error("event_put_aside", room=hold.room, event_id=event_id, error=told)


async def _one_event(hold: Hold, tools: Tools, entry: bytes, *, last: bool) -> None:
    event_id, body, received_at = split_entry(entry)
    hold.poisoned = event_id
    given = json.loads(body)
    event = tools.ruleset.agents_are.seen(read_event(given))
    if event.name == LOOK:
        await look(hold, tools, taken=event_id, made=given.get("made", ()))
        return
    if event.name == CLEAR:
        record = hold.record.with_unwanted(given["unwanted"], tools.queue.now())
        await write_record(hold, tools, record, taken=event_id)
        return
    if event.name == ORDER:
        await obey(hold, tools, given, received_at=received_at or tools.queue.now())
        return
    if is_told(hold.record, event):  # its listing came before its webhook
        await tools.queue.commit(hold, None, taken=event_id)
        return
    is_listed = event_id.startswith(ID_PREFIX)
    snapshot = await _listing(hold, tools, event)
    now = tools.queue.now()
    conditions = await releases.recalled(hold, tools)
    ours = hold.server_id in tools.restarts_ours
    seen = lifecycle.apply(hold.record, event, now, snapshot, ours=ours, conditions=conditions)
    event_at = 0.0 if is_listed else _there_at(hold, tools, seen.event, received_at)
    present = frozenset(given.get("listed", ())) if is_listed else frozenset[str]()
    is_called = last and not late(event_at, now) and not tools.dry_run
    called_by = hold.token if is_called else ""
    live: dict[str, int] = {}
    while True:  # once more for each limit that turns out to be reached
        try:
            await _decided(
                hold,
                tools,
                seen,
                live,
                event_id=event_id,
                event_at=event_at,
                received_at=received_at or now,
                present=present,
                called_by=called_by,
            )
        except OverLimit as reached:  # a refused write renews no lease
            await tools.queue.keep(hold, CALL_SECONDS + 1)
            live = {**live, **reached.live}
        else:
            return


async def _decided(
    hold: Hold,
    tools: Tools,
    seen: Observed,
    live: Mapping[str, int],
    *,
    event_id: str,
    event_at: float,
    received_at: float,
    present: frozenset[str],
    called_by: str,
) -> None:
    """Decide an event and commit what follows.

    Raises:
        OverLimit: it would pass a limit that is not in `live`.
    """
    ruleset, now = tools.ruleset, tools.queue.now()
    known = Known(
        live=seen.record.live_claims,
        accepted=frozenset(seen.record.accepted),
        held=frozenset(seen.record.held),
        present=present,
        active=lambda rule, per: live.get(share_of(rule, per), 0),
        paused=tools.queue.paused,
        providers=tools.whose,
    )
    decisions = decide(ruleset, seen.event, seen.session, known, every_rule=False)
    wanted = [
        planned(
            plan,
            seen.event,
            seen.session,
            event_at=event_at,
            rules_hash=ruleset.hash,
            now=now,
            received_at=received_at,
            # Marked as called in the same write that decides it, if the call follows at once.
            called_by=called_by if number < CALLS_EACH else "",
        )
        for number, plan in enumerate(
            plan for d in decisions if d.outcome is Outcome.DISPATCH for plan in d.plans
        )
    ]
    if hold.has_tokens:
        wanted = [by_token.looked_for(each, seen.record) for each in wanted]
    documents: list[Document] = []
    if ruleset.index.names(seen.event.name):  # else no rule is about such events
        documents.append(
            history.event_document(
                hold.server_id,
                event_id,
                seen.event,
                decisions,
                wanted,
                rules_hash=ruleset.hash,
                now=now,
                instant=tools.queue.instant(),
            )
        )
    changed: list[Dispatch] = [*seen.changed, *wanted]
    record, before = seen.record.with_dispatches(wanted), hold.record.dispatches
    record = by_token.with_agents(record, wanted)
    documents += [history.dispatch_document(before.get(d.id), d) for d in changed]
    notes = [*tallies.of_decisions(decisions, now), *tallies.of_dispatches(before, changed)]
    notes += notices_of(tools.topics, before, changed, now, tools.queue.redaction)
    if hold.has_tokens and wanted:
        notes.append(by_token.noted_on(hold.room_key))
    counts = counted.of_event(seen.event, decisions) + counted.of_dispatches(before, changed)
    if hold.gathers and not changed and hold.left > GATHERING_SECONDS:
        hold.gather(record, documents, taken=event_id, notes=notes, counts=counts)
    else:
        # Most events of a large room change nothing of it: its record is not written for them.
        kept = None if record is hold.record else record
        await tools.queue.commit(hold, kept, documents, taken=event_id, notes=notes, counts=counts)
    telling.tell_errors(seen.event, decisions, tools.queue.redaction)
    if tools.traces is not None and decisions:
        tools.traces.decided(seen.event, decisions, received_at, tools.queue.now())
    tell_moved(before, changed, tools)


async def _listing(hold: Hold, tools: Tools, event: Event) -> Snapshot | None:
    """The room of a track event, listed if the record does not know it or the participant.

    Track events carry sids and names only; the service may have been started in the middle of a
    call.

    Raises:
        NotYet: it could not be listed.
    """
    is_asked = event.name in PARTIAL and tools.ruleset.index.names(event.name)
    if not is_asked or _knows(hold, event):
        return None
    gate = tools.gates.get(hold.server_id)
    if gate is None or tools.queue.now() - event.at > PATIENCE_SECONDS:
        return None  # decided with what is known: what is absent matches nothing
    if gate.full:
        raise NotYet("LiveKit has its share of this worker's calls")
    try:
        with gate.entered():
            return await tools.place(hold.server_id).snapshot(hold.room)
    except ProviderError as error:
        raise NotYet(str(error)) from error


def _there_at(hold: Hold, tools: Tools, event: Event, received_at: float | None) -> float:
    """When the room was there, by Redis's clock, as an event tells; 0 if it does not."""
    if not _tells_session(hold, event):
        return 0.0
    gate = tools.gates.get(hold.server_id)
    if gate is None or received_at is None:
        return event.at
    gate.ahead.heard(event.at, received_at)
    return round(event.at - gate.ahead.seconds, 3)


def _tells_session(hold: Hold, event: Event) -> bool:
    """Whether an event is proof of its session being there: an egress may end hours after it."""
    session = hold.record.session
    return event.room is not None or (session is not None and session.sid == event.room_sid)


def _knows(hold: Hold, event: Event) -> bool:
    session = hold.record.session
    if event.room_sid in hold.record.past:
        return True
    if session is None or session.sid != event.room_sid:
        return False
    sid = (event.participant or {}).get("sid")
    met = sid in session.participants or sid in session.gone
    return session.ended or (session.room is not None and met)
