"""What the API answers: each answer is built through its model, and described by it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from rules.decision import Outcome, Reason, RestartPolicy
from workers.states import State

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 UTC with milliseconds."""


class Answer(BaseModel):
    """An answer, or a part of one; what a newer part of the service tells beside it is left out."""

    model_config = ConfigDict(extra="ignore")


class Accepted(Answer):
    """It is stored; a worker carries it out."""

    status: Literal["accepted"] = "accepted"


class Dispatch(Answer):
    """One intent to have one agent in one session of a room, and what became of it."""

    id: str = Field(description="Ours; LiveKit's own is `dispatch_id`.")
    provider: str
    room: str
    room_sid: str | None = Field(description="null: ordered, and no worker has seen the room yet.")
    rule: str | None = Field(description="null: by hand.")
    subject: str
    agent: str
    deployment: str = Field(description='"" is production.')
    metadata: str
    attributes: dict[str, str]
    restart_policy: RestartPolicy
    state: State
    reason: str | None = Field(description="Begins with a word that stays the same.")
    dispatch_id: str | None
    agent_identity: str | None
    attempt: int
    event_id: str
    rules_hash: str | None = Field(description="Of the rules that decided it.")
    created_at: Time
    accepted_at: Time | None
    joined_at: Time | None
    ended_at: Time | None


class Move(Answer):
    """A dispatch came to a state, or heard a reason in the state it had."""

    at: Time
    state: State
    reason: str | None


class Latency(Answer):
    """What each part took, in ms; null where it has not come to that."""

    decided_ms: int | None = Field(description="From the webhook's arrival to the decision.")
    accepted_ms: int | None = Field(description="From then to LiveKit's acceptance.")
    joined_ms: int | None = Field(description="From then to the agent's join.")


class OneDispatch(Dispatch):
    """A dispatch with its history."""

    timeline: list[Move]
    latency: Latency
    rung: int = Field(description="0, or which of its rule's fallbacks it is.")
    follows: str | None = Field(description="Id of the dispatch it took over from.")
    followed_by: str | None = Field(description="Id of the dispatch that took over from it.")
    untold: list[str] = Field(
        description="What DISPATCHER_NOTIFY_URL was not told yet, such as dispatch.failed."
    )


class Dispatches(Answer):
    """A page of dispatches, newest first."""

    dispatches: list[Dispatch]
    next: str | None = Field(description="Cursor of the page behind it; null: that is all.")


class Decided(Answer):
    """What one rule said of an event."""

    rule: str
    outcome: Outcome
    reason: Reason
    at: str | None = Field(description="Path of the first condition that failed.")
    detail: str | None = Field(description="In words.")
    dispatches: list[str] = Field(description="Ids of what was dispatched.")


class Event(Answer):
    """An event that some rule was about."""

    id: str
    event: str
    room: str
    room_sid: str
    at: Time = Field(description="When it happened.")
    decided_at: Time
    rules_hash: str
    decisions: list[Decided]
    body: dict[str, Any] = Field(description="As the rules saw it, but for what is redacted.")
    redacted: list[str] = Field(
        default_factory=list, description="Paths whose values are not kept; [] if all of it is."
    )


class Events(Answer):
    """A page of events, newest first."""

    events: list[Event]
    next: str | None


class Replayed(Accepted):
    """The event is to be decided again."""

    id: str = Field(description="Id of the new event.")


class Human(Answer):
    """Somebody in a room."""

    identity: str
    name: str
    kind: str
    joined_at: Time | None


class PresentAgent(Answer):
    """An agent in a room."""

    identity: str
    agent: str = Field(description='The name it is dispatched by; "" if it does not tell.')
    deployment: str | None = Field(description="null: not known, as of those we did not send.")
    dispatch: str | None = Field(description="Id of our dispatch that sent it.")
    ours: bool
    joined_at: Time | None


class Room(Answer):
    """A room with a session that is live, as far as is known."""

    name: str
    sid: str
    server: str = Field(description="URL of its LiveKit server.")
    created_at: Time | None
    human_count: int
    humans: list[Human] = Field(description="The first hundred.")
    agents: list[PresentAgent]
    dispatches: list[Dispatch] = Field(description="Those that are live.")


class Rooms(Answer):
    """A page of rooms, those in which something happened last first."""

    rooms: list[Room]
    next: str | None


class OneRoom(Answer):
    """A room by its name, on each server that has it."""

    rooms: list[Room]
    events: list[Event] = Field(description="Its last.")


class Rule(Answer):
    """A rule in force."""

    id: str
    description: str
    file: str
    line: int
    on: list[str]
    enabled: bool
    shadow: bool
    paused: bool
    group: str | None
    agents: list[str] = Field(description="Names of agents, as written.")
    hits: int = Field(description="How often it matched, shadow matches too.")
    last_match: Time | None
    source: str = Field(description="Its text.")


class Rules(Answer):
    """The rules in force here."""

    rules: list[Rule]
    hash: str | None
    errors: list[str] = Field(description="Of files that do not load now.")


class Act(Answer):
    """Something that somebody did by hand."""

    at: Time
    who: str = Field(description="The admin token, a session, or a user of the command line.")
    sender: str = Field(description="The address it came from, or the name of the machine.")
    what: str = Field(description="Such as `pause`.")
    target: dict[str, str] = Field(description="What it was done to.")
    result: str


class Acts(Answer):
    """The last manual acts, newest first."""

    audit: list[Act]


class RoomAgentDispatch(Answer):
    """An agent as a join token's room configuration carries it."""

    agentName: str  # noqa: N815 - LiveKit's
    metadata: str
    deployment: str
    attributes: dict[str, str]
    restartPolicy: Literal["JRP_ON_FAILURE", "JRP_NEVER"]  # noqa: N815


class PlannedDispatch(Answer):
    """An agent that would be asked for."""

    provider: str
    agent: str
    deployment: str
    metadata: str
    attributes: dict[str, str]
    restart_policy: RestartPolicy


class WouldDecide(Answer):
    """What one rule would do."""

    rule: str
    outcome: Outcome
    reason: Reason
    at: str | None
    dispatches: list[PlannedDispatch]


class Decision(Answer):
    """What would be dispatched now. Nothing is."""

    agents: list[RoomAgentDispatch] = Field(
        description="Those that would be sent at once, as the token carries them."
    )
    decisions: list[WouldDecide]
    token: str | None = Field(description="null: none was asked for.")


class Stored(Answer):
    """A webhook is stored, was stored before, or is of no use to any rule."""

    status: Literal["accepted", "duplicate", "ignored"]


class Alive(Answer):
    """The process is alive."""

    status: Literal["ok"]


class Ready(Answer):
    """Whether it can do its work, and how safely: each part says what is wrong with it."""

    status: Literal["ok", "warning", "failed"]
    checks: dict[str, dict[str, Any]]


class Exposition(RootModel[str]):
    """Metrics in Prometheus' text format."""


class ProblemDocument(Answer):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
