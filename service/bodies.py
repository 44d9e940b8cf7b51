"""Bodies of requests, read no further than they may be long."""

from __future__ import annotations

import re
from typing import Final

from flask import request

from service import problems
from service.problems import Problem

MOST_BYTES: Final = 1024 * 1024

_JSON: Final = re.compile(r"application/(?:[a-z0-9.!#$&^_-]+\+)?json")


def json_body(told: str = "Send application/json.") -> bytes:
    """The body of this request, which says that it is JSON.

    `told` is what to do where it does not.

    Raises:
        Problem: it is too long, or says that it is something else.
    """
    raw = _body()
    if not _JSON.fullmatch(request.mimetype):
        raise Problem(problems.NOT_JSON, told)
    return raw


def _body() -> bytes:
    length = request.content_length
    if length is not None and length > MOST_BYTES:
        raise Problem(problems.TOO_LARGE, f"It has {length} bytes; {MOST_BYTES} are allowed.")
    raw = request.stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Problem(problems.TOO_LARGE, f"It has more than {MOST_BYTES} bytes.")
    return raw
