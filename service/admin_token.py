"""The token that opens the API: the one that is configured, else one of this data directory's own.

It is made once and kept in a file that only this user can read, so that it is the same after a
restart and for every process of this machine.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from service.embedded import DataError, make_private
from workers.settings import check_token

if TYPE_CHECKING:
    from pathlib import Path

    from workers.settings import Settings

FILE: Final = "admin-token"
VARIABLE: Final = "DISPATCHER_ADMIN_TOKEN_FILE"
_BYTES: Final = 32
_MOST_BYTES: Final = 4096
_INSTEAD: Final = "or set DISPATCHER_ADMIN_TOKEN"


def with_admin_token(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings with a token, and the variables that tell other processes of it.

    Raises:
        DataError: none is configured, and none can be kept in the data directory.
    """
    if settings.admin_token is not None:
        return settings, {}
    try:
        make_private(settings.data)
        token = kept_token(settings.data / FILE)
    except DataError as error:
        raise DataError(f"{error}, {_INSTEAD}") from None
    return replace(settings, admin_token=token), {VARIABLE: str(settings.data / FILE)}


def kept_token(path: Path) -> str:
    """The token in a file, made now if there is none; for any number of processes at once.

    Raises:
        DataError: the file cannot be written or read, or holds something else.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # whoever comes second finds it written
            os.fchmod(descriptor, 0o600)
            text = os.read(descriptor, _MOST_BYTES).decode("utf-8", "replace").strip()
            if not text:
                text = secrets.token_urlsafe(_BYTES)
                os.pwrite(descriptor, f"{text}\n".encode(), 0)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be used: {error.strerror}; remove it") from None
    try:
        return check_token(text)
    except ValueError as error:
        raise DataError(f"{str(path)!r} holds no token: {error}; remove it") from None
