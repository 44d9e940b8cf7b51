"""Runs `dispatcher` as a shell would."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.environment import needed
from workers import keys, scripts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from workers.hold import Document


def dispatcher(
    *args: str, environ: Mapping[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; nothing of our environment but the needed reaches it."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "service", *args],
        env={**needed(), **(environ or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def keep(redis: Redis, document: Document) -> None:
    """Put a document into history, as a worker's commit does."""
    room = "lkd:room:test"
    redis.hset(room, "holder", "test")
    head = [room, "test", 60_000, "", 0, "", 0, 60, "0", 0, 1, keys.MINUTE]
    names = [room, "lkd:inbox:test", "lkd:due:test", keys.ROOMS, keys.HISTORY, keys.ROUTES]
    assert scripts.call(redis, scripts.COMMIT, names, [*head, *document.args()]) == b"ok"
