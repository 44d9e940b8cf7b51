"""Why a dispatch is where it is: the reasons that are ours, and how they are told.

A dispatch's `reason` begins with a word that stays the same; words for people may follow a colon.

| reason                | state               | what has happened                                  |
|-----------------------|---------------------|----------------------------------------------------|
| `room_ended`          | ended, failed,      | the room's session is over                         |
|                       | released            |                                                    |
| `no_worker`           | pending, failed,    | no worker took the job                             |
|                       | superseded          |                                                    |
| `never_joined`        | pending, failed,    | a worker took the job and its agent did not come   |
|                       | superseded          |                                                    |
| `left_early`          | ended               | its agent left within 10 s of joining, by itself   |
| `restart`             | scheduled,          | an agent failed, and another is to take its place  |
|                       | requested           |                                                    |
| `restarts_used_up`    | failed              | agents of this claim failed too often              |
| `held`                | pending, active,    | somebody has deleted it by hand, or has ordered    |
|                       | released            | that: then it is being deleted, or it was          |
| `no_room`             | failed              | ordered by hand into a room that is not there      |
| `participant_left`,   | pending, active,    | what its rule's `release` says: it is being        |
| `last_human_left`,    | released            | deleted, or it was                                 |
| `track_unpublished`,  |                     |                                                    |
| `presence`            |                     | (`presence` where `release` has conditions)        |
| `participant_gone`,   | released            | it waited, and is not wanted any more              |
| `condition`           |                     |                                                    |
| `not_configured`      | ended, failed,      | its server is in no worker's settings              |
|                       | released            |                                                    |
| `given_up`            | failed, superseded  | calls did not succeed for 5 minutes                |
| `deployment_ignored`  | failed, superseded  | the server is too old for deployments              |
| `dry_run_over`        | dry_run             | the dry run is over, and it frees its claim        |

An agent that leaves gives LiveKit's own word as the reason, such as `client_initiated` or
`participant_removed`; a request LiveKit refuses for good gives its words.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.dispatch import Dispatch
    from workers.providers.base import Listed

BEFORE_IT: Final = "; before it: "
"""Between why a dispatch has failed and what was tried before it."""


class Why(StrEnum):
    """The reasons that this service gives of its own."""

    NO_WORKER = "no_worker"
    NEVER_JOINED = "never_joined"
    LEFT_EARLY = "left_early"
    RESTART = "restart"
    RESTARTS_USED_UP = "restarts_used_up"
    HELD = "held"
    NO_ROOM = "no_room"
    PRESENCE = "presence"
    NOT_CONFIGURED = "not_configured"
    GIVEN_UP = "given_up"
    DEPLOYMENT_IGNORED = "deployment_ignored"
    DRY_RUN_OVER = "dry_run_over"


def no_agent(dispatch: Dispatch, listed: Listed) -> str:
    """Why no agent has come for a dispatch, from what LiveKit tells of its jobs."""
    if not listed.jobs:
        which = f"agent '{dispatch.agent}'"
        if dispatch.deployment:
            which += f", deployment '{dispatch.deployment}'"
        return f"{Why.NO_WORKER}: no worker took it; is one registered for {which}, and not full?"
    job = listed.jobs[-1]
    said = f", error: {job.error}" if job.error else ""
    return f"{Why.NEVER_JOINED}: worker {job.worker_id} took it, its agent has not joined{said}"


def all_tried(dispatch: Dispatch, why: str) -> str:
    """Why a dispatch has failed, and what was tried before it."""
    return BEFORE_IT.join([why, *([" | ".join(dispatch.tried)] if dispatch.tried else [])])


def attempt_told(dispatch: Dispatch, why: str) -> str:
    """What became of one rung, in words for those that follow."""
    where = f" ({dispatch.deployment})" if dispatch.deployment else ""
    return f"{dispatch.agent}{where}: {why}"


def left_early(after: float) -> str:
    """Its agent was hardly there: an exception in an agent's entrypoint looks like that."""
    return f"{Why.LEFT_EARLY}: it joined and left after {max(after, 0.0):.1f} s"


def restarts_used_up(times: int, because: str) -> str:
    """It has failed again and again."""
    return f"{Why.RESTARTS_USED_UP}: it failed {times + 1} times in 10 minutes, last: {because}"
