"""JSON from elsewhere, no deeper and with no longer numbers than anything here means.

Python's reader stops at a thousand levels and numbers of 4,300 digits, some of what works on the
result much earlier, and each part elsewhere. What LiveKit sends has eight levels.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_LEVELS: Final = 64
MOST_DIGITS: Final = 20
"""Of a whole number: 64 bits have as many."""


def read_json(raw: bytes | str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON as RFC 8259 has it, in UTF-8, within limits.

    Raises:
        ValueError: it is none, is nested too deeply, or has a number that is too large.
    """
    text = raw if isinstance(raw, str) else raw.decode()
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # Most texts have too few brackets to be deep.
    if text.count("{") + text.count("[") > MOST_LEVELS and _is_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP: Final = f"it is nested deeper than {MOST_LEVELS} levels"


def _is_deep(value: object) -> bool:
    level = _containers([value])
    for _ in range(MOST_LEVELS):
        level = _containers(
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        )
        if not level:
            return False
    return True


def _containers(values: Iterable[object]) -> list[dict[str, object] | list[object]]:
    return [each for each in values if isinstance(each, dict | list)]


def _whole_number(text: str) -> int:
    digits = len(text.removeprefix("-"))
    if digits > MOST_DIGITS:
        raise ValueError(f"a number of {digits} digits is too large: {MOST_DIGITS} are allowed")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:30]} is too large")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(
    parse_constant=_refuse, parse_int=_whole_number, parse_float=_number
)
