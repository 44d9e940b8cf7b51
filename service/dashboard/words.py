"""Why a rule did what it did, and why a dispatch is where it is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rules.decision import Outcome, Reason
from workers.reasons import Why

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_DECISIONS: Final[Mapping[str, str]] = {
    Reason.MATCHED: "Matched.",
    Reason.DISABLED: "It is disabled.",
    Reason.EVENT_TYPE: "Its “on” does not name this event.",
    Reason.LOOP_GUARD: "Events of agents and recorders match only rules that ask for them by name.",
    Reason.CONDITION: "A condition does not hold",
    Reason.UNLESS: "Its “unless” holds",
    Reason.EXPRESSION: "Its “if” is not true",
    Reason.SCHEDULE: "It is outside its schedule",
    Reason.GROUP: "Another rule of its group came first",
    Reason.LIMIT: "Its limit is reached",
    Reason.ALREADY_DISPATCHED: "Its agent has been sent already",
    Reason.HELD: "Its agent was sent away by hand in this session",
    Reason.PAUSED: "It is paused",
    Reason.AGENT_PRESENT: "An agent of that name is in the room already",
    Reason.ROOM_ENDED: "The room’s session is over",
    Reason.PARTICIPANT_GONE: "The participant has left",
    Reason.UNSUPPORTED: "This provider cannot do that",
    Reason.TEMPLATE_ERROR: "A template failed",
    Reason.INVALID_AGENT: "The agent’s name is not allowed",
    Reason.INVALID_DEPLOYMENT: "The deployment is not allowed",
    Reason.METADATA_TOO_LARGE: "The metadata is too large",
}
_OF_DISPATCHES: Final[Mapping[str, str]] = {
    Why.NO_WORKER: "no worker took the job",
    Why.NEVER_JOINED: "a worker took the job, its agent never joined",
    Why.LEFT_EARLY: "its agent left at once, by itself",
    Why.RESTART: "another agent takes its place",
    Why.RESTARTS_USED_UP: "its agents failed too often",
    Why.HELD: "sent away by hand",
    Why.PRESENCE: "nobody needed it any more",
    Why.NOT_CONFIGURED: "its LiveKit server is not configured",
    Why.GIVEN_UP: "LiveKit could not be reached for too long",
    Why.DEPLOYMENT_IGNORED: "this LiveKit is too old for deployments",
    "room_ended": "the room’s session is over",
    "client_initiated": "the agent ended the call",
    "participant_removed": "the agent was removed",
    "last_human_left": "the last human left",
    "participant_left": "its caller left",
    "room_closed": "the room has closed",
    "room_deleted": "the room was closed",
    "agent_error": "the agent failed",
    "connection_timeout": "the agent lost its connection",
}
_GLYPHS: Final = {
    Outcome.DISPATCH: "dispatched",
    Outcome.SHADOW: "shadow",
    Outcome.SKIP: "no",
    Outcome.ERROR: "error",
}


class Said(NamedTuple):
    """A reason for people: a sentence's beginning, and what there is to say beside it."""

    words: str
    more: str


def decision_said(decision: Mapping[str, Any]) -> Said:
    """Why a rule did what it did on an event."""
    words = _OF_DECISIONS.get(decision["reason"], decision["reason"].replace("_", " "))
    told_already = decision["reason"] in (Reason.LOOP_GUARD, Reason.EVENT_TYPE, Reason.DISABLED)
    return Said(words, "" if told_already else decision.get("detail") or "")


def outcome_said(outcome: str) -> str:
    """What a rule did, in a word."""
    return _GLYPHS.get(Outcome(outcome), outcome)


def dispatch_said(reason: str | None) -> Said:
    """Why a dispatch is where it is; two empty texts where there is nothing to say."""
    if not reason:
        return Said("", "")
    word, _, more = reason.partition(": ")
    return Said(_OF_DISPATCHES.get(word, word.replace("_", " ")), more)


def reason_word(reason: str | None) -> str:
    """The part of a reason that stays the same."""
    return (reason or "").partition(":")[0]
