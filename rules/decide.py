"""What every rule says of an event. Pure: the same arguments give the same decisions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from rules.decision import Again, Decision, Outcome, Reason, scope_of
from rules.delay import unmet
from rules.dispatch import DispatchError
from rules.event import VIDEOSDK, EventName
from rules.known import EVERY_RULE, NOTHING, Known
from rules.loop_guard import GUARDED_KINDS
from rules.problems import quoted
from rules.scope import Facts, presence_context, template_context
from rules.template_values import Fields
from rules.templates import RenderingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rules.decision import Claim, Share
    from rules.event import Event
    from rules.ladder import Ladder
    from rules.limit import Limit
    from rules.rule import Rule
    from rules.ruleset import Ruleset
    from rules.session import Session


def decide(
    ruleset: Ruleset,
    event: Event,
    session: Session,
    known: Known = NOTHING,
    *,
    every_rule: bool = True,
) -> tuple[Decision, ...]:
    """Decide an event.

    Args:
        ruleset: the rules in force.
        event: filled in from its session by `rules.session.observe`.
        session: what is known of the room after the event.
        known: which dispatches there are.
        every_rule: with False, rules that cannot concern the event are left out: their `on` does
            not name it, or their `when` names other rooms.

    Returns:
        One decision a rule, in file order.
    """
    rules = ruleset.rules if every_rule else ruleset.index.concerned(event.name, event.room_name)
    deciding = _Deciding(event, session, known, Fields(ruleset.tables, "tables"))
    return tuple([deciding.rule(rule) for rule in rules])


_LOOP: Final[Mapping[str, str]] = {
    kind: f"events of {kind} participants reach only rules whose 'when' names that kind for"
    " participant.kind"
    for kind in GUARDED_KINDS
} | {"": "what kind of participant it is about is not known: it may be an agent"}


_WHO_IS_AN_AGENT: Final = (
    "VideoSDK does not tell who is an agent, nor does this rule: see 'agents_are'"
)


class _Deciding:
    """One event being decided; what rules share is worked out once."""

    def __init__(self, event: Event, session: Session, known: Known, tables: Fields) -> None:
        self._event = event
        self._tables = tables
        self._known = known
        self._session = session
        self._facts = Facts(event, session)
        self._guarded = _guarded_kind(event)
        self._refusal = _refusal(event, session)
        self._context: Mapping[str, Any] | None = None
        self._sent: dict[str, str] = {}
        """Groups of which a rule dispatches on this event, and that rule."""

    def rule(self, rule: Rule) -> Decision:
        stopped = self._not_concerned(rule) or self._not_matched(rule)
        if stopped is not None:
            return stopped
        claims = rule.claims(self._event)
        if not claims:
            detail = f"'once: {rule.once}' needs what this event does not carry"
            return _skip(rule, Reason.CONDITION, "once", detail)
        taken = self._taken(rule, claims[0][0])
        if taken is not None:
            return taken
        free = [(claim, ladder) for claim, ladder in claims if self._is_free(rule, claim)]
        unheld = [(claim, ladder) for claim, ladder in free if not self._is_held(rule, claim)]
        if not unheld:
            return _held(rule) if free else self._already(rule, claims)
        try:
            decision = self._paused(rule) or self._planned(rule, unheld)
        except DispatchError as error:
            return Decision(rule.id, Outcome.ERROR, error.reason, error.at, error.detail)
        if rule.group is not None and decision.outcome is Outcome.DISPATCH:
            self._sent[rule.group] = rule.id
        return decision

    def _not_concerned(self, rule: Rule) -> Decision | None:
        if not rule.enabled:
            return _skip(rule, Reason.DISABLED)
        if self._event.name not in rule.on:
            return _skip(rule, Reason.EVENT_TYPE)
        if self._event.source == VIDEOSDK and not rule.agents_are:
            return _skip(rule, Reason.LOOP_GUARD, "agents_are", _WHO_IS_AN_AGENT)
        if self._guarded is not None and self._guarded not in rule.named_kinds:
            return _skip(rule, Reason.LOOP_GUARD, None, _LOOP[self._guarded])
        return None

    def _not_matched(self, rule: Rule) -> Decision | None:
        refusal = unmet(rule, self._facts)
        if refusal is not None:
            return _skip(rule, *refusal)
        if rule.schedule is not None:
            outside = rule.schedule.refusal(self._event.at)
            if outside is not None:
                return _skip(rule, Reason.SCHEDULE, "schedule", outside)
        if self._refusal is not None:
            reason, detail = self._refusal
            return _skip(rule, reason, None, detail)
        return None

    def _taken(self, rule: Rule, claim: Claim) -> Decision | None:
        """Whether another rule of its group has what it would take."""
        if rule.group is None:
            return None
        if rule.group in self._sent:
            detail = f"'{self._sent[rule.group]}' of the group '{rule.group}' is dispatched"
            return _skip(rule, Reason.GROUP, None, detail)
        holders = self._holders.get(claim.scope, set()) - {rule.id}
        if not holders:
            return None
        detail = f"an agent of '{min(holders)}' of the group '{rule.group}' is live"
        return _skip(rule, Reason.ALREADY_DISPATCHED, None, detail)

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], set[str]]:
        """The rules that hold live claims, by whose those are and what for."""
        holders: dict[tuple[str, str], set[str]] = {}
        for key, holder in self._known.live.items():
            holders.setdefault(scope_of(key), set()).add(holder)
        return holders

    def _is_free(self, rule: Rule, claim: Claim) -> bool:
        if claim.key in self._known.live:
            return False
        return rule.again is Again.WHEN_GONE or claim.key not in self._known.accepted

    def _is_held(self, rule: Rule, claim: Claim) -> bool:
        return (rule.id, claim.key) in self._known.held

    def _already(self, rule: Rule, claims: Sequence[tuple[Claim, Ladder]]) -> Decision:
        (claim, _), *others = claims
        whose = f"for {rule.once} {quoted(claim.subject)}"
        if any(claim.key in self._known.live for claim, _ in claims):
            detail = f"its agents {whose} are live" if others else f"its agent {whose} is live"
        else:
            detail = f"it has been sent {whose}, and 'again: never' sends no other"
        return _skip(rule, Reason.ALREADY_DISPATCHED, None, detail)

    def _paused(self, rule: Rule) -> Decision | None:
        if EVERY_RULE in self._known.paused:
            return _skip(rule, Reason.PAUSED, None, "all rules are paused")
        if rule.id in self._known.paused:
            return _skip(rule, Reason.PAUSED, None, "the rule is paused")
        return None

    def _planned(self, rule: Rule, free: Sequence[tuple[Claim, Ladder]]) -> Decision:
        """What follows from a match.

        Raises:
            DispatchError: something cannot be rendered, or would not be taken.
        """
        share = self._share(rule)
        if share is not None:
            live = self._known.active(rule.id, share.per)
            if live + len(free) > share.active:
                per = f" for {quoted(share.per)}" if share.per else ""
                more = f", and {len(free)} would be sent" if len(free) > 1 else ""
                detail = f"{live} of its agents are live{per}{more}, and {share.active} may be"
                return _skip(rule, Reason.LIMIT, "limit.active", detail)
        plans = tuple(
            ladder.plan(claim, rule, self._event, self._context_of(rule, ladder), share)
            for claim, ladder in free
        )
        absent = tuple(plan for plan in plans if plan.agent not in self._known.present)
        if not absent:
            detail = f"an agent {quoted(plans[0].agent)} is in the room already, or on its way"
            return _skip(rule, Reason.AGENT_PRESENT, None, detail)
        for plan in absent:
            for rung in (plan, *plan.fallback):
                if rung.provider not in self._known.providers:
                    detail = f"{rung.provider} is not configured here"
                    raise DispatchError(Reason.UNSUPPORTED, "dispatch.provider", detail)
        outcome = Outcome.SHADOW if rule.shadow else Outcome.DISPATCH
        return Decision(rule.id, outcome, Reason.MATCHED, plans=absent)

    def _share(self, rule: Rule) -> Share | None:
        if rule.limit is None:
            return None
        try:
            return rule.limit.share(self._context_of(rule, rule.limit))
        except RenderingError as error:
            raise DispatchError(Reason.TEMPLATE_ERROR, "limit.per", str(error)) from error

    def _context_of(self, rule: Rule, part: Ladder | Limit) -> Mapping[str, Any]:
        if self._context is None:
            self._context = template_context(self._event)
        context = {**self._context, "rule": rule.id, "tables": self._tables}
        if part.reads_presence:
            context |= presence_context(self._session)
        return context


def _skip(rule: Rule, reason: Reason, at: str | None = None, detail: str | None = None) -> Decision:
    return Decision(rule.id, Outcome.SKIP, reason, at, detail)


def _held(rule: Rule) -> Decision:
    detail = "its agent was sent away by hand; none is sent again before the room has ended"
    return _skip(rule, Reason.HELD, None, detail)


def _guarded_kind(event: Event) -> str | None:
    """The kind that calls for the loop guard; `""` if nobody knows what the participant is."""
    if event.participant is None:
        return None
    kind = str(event.participant.get("kind", ""))
    return kind if kind in _LOOP else None


def _refusal(event: Event, session: Session) -> tuple[Reason, str] | None:
    if session.ended or event.name == EventName.ROOM_FINISHED:
        return Reason.ROOM_ENDED, "the room has finished"
    sid = (event.participant or {}).get("sid")
    if event.name == EventName.PARTICIPANT_JOINED and sid in session.gone:
        return Reason.PARTICIPANT_GONE, "the participant has left since"
    return None
