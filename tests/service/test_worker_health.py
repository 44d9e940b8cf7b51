"""`dispatcher worker --healthy`, which containers and pods ask for their worker's health."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environment import needed
from tests.service.cli import dispatcher
from tests.service.conftest import RULES
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def environ(tmp_path: Path, redis_url: str) -> dict[str, str]:
    (tmp_path / "rules.yaml").write_text(RULES)
    return {
        "LIVEKIT_URL": "http://127.0.0.1:9",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "a-secret-that-has-more-than-32-characters",
        "DISPATCHER_RULES": str(tmp_path / "rules.yaml"),
        "REDIS_URL": redis_url,
    }


@pytest.fixture
def worker(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "service", "worker"],
        env={**needed(), **environ},
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()


def _status(environ: dict[str, str]) -> int:
    return dispatcher("worker", "--healthy", environ=environ).returncode


def test_without_a_worker_the_answer_is_no(environ: dict[str, str]) -> None:
    done = dispatcher("worker", "--healthy", environ=environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no worker on this host is at work")


def test_a_worker_that_hangs_is_not_healthy_until_it_goes_on(
    environ: dict[str, str], worker: subprocess.Popen[bytes]
) -> None:
    eventually(lambda: _status(environ) == 0, timeout=30)
    os.kill(worker.pid, signal.SIGSTOP)
    eventually(lambda: _status(environ) == 1, timeout=30)
    os.kill(worker.pid, signal.SIGCONT)
    eventually(lambda: _status(environ) == 0, timeout=30)


def test_where_redis_does_not_answer_it_says_so(environ: dict[str, str]) -> None:
    done = dispatcher(
        "worker", "--healthy", environ={**environ, "REDIS_URL": "redis://127.0.0.1:9"}
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot use the Redis at redis://127.0.0.1:9")
    assert done.stderr.count("\n") == 1
