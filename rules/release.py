"""`release`: when an agent is sent away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from rules import document
from rules.conditions import compile_conditions
from rules.event import LEAVING, EventName, is_human
from rules.names import CARRIED_BY, PRESENCE_NAMES
from rules.problems import nearest, quoted
from rules.scope import Facts

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.conditions import Check
    from rules.document import Node
    from rules.event import Event
    from rules.session import Session


class Leaving(StrEnum):
    """Who or what must have gone. The participant and the track are the event's."""

    NEVER = "never"
    PARTICIPANT_LEFT = "participant_left"
    LAST_HUMAN_LEFT = "last_human_left"
    TRACK_UNPUBLISHED = "track_unpublished"


_ENDING: Final = {
    Leaving.PARTICIPANT_LEFT: LEAVING,
    Leaving.TRACK_UNPUBLISHED: frozenset({EventName.TRACK_UNPUBLISHED}),
}
"""Events after which what a word is about has gone."""
_NEEDS: Final = {Leaving.PARTICIPANT_LEFT: "participant", Leaving.TRACK_UNPUBLISHED: "track"}
"""Parts of the event that a word is about."""


@dataclass(frozen=True, slots=True)
class Release:
    """When to send an agent away, compiled."""

    when: Leaving | None
    """None where `conditions` say it."""
    after: float = 0.0
    """Seconds it must have been so without a break."""
    conditions: Check | None = None
    asked: Any = None
    """The conditions as they are written, as JSON."""

    def holds(self, origin: Event, event: Event, session: Session, *, already: bool) -> bool:
        """Whether it is so after an event that the agent is to be sent away.

        Args:
            origin: the event that called the agent.
            event: what has happened now.
            session: who is there after it.
            already: whether it was so before.
        """
        match self.when:
            case Leaving.NEVER:
                return False
            case Leaving.PARTICIPANT_LEFT:
                return not session.present(_identity(origin))
            case Leaving.LAST_HUMAN_LEFT:
                return not session.humans and (already or _is_leaving_of_human(event))
            case Leaving.TRACK_UNPUBLISHED:
                left = _is_leaving_of(origin, event) and not session.present(_identity(origin))
                return already or left or _ends_track_of(origin, event)
            case None:
                facts = Facts(event, session)
                return self.conditions is not None and self.conditions(facts) is None


NEVER: Final = Release(Leaving.NEVER)


def _is_leaving_of_human(event: Event) -> bool:
    participant = event.participant
    return event.name in LEAVING and participant is not None and is_human(participant)


def _is_leaving_of(origin: Event, event: Event) -> bool:
    """Whether the origin's participant leaves, and its tracks with it: nobody may tell of those."""
    leaver = (event.participant or {}).get("identity")
    return event.name in LEAVING and bool(leaver) and leaver == _identity(origin)


def _identity(origin: Event) -> str:
    return str((origin.participant or {}).get("identity"))


def _ends_track_of(origin: Event, event: Event) -> bool:
    sid = (event.track or {}).get("sid")
    ends = event.name == EventName.TRACK_UNPUBLISHED
    return ends and bool(sid) and sid == (origin.track or {}).get("sid")


def compile_release(node: Node, on: tuple[str, ...], path: str, compiling: Compiling) -> Release:
    """Compile `release`: a word, or a mapping of `when` and `after`; problems go to the report."""
    if not isinstance(node, document.Mapping):
        word = _word(node, on, path, compiling)
        _warn_of_what_is_over(word, on, node, path, compiling)
        return Release(word)
    entries = compiling.known_keys(node, ("when", "after"), path)
    after = 0.0
    if "after" in entries:
        after = compiling.duration(entries["after"][1], f"{path}.after") or 0.0
    if "when" not in entries:
        compiling.report.error(node.mark, f"'{path}' needs 'when'")
        return NEVER
    when = entries["when"][1]
    if not isinstance(when, document.Mapping):
        word = _word(when, on, f"{path}.when", compiling)
        if not after:
            _warn_of_what_is_over(word, on, when, f"{path}.when", compiling)
        return Release(word, after)
    check = compile_conditions(when, PRESENCE_NAMES, f"{path}.when", compiling)
    return Release(None, after, check, document.plain(when))


def _word(node: Node, on: tuple[str, ...], path: str, compiling: Compiling) -> Leaving:
    value = node.value if isinstance(node, document.Scalar) else None
    words = [str(word) for word in Leaving]
    if not isinstance(value, str) or value not in words:
        hint = nearest(value, words) if isinstance(value, str) else ""
        told = f"'{path}' is one of {', '.join(words)}, or conditions on who is present{hint}"
        compiling.report.error(node.mark, told)
        return Leaving.NEVER
    word = Leaving(value)
    if word in _NEEDS:
        without = [name for name in on if name not in CARRIED_BY[_NEEDS[word]]]
        if without:
            told = f"{quoted(without[0])} has no {_NEEDS[word]} that could go"
            compiling.report.error(node.mark, f"'{path}: {word}': {told}")
    return word


def _warn_of_what_is_over(
    word: Leaving, on: tuple[str, ...], node: Node, path: str, compiling: Compiling
) -> None:
    """Warn of an agent that is sent away as soon as it is sent: what it waits for has happened."""
    over = [name for name in on if name in _ENDING.get(word, ())]
    if over:
        told = f"the {_NEEDS[word]} of {quoted(over[0])} has gone: the agent is sent away at once"
        compiling.report.warning(node.mark, f"'{path}: {word}': {told}")
