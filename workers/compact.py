"""JSON as it is kept and sent: nothing between what is told."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson


def _plain(value: Any) -> object:  # noqa: ANN401 - any JSON
    return list(value) if isinstance(value, tuple) else dict(value)


_everything: Final = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def compact(value: Any) -> str:  # noqa: ANN401 - any JSON
    """The JSON text of a value, in which mappings and tuples may stand for objects and arrays.

    A webhook may hold what orjson refuses (half a surrogate pair, an integer of more than 64 bits):
    that takes the way of the standard library, which writes all of it.
    """
    try:
        return orjson.dumps(value, default=_plain).decode()
    except orjson.JSONEncodeError:
        return _everything(value)
