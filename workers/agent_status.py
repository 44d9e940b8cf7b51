"""How an agent of a deployment stands, judged from all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.agent_workers import AskedWorker
    from workers.outcomes import Outcome

RECENT_SECONDS: Final = 600.0
"""How long one dispatch that got no agent counts against its agent."""
ENOUGH: Final = 3
"""Recent outcomes from which on half of them is too many."""
ROW_SECONDS: Final = 86400.0
"""How long several in a row count against it, if nothing tells since that there is a worker."""
IN_A_ROW: Final = 2
JUDGED_SECONDS: Final = 3600.0
JUDGED: Final = 10
"""A worker of LiveKit's is judged by its last jobs, this many, of an hour."""


class Status(StrEnum):
    """How an agent of a deployment stands; the first of these that is so."""

    FAILING = "failing"
    """Dispatches get no agent, or none of its workers answers and it is in no call."""
    ACTIVE = "active"
    """It is in calls."""
    PENDING = "pending"
    """It is dispatched and has not come yet."""
    IDLE = "idle"
    """A worker of it answers, or it has come before, and it is in no call."""
    UNKNOWN = "unknown"
    """A rule names it, and it was never seen."""


@dataclass(slots=True)
class Facts:
    """All that is known of one agent of one deployment."""

    rules: set[str] = field(default_factory=set)
    ours: int = 0
    """Calls it is in by a dispatch from here."""
    waiting: int = 0
    strangers: int = 0
    doubles: int = 0
    peak: int = 0
    today: int = 0
    outcomes: Sequence[Outcome] = ()
    """Newest first."""
    asked: list[AskedWorker] = field(default_factory=list)

    @property
    def sessions(self) -> int:
        """Calls it is in."""
        return self.ours + self.strangers

    @property
    def up(self) -> list[AskedWorker]:
        """Its workers that answer."""
        return [worker for worker in self.asked if worker.is_up]


@dataclass(frozen=True, slots=True)
class Taker:
    """What became of the jobs that one of LiveKit's workers took."""

    worker_id: str
    jobs: Sequence[Outcome]
    """Newest first."""

    @property
    def joined(self) -> int:
        """Jobs whose agent has joined."""
        return len(self.jobs) - self.dropped

    @property
    def dropped(self) -> int:
        """Jobs that it took, and no agent joined."""
        return _without(self.jobs)

    def warning(self, now: float) -> str | None:
        """What somebody should know of its last jobs."""
        lately = [job for job in self.jobs if now - job.at < JUDGED_SECONDS][:JUDGED]
        dropped = _without(lately)
        if dropped < ENOUGH or 2 * dropped < len(lately):
            return None
        return f"worker {self.worker_id} dropped {dropped} of the last {len(lately)} jobs it took"


def status(facts: Facts, now: float) -> Status:
    """How it stands at a time, Unix seconds."""
    if _is_failing(facts, now) or (facts.asked and not facts.up and not facts.sessions):
        return Status.FAILING
    if facts.sessions:
        return Status.ACTIVE
    if facts.waiting:
        return Status.PENDING
    has_come = any(outcome.join_ms is not None for outcome in facts.outcomes)
    return Status.IDLE if facts.up or has_come else Status.UNKNOWN


def takers_of(outcomes: Sequence[Outcome]) -> list[Taker]:
    """LiveKit's workers that took jobs, those that drop most first."""
    by_worker: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.worker_id:
            by_worker.setdefault(outcome.worker_id, []).append(outcome)
    found = [Taker(worker, jobs) for worker, jobs in by_worker.items()]
    return sorted(found, key=lambda each: (-each.dropped, -len(each.jobs), each.worker_id))


def warnings(agent: str, facts: Facts, takers: Iterable[Taker], now: float) -> list[str]:
    """What somebody should look at, in words."""
    told = [
        f"the worker at {worker.url} does not answer: {worker.error}"
        for worker in facts.asked
        if not worker.is_up
    ]
    told += [said for taker in takers if (said := taker.warning(now))]
    if facts.doubles:
        rooms = f"{facts.doubles} room{'s' * (facts.doubles != 1)}"
        told.append(
            f"in {rooms} an agent that was not sent from here stands beside one that was: give"
            " the agent an agent_name and no automatic dispatch, and look at tokens' roomConfig"
        )
    elif facts.strangers and not agent:
        told.append("agents without a name join every room by themselves")
    return told


def _is_failing(facts: Facts, now: float) -> bool:
    outcomes = facts.outcomes
    in_a_row = list(takewhile(lambda outcome: outcome.join_ms is None, outcomes))
    if in_a_row and now - in_a_row[0].at < RECENT_SECONDS:
        return True
    if len(in_a_row) >= IN_A_ROW and now - in_a_row[0].at < ROW_SECONDS and not facts.up:
        return True
    recent = [outcome for outcome in outcomes if now - outcome.at < RECENT_SECONDS]
    return len(recent) >= ENOUGH and 2 * _without(recent) >= len(recent)


def _without(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.join_ms is None for outcome in outcomes)
