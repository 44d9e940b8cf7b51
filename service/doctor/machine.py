"""This machine: where files are kept, how many may be open, and the admin token."""

from __future__ import annotations

import os
import resource
import shutil
from typing import TYPE_CHECKING, Final

from service import embedded
from service.admin_token import FILE, VARIABLE
from service.doctor.findings import failed, ok, warning
from service.serve import FILES
from workers.connection import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.doctor.findings import Finding
    from workers.settings import Settings

FREE_BYTES: Final = 1_000_000_000
"""A disk with less than this fills up before somebody has seen it."""
FEW_FILES: Final = 1024


def data_directory(settings: Settings) -> Iterator[Finding]:
    """Whether the embedded Valkey can keep its files."""
    data = settings.data
    there = next(path for path in (data, *data.parents) if path.exists())
    if data.exists() and not (data.is_dir() and private(data)):
        found = f"DISPATCHER_DATA={str(data)!r} is not a directory of this user's alone"
        todo = f"chown it to this user and chmod 700 {data}"
        if data.is_dir() and data.stat().st_uid != os.geteuid():
            todo = f"run this as {_owner(data)}, or {todo} if that is who starts the service"
        elif data.is_dir():
            todo = f"choose another directory, or chmod 700 {data}"
        yield failed("data directory", found, todo)
    elif not os.access(there, os.W_OK | os.X_OK):
        found = f"DISPATCHER_DATA={str(data)!r} cannot be written: {str(there)!r} is closed"
        yield failed("data directory", found, "set DISPATCHER_DATA to another directory")
    else:
        yield _room_on_disk(data, there)
    try:
        embedded.command(data)
    except embedded.DataError as error:
        yield failed("data directory", str(error), "set REDIS_URL")


def open_files() -> Iterator[Finding]:
    """How many files this user may have open: `serve` lifts its limit that far by itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        shown = "as many as wanted" if hard == resource.RLIM_INFINITY else str(hard)
        yield ok("open files", f"{shown} may be open")
        return
    found = f"{hard} may be open, and a connection is one: {FILES} are enough for every web process"
    todo = f"lift the hard limit (ulimit -Hn, LimitNOFILE=) to {FILES}"
    few = failed if hard < FEW_FILES else warning
    yield few("open files", found, todo)


def admin_token(settings: Settings) -> Iterator[Finding]:
    """Whether there is one that opens the API and the dashboard."""
    if settings.admin_token is not None:
        yield ok("admin token", "it is set")
    elif (settings.data / FILE).exists():
        yield ok("admin token", f"`dispatcher up` keeps one in {settings.data / FILE}")
    elif settings.redis_url is None:
        yield ok("admin token", "`dispatcher up` makes one when it starts")
    else:
        found = "there is none: `dispatcher serve` does not start without"
        yield warning("admin token", found, f"set DISPATCHER_ADMIN_TOKEN or {VARIABLE}")


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # a container's user has a number alone
        return f"user {path.stat().st_uid}"


def _room_on_disk(data: Path, there: Path) -> Finding:
    free = shutil.disk_usage(there).free
    found = f"{data} can be written, {free / 1e9:.1f} GB are free"
    if free >= FREE_BYTES:
        return ok("data directory", found)
    todo = "make room: Valkey ends when the disk is full"
    return warning("data directory", found, todo)
