"""Workers that take jobs, and the agents that join for them.

A job is offered once, at the moment its dispatch is made, to the workers registered under exactly
that name and deployment. Nobody there, nobody willing: the dispatch stays listed without a job,
and no worker that comes later will get it.

The server asks its nodes which workers there are, which takes it 5 s, and remembers the answer for
a minute or until a worker registers. A job offered meanwhile is taken at once, but ListDispatch
does not show it, nor does DeleteDispatch end it, before those 5 s are over: an agent is often in
its room before its dispatch says so. Source: `pkg/agent/client.go` and `Room.handleNewJobs`.

DeleteDispatch tells the worker once that a job is to end. A worker of livekit-agents that hears it
before it has started the agent forgets it again (`AgentServer._handle_termination`), and that agent
comes and stays, with no dispatch to know it by. With the real server that is what mostly becomes of
a dispatch deleted within 0.1 s; here it always does.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from livekit.protocol.agent import Job, JobState, JobStatus
from livekit.protocol.models import DisconnectReason, ParticipantInfo, ParticipantPermission

from service.sandbox.names import nanoseconds, new_id
from service.sandbox.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from livekit.protocol.agent_dispatch import AgentDispatch

    from service.sandbox.rooms import OpenRoom, Rooms

JOB_LISTING_DELAY: Final = 5.0
"""Seconds the server takes to learn which workers there are."""
_REMEMBERED: Final = 60.0
"""Seconds it remembers."""
_CAPABILITIES: Final = (
    "CAP_PACKET_TRAILER",
    "CAP_COMPRESSION_DEFLATE_RAW",
)


@dataclass(slots=True, eq=False)
class Worker:
    """One registered worker of livekit-agents, and how well it behaves."""

    agent_name: str
    deployment: str = ""
    """`""` is production."""
    accept_delay: float = 0.2
    """Seconds from the offer to its answer."""
    join_delay: float = 0.05
    """Seconds from taking the job to the agent's join."""
    accepts: bool = True
    """False: it refuses every job, and the server finds nobody."""
    ends: bool = False
    """True: it declines every job for good, as `JobRequest.reject()` does: JS_SUCCESS, nobody."""
    joins: bool = True
    """False: it takes jobs and its agents never come."""
    reachable: bool = True
    """False: it does not hear that a job is to end, so DeleteDispatch removes nobody."""
    leave_after: float | None = None
    """Seconds after which its agents have finished and leave."""
    identity: str = "agent-{job}"
    """What its agents call themselves; `{job}` is the job's id."""
    id: str = field(default_factory=lambda: new_id("AW_"))
    jobs: list[Job] = field(default_factory=list)
    """Every job it took: metadata, attributes and deployment as the agent reads them."""

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "jobs"}
        return {**shown, "jobs": len(self.jobs)}


class Agents:
    """Offers jobs and plays the agents that took them."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        is_offered: Callable[[OpenRoom], bool],
        clock: Callable[[], float],
        job_listing_delay: float = JOB_LISTING_DELAY,
    ) -> None:
        self.workers: list[Worker] = []
        self._rooms = rooms
        self._is_offered = is_offered
        self._clock = clock
        self._job_listing_delay = job_listing_delay
        self._asked_at: float | None = None
        """When the server last asked which workers there are."""
        self._launching: set[str] = set()
        """Ids of dispatches whose job is not listed yet."""
        self._timers = Timers()

    def register(self, worker: Worker) -> None:
        """A worker comes; the server has to ask anew."""
        self.workers.append(worker)
        self._asked_at = None

    def offer(self, room: OpenRoom, dispatch: AgentDispatch) -> None:
        """Offer the job of a new dispatch."""
        wanted = (dispatch.agent_name, dispatch.deployment)
        able = [w for w in self.workers if w.accepts and (w.agent_name, w.deployment) == wanted]
        if able and self._is_offered(room):
            self._launching.add(dispatch.id)
            known_at = self._known_at()
            worker = random.choice(able)  # noqa: S311 - as the server does, by load
            self._timers.later(
                worker.accept_delay, lambda: self._assign(room, dispatch, worker, known_at)
            )

    def terminate(self, room: OpenRoom, dispatch: AgentDispatch) -> None:
        """The dispatch was deleted: its worker is told to end the job, once that is listed."""
        if dispatch.id in self._launching:
            return
        for job in dispatch.state.jobs:
            worker = next((w for w in self.workers if w.id == job.state.worker_id), None)
            if worker is not None and worker.reachable:
                self._leave(room, job.state.participant_identity)

    def stop(self) -> None:
        """Nobody comes or goes any more."""
        self._timers.cancel()

    def _known_at(self) -> float:
        now = _now()
        if self._asked_at is None or now - self._asked_at > _REMEMBERED:
            self._asked_at = now
        return self._asked_at + self._job_listing_delay

    def _assign(
        self, room: OpenRoom, dispatch: AgentDispatch, worker: Worker, known_at: float
    ) -> None:
        now = nanoseconds(self._clock())
        job = Job(
            id=new_id("AJ_"),
            dispatch_id=dispatch.id,
            room=room.info,
            metadata=dispatch.metadata,
            agent_name=dispatch.agent_name,
            deployment=dispatch.deployment,
            attributes=dispatch.attributes,
            state=JobState(started_at=now, updated_at=now, worker_id=worker.id),
        )
        worker.jobs.append(job)
        if worker.ends:
            job.state.status = JobStatus.JS_SUCCESS
            job.state.ended_at = now
        else:
            job.state.status = JobStatus.JS_RUNNING
            job.state.participant_identity = worker.identity.format(job=job.id)
            if worker.joins:
                self._timers.later(worker.join_delay, lambda: self._join(job, worker))
        self._timers.later(max(known_at - _now(), 0.0), lambda: self._list(room, dispatch, job))

    def _list(self, room: OpenRoom, dispatch: AgentDispatch, job: Job) -> None:
        dispatch.state.jobs.append(job)
        self._launching.discard(dispatch.id)
        if dispatch.id not in room.dispatches:
            self.terminate(room, dispatch)

    def _join(self, job: Job, worker: Worker) -> None:
        """Join by name, as the agent's token says: a room that has closed meanwhile opens anew."""
        room = self._rooms.create(job.room)
        identity = job.state.participant_identity
        name = {"lk.agent.name": worker.agent_name, "lk.agent_name": worker.agent_name}
        agent = participant(identity, kind="AGENT", attributes=name if worker.agent_name else {})
        self._rooms.join(room, agent)
        if worker.leave_after is not None:
            self._timers.later(worker.leave_after, lambda: self._leave(room, identity))

    def _leave(self, room: OpenRoom, identity: str) -> None:
        if self._rooms.open.get(room.name) is room and identity in room.participants:
            self._rooms.leave(room, identity, DisconnectReason.CLIENT_INITIATED)


def _now() -> float:
    return asyncio.get_running_loop().time()


def participant(
    identity: str,
    *,
    kind: str = "STANDARD",
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    hidden: bool = False,
) -> ParticipantInfo:
    """Somebody about to join, with the permissions the real server gives.

    Raises:
        ValueError: there is no such kind.
    """
    is_agent = kind == "AGENT"
    return ParticipantInfo(
        identity=identity,
        name=name,
        metadata=metadata,
        attributes=attributes or {},
        kind=kind,
        permission=ParticipantPermission(
            can_subscribe=True,
            can_publish=True,
            can_publish_data=True,
            can_update_metadata=is_agent,
            hidden=hidden,
            agent=is_agent,
        ),
        client_protocol=2,
        capabilities=_CAPABILITIES,
    )
