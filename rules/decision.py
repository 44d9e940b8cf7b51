"""What a rule says of one event, and the dispatches that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rules.agents_are import NOBODY
from rules.release import NEVER, Release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.agents_are import AgentsAre


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
    EXPRESSION = "expression"
    SCHEDULE = "schedule"
    GROUP = "group"
    LIMIT = "limit"
    ALREADY_DISPATCHED = "already_dispatched"
    HELD = "held"
    PAUSED = "paused"
    AGENT_PRESENT = "agent_present"
    ROOM_ENDED = "room_ended"
    PARTICIPANT_GONE = "participant_gone"
    UNSUPPORTED = "unsupported"
    TEMPLATE_ERROR = "template_error"
    INVALID_AGENT = "invalid_agent"
    INVALID_DEPLOYMENT = "invalid_deployment"
    METADATA_TOO_LARGE = "metadata_too_large"


class Once(StrEnum):
    """What a rule dispatches at most one live agent for."""

    ROOM = "room"
    PARTICIPANT = "participant"
    EVENT = "event"


class Again(StrEnum):
    """When a later match may send an agent for the same claim."""

    WHEN_GONE = "when_gone"
    NEVER = "never"


class Provider(StrEnum):
    """Whose dispatch API is called."""

    LIVEKIT = "livekit"
    VIDEOSDK = "videosdk"


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
    """The rule's id; `group:` and the group's name where the rule is of a group."""
    position: str
    """Which of the rule's dispatches: its id, or else its index, as text."""
    once: Once
    subject: str
    """The room's name, the participant's identity, or the event's id, as `once` says."""

    @property
    def key(self) -> str:
        """The claim as one string, unique within a session."""
        return f"{self.owner}\x1f{self.position}\x1f{self.once}\x1f{self.subject}"

    @property
    def scope(self) -> tuple[str, str]:
        """Whose it is and what for, whatever the position: as `scope_of` its key."""
        return scope_of(self.key)


def read_claim(key: str) -> Claim:
    """The claim of a key that `Claim.key` gave."""
    owner, position, once, subject = key.split("\x1f", 3)
    return Claim(owner, position, Once(once), subject)


def subject_of(key: str) -> str:
    """The subject that a claim's key tells."""
    return key.split("\x1f", 3)[-1]


def scope_of(key: str) -> tuple[str, str]:
    """The owner and the subject that a claim's key tells."""
    owner, _, rest = key.partition("\x1f")
    return owner, rest.partition("\x1f")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One agent to ask for: everything rendered, nothing left to decide."""

    agent: str
    deployment: str = ""
    """`""` is production."""
    metadata: str = ""
    """As the agent will read it; a mapping in the rule has become JSON. `""` if there is none."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    provider: Provider = Provider.LIVEKIT
    version: str = ""
    """VideoSDK's `versionId`; `""` leaves it to VideoSDK."""
    room: str = ""
    """Where it is sent, by the provider, if that is not where the event came from; else `""`."""
    join_within: float | None = None
    """Seconds from its acceptance in which the agent must have joined; None if it may take long."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What others are told where no agent of a ladder has come: rendered."""

    message: str = ""
    """For people; `""` if there is none."""
    data: str = ""
    """A JSON object; `""` if there is none."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a rule's `limit`: what its live dispatches are counted by, over all rooms."""

    per: str
    """As rendered; `""` where the rule counts all alike."""
    active: int
    """How many may be live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Rung):
    """One agent to be sent, and what follows if it does not come."""

    claim: Claim
    rule: str
    """The rule's id."""
    agents_are: AgentsAre = NOBODY
    """How the agent is known where its provider does not tell."""
    after: float = 0.0
    """Seconds to wait, and then to look again whether it is still wanted."""
    remembered: bool = False
    """Whether its claim is kept once it was accepted, for `again: never`."""
    share: Share | None = None
    fallback: tuple[Rung, ...] = ()
    """Asked for one after the other, each where the one before did not come."""
    notice: Notice | None = None
    """Told where none of them has come."""
    release: Release = NEVER


class Refusal(NamedTuple):
    """What stops a rule: the reason, the path in the rule, and in words."""

    reason: Reason
    at: str | None
    detail: str | None


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
