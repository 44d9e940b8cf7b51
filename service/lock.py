"""One service to a data directory: whoever holds the lock may start and stop its Valkey."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from service.embedded import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold a data directory; the kernel lets go of it however this process ends.

    Raises:
        DataError: another process holds it, the message says which; or its lock cannot be opened.
    """
    try:
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataError(
            f"DISPATCHER_DATA: {str(data / 'lock')!r} cannot be opened: {error.strerror};"
            " remove it, or choose another directory"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise DataError(
                f"another `dispatcher up` (process {holder}) works in {str(data)!r}: stop it,"
                " or set DISPATCHER_DATA to another directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
