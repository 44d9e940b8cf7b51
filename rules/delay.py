"""`after`: whether an agent that was to wait is still wanted when its time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decision import Once, Reason, Refusal
from rules.scope import Facts

if TYPE_CHECKING:
    from rules.event import Event
    from rules.rule import Rule
    from rules.session import Session


def refusal_when_due(rule: Rule, event: Event, session: Session) -> Refusal | None:
    """Why the agent of a match is not wanted any more; None if it is.

    Args:
        rule: the rule as it was when it matched.
        event: what it matched, filled in as it was then. Only who is present is read again.
        session: the room's session as it is now.
    """
    over = session_over(event, session)
    if over is not None:
        return over
    gone = _gone(rule, event, session)
    if gone is not None:
        return Refusal(Reason.PARTICIPANT_GONE, None, gone)
    stopped = unmet(rule, Facts(event, session))
    return stopped and stopped._replace(reason=Reason.CONDITION)


def session_over(event: Event, session: Session) -> Refusal | None:
    """Why nobody is wanted for an event any more, whatever its rule: its session has ended."""
    if session.ended or session.sid != event.room_sid:
        return Refusal(Reason.ROOM_ENDED, None, "the room's session has ended")
    return None


def unmet(rule: Rule, facts: Facts) -> Refusal | None:
    """Which of a rule's `when`, `unless` and `if` stops it; None if nothing does."""
    if rule.when is not None:
        failure = rule.when(facts)
        if failure is not None:
            return Refusal(Reason.CONDITION, failure.at, failure.detail)
    if rule.unless is not None and rule.unless(facts) is None:
        return Refusal(Reason.UNLESS, "unless", "all of it holds")
    if rule.expression is not None:
        refusal = rule.expression.refusal(facts)
        if refusal is not None:
            return Refusal(Reason.EXPRESSION, "if", refusal)
    return None


def _gone(rule: Rule, event: Event, session: Session) -> str | None:
    if event.participant is None:
        return None
    if rule.once is Once.ROOM:
        return None if session.humans else "nobody is in the room any more"
    identity = str(event.participant.get("identity") or "")
    return None if session.present(identity) else "the participant has left"
