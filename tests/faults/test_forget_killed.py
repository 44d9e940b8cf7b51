"""`dispatcher forget` may die at any moment: begun again, it goes on with the rest."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.environment import needed
from tests.waiting import eventually
from tests.workers.test_forgetting import event, forget, kept, left
from workers import keys

if TYPE_CHECKING:
    from redis import Redis

EACH = 1500


def test_killed_midway_and_run_again_it_completes(redis: Redis, redis_url: str) -> None:
    for number in range(EACH):
        event(redis, f"EV_a{number}", "ana")
        kept(redis, id=f"Da{number}", participant="ana")
    event(redis, "EV_ben", "ben", of_room={"metadata": '{"owner":"ana"}'})
    command = [sys.executable, "-P", "-m", "service", "forget", "--identity", "ana", "--yes"]
    environ = {**needed(), "REDIS_URL": redis_url}
    kills = 0
    while True:
        there = redis.dbsize()
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
            if kills < 3:
                eventually(lambda at=there: redis.dbsize() < at, timeout=30, interval=0)
                process.kill()
                kills += process.wait() != 0
                continue
            assert there > EACH, "it was killed before it had come far"
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        break
    assert left(redis) == (["EV_ben"], [])
    assert forget(redis).total == 0
    lists = [*redis.scan_iter(f"{keys.EVENTS_OF}*"), *redis.scan_iter(f"{keys.DISPATCHES_OF}*")]
    assert sum(redis.llen(name) for name in lists) == 1
    assert redis.zcard(keys.EVENTS) == 1
