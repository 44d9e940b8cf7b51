"""Registered agents, and the participants they send.

A dispatch is taken at once or refused at once: nobody waits for an agent that has no worker free.
The agent's participant starts the meeting's session if none is going on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.sandbox.names import new_id
from service.sandbox.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.sandbox.videosdk.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Job:
    """One dispatch an agent took, as it reads it."""

    meeting: str
    participant: str
    """The id it joins with."""
    metadata: Mapping[str, Any] | None
    """None: there was none."""
    version: str | None


@dataclass(slots=True, eq=False)
class Agent:
    """One registered agent, and how well it behaves."""

    id: str
    join_delay: float = 0.05
    """Seconds from the dispatch to its join."""
    joins: bool = True
    """False: it takes dispatches and never comes."""
    leave_after: float | None = None
    """Seconds after which it has finished and leaves."""
    most: int | None = None
    """In how many meetings it can be at once; None: in any number."""
    participant: str = "agent-{job}"
    """The id of its participants; `{job}` is another each time."""
    name: str = "Agent"
    """The name of its participants."""
    jobs: list[Job] = field(default_factory=list)
    """Every dispatch it took."""
    coming: list[Job] = field(default_factory=list)
    """Those whose participant is on its way."""


class Agents:
    """Finds who takes a dispatch, and plays it."""

    def __init__(self, sessions: Sessions) -> None:
        self.registered: list[Agent] = []
        self._sessions = sessions
        self._timers = Timers()

    def take(
        self, agent_id: str, meeting: str, metadata: Mapping[str, Any] | None, version: str | None
    ) -> bool:
        """Have an agent take a dispatch; False: no worker is available."""
        able = (each for each in self.registered if each.id == agent_id and self._is_free(each))
        agent = next(able, None)
        if agent is None:
            return False
        job = Job(meeting, agent.participant.format(job=new_id("")), metadata, version)
        agent.jobs.append(job)
        agent.coming.append(job)
        if agent.joins:
            self._timers.later(agent.join_delay, lambda: self._join(agent, job))
        return True

    def stop(self) -> None:
        """Nobody comes or goes any more."""
        self._timers.cancel()

    def _is_free(self, agent: Agent) -> bool:
        if agent.most is None:
            return True
        there = [j for j in agent.jobs if self._sessions.is_present(j.meeting, j.participant)]
        return len(there) + len(agent.coming) < agent.most

    def _join(self, agent: Agent, job: Job) -> None:
        agent.coming.remove(job)
        self._sessions.join(job.meeting, job.participant, agent.name)
        if agent.leave_after is not None:
            self._timers.later(agent.leave_after, lambda: self._leave(job))

    def _leave(self, job: Job) -> None:
        if self._sessions.is_present(job.meeting, job.participant):
            self._sessions.leave(job.meeting, job.participant)
