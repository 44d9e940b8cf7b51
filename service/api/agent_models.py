"""What the API answers about agents."""

from __future__ import annotations

from pydantic import Field

from service.api.models import Answer, Time
from workers.agent_status import Status  # noqa: TC001 - pydantic reads it


class JobTaker(Answer):
    """What became of the jobs that one of LiveKit's workers took lately."""

    worker_id: str
    took: int
    joined: int
    dropped: int = Field(description="It took them, and no agent joined.")
    last: Time


class AskedWorker(Answer):
    """What a worker of livekit-agents told when it was asked last."""

    url: str
    deployment: str = Field(description='As its address is given; "" is production.')
    up: bool
    since: Time = Field(description="When it began to answer, or not to.")
    asked_at: Time
    load: float | None
    jobs: int
    sdk_version: str
    error: str | None


class Agent(Answer):
    """An agent of a deployment, and how it stands."""

    agent: str
    deployment: str | None = Field(
        description='"" is production; null: not known, as of agents that nobody here has sent,'
        " or that were never sent and whose rule has a template."
    )
    status: Status
    sessions: int = Field(description="Calls it is in now.")
    waiting: int = Field(description="Dispatches that wait for it now.")
    peak: int = Field(description="The most sessions at a time today, UTC.")
    today: int = Field(description="Sessions that began today, UTC.")
    success_rate: float | None = Field(description="Share of its last dispatches that got it.")
    join_p50_ms: int | None = Field(description="From LiveKit's acceptance to its join.")
    join_p95_ms: int | None
    load: float | None = Field(description="The highest of its workers', from 0 to 1.")
    last_seen: Time | None
    rules: list[str] = Field(description="Ids of the rules that name it, or have sent it.")
    strangers: int = Field(description="Of its sessions, those that nobody here has sent.")
    workers: list[JobTaker]
    asked: list[AskedWorker]
    warnings: list[str]
    sources: dict[str, str] = Field(description="Where each fact is from.")


class Agents(Answer):
    """The agents that are deployed, as far as can be told; those that are failing first."""

    agents: list[Agent]
    unanswered: list[AskedWorker] = Field(
        description="Addresses where no worker has answered yet: whose they are is not known."
    )
