"""A process that could not read what a newer version keeps in Redis does not start."""

from __future__ import annotations

import subprocess
import sys

import pytest
from redis import Redis

from service import embedded
from tests.environment import needed
from tests.service.cli import dispatcher
from tests.service.conftest import RULES
from tests.service.signed import KEY, SECRET
from tests.up import Up
from tests.waiting import eventually
from workers import keys
from workers.connection import embedded_socket
from workers.schema import SCHEMA

TOLD = (
    f"error: the state in Redis is of schema version {SCHEMA + 1}, this version of dispatcher reads"
    f" up to {SCHEMA}: run the newer version, or let REDIS_URL lead to another database\n"
)


@pytest.mark.parametrize("command", ["serve", "worker", "up"])
def test_it_is_one_line_and_status_1(environ, redis, command):
    redis.set(keys.SCHEMA, SCHEMA + 1)
    done = dispatcher(command, environ=environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == TOLD
    assert redis.keys("*") == [keys.SCHEMA.encode()]


def test_up_with_a_valkey_of_its_own_stops_it_and_says_so(tmp_path):
    environ = {
        "LIVEKIT_URL": "ws://127.0.0.1:1",
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
    }
    data = tmp_path / "data"
    valkey = Redis(unix_socket_path=str(embedded_socket(data)))
    with Up(tmp_path, RULES, environ) as up, valkey as redis:
        assert redis.get(keys.SCHEMA) == str(SCHEMA).encode()
        redis.set(keys.SCHEMA, SCHEMA + 1)
    done = up.run("up")
    assert done.returncode == 1
    assert done.stderr.endswith(TOLD)
    assert "child_killed" not in done.stderr
    eventually(lambda: embedded.running(data) is None)


def test_a_worker_whose_redis_comes_late_looks_then(environ, redis, tmp_path):
    redis.set(keys.SCHEMA, SCHEMA + 1)
    late, log = tmp_path / "late.sock", tmp_path / "log"
    environ = {**needed(), **environ, "REDIS_URL": f"unix://{late}"}
    with log.open("w") as stderr:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "service", "worker"], env=environ, stderr=stderr
        )
    try:
        eventually(lambda: "redis_away" in log.read_text(), timeout=30)
        late.symlink_to(redis.connection_pool.connection_kwargs["path"])
        assert worker.wait(30) == 1
    finally:
        worker.kill()
        worker.wait()
    assert log.read_text().endswith(TOLD)
