"""A dispatch of a rule with what follows it: the agents to ask for in turn, and when to release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decision import Plan
from rules.release import NEVER, Release

if TYPE_CHECKING:
    from rules.decision import Claim, Share
    from rules.dispatch import Dispatch
    from rules.event import Event
    from rules.notify import Notify
    from rules.rule import Rule
    from rules.templates import Context


@dataclass(frozen=True, slots=True)
class Ladder:
    """The first dispatch and its fallbacks, compiled."""

    first: Dispatch
    fallback: tuple[Dispatch, ...] = ()
    notify: Notify | None = None
    """What is told where none of them comes."""
    release: Release = NEVER
    position: str = ""
    """Which of its rule's dispatches it is, in their claims: its id, or else its index."""
    reads_presence: bool = False
    """Whether its templates read who is in the room."""

    def plan(
        self, claim: Claim, rule: Rule, event: Event, context: Context, share: Share | None
    ) -> Plan:
        """Render every rung.

        Raises:
            DispatchError: something is absent in one, or the provider would not take it.
        """
        first = self.first.render(rule.id, event, context)
        return Plan(
            agent=first.agent,
            deployment=first.deployment,
            metadata=first.metadata,
            attributes=first.attributes,
            restart_policy=first.restart_policy,
            provider=first.provider,
            version=first.version,
            room=first.room,
            agents_are=rule.agents_are,
            join_within=first.join_within,
            claim=claim,
            rule=rule.id,
            after=rule.after,
            remembered=rule.remembered,
            share=share,
            fallback=tuple(rung.render(rule.id, event, context) for rung in self.fallback),
            notice=self.notify.render(context) if self.notify is not None else None,
            release=self.release,
        )
