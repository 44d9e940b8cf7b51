"""What a rule says of one event, and the dispatches that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(StrEnum):
    """What became of a rule on an event."""

    DISPATCH = "dispatch"
    SHADOW = "shadow"
    """It would be dispatched, were the rule not a shadow."""
    SKIP = "skip"
    ERROR = "error"


class Reason(StrEnum):
    """Why. A dispatch is always `matched`, and so is a shadow's; every other reason stopped the
    rule.
    """

    MATCHED = "matched"
    DISABLED = "disabled"
    EVENT_TYPE = "event_type"
    LOOP_GUARD = "loop_guard"
    CONDITION = "condition"
    UNLESS = "unless"
    SCHEDULE = "schedule"
    ALREADY_DISPATCHED = "already_dispatched"
    ROOM_ENDED = "room_ended"
    PARTICIPANT_GONE = "participant_gone"
    TEMPLATE_ERROR = "template_error"
    INVALID_AGENT = "invalid_agent"
    INVALID_DEPLOYMENT = "invalid_deployment"
    METADATA_TOO_LARGE = "metadata_too_large"


class Once(StrEnum):
    """What a rule dispatches at most one live agent for."""

    ROOM = "room"
    PARTICIPANT = "participant"
    EVENT = "event"


class RestartPolicy(StrEnum):
    """Who sends an agent again after it failed; `always` also after it ended by itself."""

    ON_FAILURE = "on_failure"
    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to one live dispatch. Two plans with equal claims never live at once.

    It is scoped to one session of a room (server and room sid) by whoever keeps it.
    """

    owner: str
    """The rule's id."""
    position: str
    """Which of the rule's dispatches: its id, or else its index, as text."""
    once: Once
    subject: str
    """The room's name, the participant's identity, or the event's id, as `once` says."""

    @property
    def key(self) -> str:
        """The claim as one string, unique within a session."""
        return f"{self.owner}\x1f{self.position}\x1f{self.once}\x1f{self.subject}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent to be sent: everything rendered, nothing left to decide."""

    claim: Claim
    agent: str
    deployment: str
    """`""` is production."""
    metadata: str
    """As the agent will read it; a mapping in the rule has become JSON. `""` if there is none."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule's outcome on one event."""

    rule: str
    outcome: Outcome
    reason: Reason
    at: str | None = None
    """Path of the first condition that failed, such as `when.room.metadata.lang`."""
    detail: str | None = None
    """In words: what was expected there and what there was, or what an error said."""
    plans: tuple[Plan, ...] = ()
