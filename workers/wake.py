"""The wake-up: one RQ job that tells a worker's loop to look at the due-queue.

A wake-up is not an event. It carries nothing, may be lost (every loop looks every 250 ms anyway)
and may come twice. One serves however many rooms are due.

A caller does not wait for RQ to make a job: one lies ready, and the script that accepts an event
puts its id into RQ's queue. The web process makes the next one ready when it has answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from workers import keys
from workers.entries import QUEUED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

FAILURE_SECONDS: Final = 3600
_FUNCTION: Final = "workers.wake.drain"
READY_SECONDS: Final = 3600
"""How long one lies ready: not for ever, as nobody else would ever remove its job."""


class Drains(Protocol):
    """What a wake-up wakes: the loop of this process."""

    def stir(self) -> None:
        """Look at the due-queue soon."""

    def drain(self) -> None:
        """Look at it now; return when what is due is taken, or every place is."""


class WakeJob(Job):
    """A wake-up, whatever a job in Redis says that it is.

    RQ calls any function by its name, with arguments: whoever could write to Redis could run any
    program as a worker. Here nothing else is called, before a job, for it or after it.
    """

    @property
    def func(self) -> Callable[[], None]:
        """What RQ calls.

        Raises:
            ValueError: the job is for something else.
        """
        if self.func_name != _FUNCTION or self.instance is not None:
            raise ValueError(f"this queue is for wake-ups, not for {self.func_name!r:.100}")
        return drain

    @property
    def success_callback(self) -> None:
        """None."""

    @property
    def failure_callback(self) -> None:
        """None."""

    @property
    def stopped_callback(self) -> None:
        """None."""


_loop_of_this_process: Drains | None = None


def wake(redis: redis.Redis) -> None:
    """Put one wake-up into the queue.

    Raises:
        RedisError: it could not be written; what was accepted is found at the next look.
    """
    queue = _queue(redis)
    queue.enqueue_job(_job(queue, QUEUED_SECONDS))


def make_ready(redis: redis.Redis) -> None:
    """Have the next wake-up lie ready, if none does.

    Raises:
        RedisError: it could not be written; the next event is told to `wake`.
    """
    queue = _queue(redis)
    job = _job(queue, READY_SECONDS + QUEUED_SECONDS)
    with redis.pipeline() as pipe:
        job.set_status(JobStatus.QUEUED, pipeline=pipe)
        job.save(pipeline=pipe)
        job.cleanup(job.ttl, pipeline=pipe)  # RQ's word for having it expire
        pipe.sadd(queue.redis_queues_keys, queue.key)
        pipe.set(keys.READY, job.id, nx=True, ex=READY_SECONDS)
        *_, taken = pipe.execute()
    if not taken:
        job.delete()


def _queue(redis: redis.Redis) -> Queue:
    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)


def _job(queue: Queue, ttl: int) -> Job:
    # No job id of our own: a killed job would hold its id and block every later wake-up. No time
    # limit either: RQ's is a signal in the middle of whatever the process is doing.
    return queue.create_job(
        _FUNCTION,
        timeout=-1,
        result_ttl=0,
        failure_ttl=FAILURE_SECONDS,
        ttl=ttl,
        description="drain",
    )


def serve(loop: Drains | None) -> None:
    """Say which loop the wake-ups of this process go to."""
    global _loop_of_this_process  # noqa: PLW0603 - RQ calls a module's function, with no instance
    _loop_of_this_process = loop


def stir() -> None:
    """A wake-up has come; its job follows."""
    if _loop_of_this_process is not None:
        _loop_of_this_process.stir()


def drain() -> None:
    """Do the job RQ calls: hand over to this process's loop."""
    if _loop_of_this_process is None:
        msg = "this queue needs `dispatcher worker`; a plain `rq worker` has no loop to wake"
        raise RuntimeError(msg)
    _loop_of_this_process.drain()
