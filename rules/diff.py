"""What other rules would have made of the same events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.decision import Outcome, Provider, RestartPolicy
from rules.release import NEVER
from rules.replay import Replay, Sent
from rules.rule_test_run import readable, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from rules.decision import Decision, Plan, Refusal, Rung
    from rules.event import Event
    from rules.ruleset import Ruleset

_Key = tuple[int, str, str]


class Change(StrEnum):
    """How a dispatch differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One dispatch that would have been otherwise."""

    change: Change
    rule: str
    event: Event
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    because: str | None = None
    """Where one of the rulesets sends nothing: what that rule came to there."""


def diff(old: Ruleset, new: Ruleset, events: Iterable[Event]) -> list[Difference]:
    """Play events through two rulesets.

    Returns:
        The dispatches that differ, in the order of their events: by the event that called them, the
        rule, and the position in a list of dispatches.
    """
    before, after = _Played(old), _Played(new)
    for event in events:
        sending = before.play(event) | after.play(event)
        before.keep(sending)
        after.keep(sending)
    before.run_out()
    after.run_out()
    keys = dict.fromkeys((*before.sent, *after.sent))
    differences = (_difference(key, before, after) for key in sorted(keys))
    return [each for each in differences if each is not None]


class _Played:
    def __init__(self, ruleset: Ruleset) -> None:
        self._replay = Replay(ruleset)
        self._last: tuple[Decision, ...] = ()
        self._decisions: list[dict[str, Decision]] = []
        self.sent: dict[_Key, Sent] = {}
        self._waited: dict[tuple[int, str], Refusal] = {}

    def play(self, event: Event) -> set[str]:
        """Play an event, and tell which rules sent an agent."""
        self._last = self._replay.play(event).decisions
        return {decision.rule for decision in self._last if decision.plans}

    def keep(self, rules: set[str]) -> None:
        """Keep what these rules came to on the last event: nobody will ask of the others."""
        kept = {decision.rule: decision for decision in self._last if decision.rule in rules}
        self._decisions.append(kept)

    def run_out(self) -> None:
        """Let the clock run, and gather what was sent."""
        self._replay.run_out()
        for each in self._replay.sent:
            if each.was_sent:
                self.sent[each.number, each.plan.rule, each.plan.claim.position] = each
            elif each.refusal is not None:
                self._waited[each.number, each.plan.rule] = each.refusal

    def why_not(self, number: int, rule: str) -> str:
        """What a rule came to on an event after which it sent nothing."""
        refusal = self._waited.get((number, rule))
        if refusal is not None:
            parts = (refusal.reason.value, refusal.at, refusal.detail)
        elif (decision := self._decisions[number].get(rule)) is not None:
            shadow = "it is a shadow" if decision.outcome is Outcome.SHADOW else None
            parts = (shadow or decision.reason.value, decision.at, decision.detail)
        else:
            return "there is no such rule"
        return ": ".join(part for part in parts if part)


def _difference(key: _Key, before: _Played, after: _Played) -> Difference | None:
    number, rule, _ = key
    old, new = before.sent.get(key), after.sent.get(key)
    if old is None and new is not None:
        because = before.why_not(number, rule)
        return Difference(Change.ADDED, rule, new.event, None, _told(new), because)
    if new is None and old is not None:
        because = after.why_not(number, rule)
        return Difference(Change.REMOVED, rule, old.event, _told(old), None, because)
    if old is None or new is None or _told(old) == _told(new):
        return None
    return Difference(Change.CHANGED, rule, old.event, _told(old), _told(new))


def _told(sent: Sent) -> dict[str, Any]:
    plan = sent.plan
    more = {
        **_asked(plan),
        "after": plan.after,
        "fallback": [{"agent": rung.agent, **_asked(rung)} for rung in plan.fallback],
        "notify": _notice(plan),
        "release": [plan.release.when or plan.release.asked, plan.release.after],
    }
    if plan.release == NEVER:
        del more["release"]
    return {k: v for k, v in more.items() if v} | told(sent)


def _notice(plan: Plan) -> dict[str, Any]:
    notice = plan.notice
    told = {} if notice is None else {"message": notice.message, "data": readable(notice.data)}
    return {key: value for key, value in told.items() if value}


def _asked(rung: Rung) -> dict[str, Any]:
    """What an agent is asked for with; what is usual is left out."""
    every = {
        "deployment": rung.deployment,
        "metadata": rung.metadata,
        "attributes": dict(rung.attributes),
        "restart_policy": _unless(rung.restart_policy, RestartPolicy.ON_FAILURE),
        "provider": _unless(rung.provider, Provider.LIVEKIT),
        "version": rung.version,
        "room": rung.room,
        "join_within": rung.join_within,
    }
    return {key: value for key, value in every.items() if value}


def _unless(word: StrEnum, usual: StrEnum) -> str:
    return "" if word is usual else word.value
