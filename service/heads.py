"""Heads of requests, no longer than anybody means them to be.

granian itself ends a connection whose head has more than 100 headers (431), a URL of more than
65,534 bytes (414), or more in all than some twice `HEAD_BUFFER` (431), without a body; aiohttp, on
a port of DISPATCHER_ADMIN_PORT, one with a line of more than 8,190 bytes (400). What is shorter
than that and too long all the same is told why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service import problems
from service.problems import Problem

if TYPE_CHECKING:
    from granian.rsgi import Scope

    from service.admin_port import Asked

HEAD_BUFFER: Final = 32 * 1024
"""granian's buffer, in bytes."""
MOST_URL_BYTES: Final = 8 * 1024
"""Of a path, decoded, and a query together."""
MOST_HEADER_BYTES: Final = 16 * 1024
"""Of names and values together."""


def check_head(scope: Scope | Asked) -> None:
    """Let a request pass whose URL and headers are short enough.

    Raises:
        Problem: one of them is not.
    """
    url = len(scope.path.encode()) + len(scope.query_string)
    if url > MOST_URL_BYTES:
        raise Problem(problems.URL_TOO_LONG, f"It has {url} bytes; {MOST_URL_BYTES} are allowed.")
    size = sum(len(name) + len(value) for name, value in scope.headers.items())
    if size > MOST_HEADER_BYTES:
        raise Problem(
            problems.HEADERS_TOO_LARGE,
            f"Together they have {size} bytes; {MOST_HEADER_BYTES} are allowed.",
        )
