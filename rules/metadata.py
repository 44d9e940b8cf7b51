"""The JSON object that a room's or participant's metadata may hold.

Metadata is text that anyone who may set it chose. Text that is not one JSON object simply has no
fields: it never is an error.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, NoReturn

_NOTHING: Final[dict[str, Any]] = {}


_LONG: Final = 4096
"""Characters. What such a text unfolds into may be fifty times as large."""


def json_object(text: str) -> dict[str, Any]:
    """Fields of the JSON object a text holds; no fields if it holds anything else.

    The answer is shared: do not change it. Few long texts are remembered: whoever may set metadata
    would fill the memory with them.
    """
    return _short(text) if len(text) <= _LONG else _long(text)


def _read(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return _NOTHING
    try:
        value = json.loads(text, parse_constant=_not_json)
        if "\\u" in text:
            value = _mended(value)
    except (ValueError, RecursionError):
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING


_short: Final = lru_cache(maxsize=128)(_read)
_long: Final = lru_cache(maxsize=4)(_read)


def well_formed(text: str) -> str:
    """The text with half surrogate pairs, which no encoding can hold, replaced by `?`."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _mended(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): _mended(item) for key, item in value.items()}
    return value


def _not_json(word: str) -> NoReturn:
    msg = f"{word} is not JSON"
    raise ValueError(msg)
