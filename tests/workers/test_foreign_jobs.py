"""Whoever can write to Redis can put jobs into the queue: a worker runs none but wake-ups."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from rq import Callback, Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from workers import keys, wake
from workers.worker import DrainWorker, WakeQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

MARK = "foreign_jobs_mark"


class Loop:
    """Of a worker process; it counts wake-ups."""

    def __init__(self) -> None:
        self.drains = 0

    def stir(self) -> None:
        pass

    def drain(self) -> None:
        self.drains += 1


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    wake.serve(made)
    yield made
    wake.serve(None)


def put(redis: Redis, function: str, *args: Any, **more: Any) -> Any:
    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).enqueue(
        function, *args, **more
    )


def work(redis: Redis) -> None:
    """As `dispatcher worker` does, until the queue is empty."""
    queue = WakeQueue(keys.QUEUE, connection=redis, serializer=JSONSerializer)
    worker = DrainWorker([queue], connection=redis, serializer=JSONSerializer)
    worker.stopping = threading.Event()
    worker.work(burst=True, logging_level="CRITICAL")


@pytest.mark.parametrize("function", ["os.system", "subprocess.getoutput", "posix.system"])
def test_a_program_is_not_run(redis: Redis, loop: Loop, tmp_path: Path, function: str) -> None:
    job = put(redis, function, f"touch {tmp_path}/mark")
    work(redis)
    assert not (tmp_path / "mark").exists()
    assert job.get_status(refresh=True) == JobStatus.FAILED
    assert loop.drains == 0


def test_a_module_is_not_even_imported(
    redis: Redis, loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{MARK}.py").write_text(f"import os\nos.environ['{MARK}'] = 'run'\nf = print\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    put(redis, f"{MARK}.f")
    for when in ("on_success", "on_failure", "on_stopped"):
        put(redis, "workers.wake.drain", **{when: Callback(f"{MARK}.f")})
        put(redis, "os.getcwd", **{when: Callback(f"{MARK}.f")})
    work(redis)
    assert MARK not in os.environ
    assert MARK not in sys.modules
    assert loop.drains == 3


def test_a_method_of_something_is_not_called(redis: Redis, loop: Loop) -> None:
    job = put(redis, "workers.wake.drain")
    job._instance, job._func_name = "{0.__class__}", "format"
    job._data = job.serializer.dumps(("format", "{0}", ["x"], {}))
    job.save()
    work(redis)
    assert loop.drains == 0


def test_a_wake_up_is_one_whatever_stands_before_it(redis: Redis, loop: Loop) -> None:
    for _ in range(3):
        put(redis, "os.abort")
        wake.wake(redis)
    work(redis)
    assert loop.drains == 3
