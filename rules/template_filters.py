"""The filters of rule templates: Jinja's own, but those that escape HTML, are not deterministic,
or build text of any length from a number.
"""

from __future__ import annotations

import json
from collections.abc import Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from jinja2 import pass_environment
from jinja2.exceptions import SecurityError
from jinja2.filters import do_sum

from rules.template_budget import MAX_LENGTH, compared, kept_short
from rules.template_values import Fields, fields_of, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2 import Environment

_MAX_INDENT: Final = 8
_MAX_PRECISION: Final = 15
_FROM_JINJA: Final = """
    abs capitalize count d default dictsort first float int last length lower map max min
    reject rejectattr reverse select selectattr sort title truncate unique upper urlencode wordcount
""".split()  # noqa: SIM905 - as words in a sentence


def filters(of_jinja: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The filters by name."""
    kept = {name: of_jinja[name] for name in _FROM_JINJA}
    ours: dict[str, Callable[..., Any]] = {
        "items": _items,
        "join": _join,
        "list": _list,
        "replace": _replace,
        "round": _round,
        "string": _string,
        "sum": _sum,
        "tojson": to_json,
        "trim": _trim,
    }
    return {**kept, **ours}


def to_json(value: object, indent: int | None = None) -> str:
    """`tojson`: plain JSON, not escaped for HTML as Jinja's own is.

    Raises:
        TypeError: it is nothing JSON can say, such as something undefined.
        ValueError: it is not a finite number.
    """
    if indent is not None:
        indent = max(0, min(indent, _MAX_INDENT))
    _kept_small(value, MAX_LENGTH)
    separators = (",", ":") if indent is None else None
    return json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=separators,
        default=_plain,
    )


def _kept_small(value: object, left: int) -> int:
    """How much is left of an allowance of characters after a value, however often it is shared."""
    if left < 0:
        kept_short(MAX_LENGTH + 1)
    plain = _plain(value) if isinstance(value, Fields) else value
    if isinstance(plain, str):
        return left - len(plain)
    if isinstance(plain, dict):
        for key, item in plain.items():
            left = _kept_small(item, left - len(str(key)))
    elif isinstance(plain, list | tuple):
        for item in plain:
            left = _kept_small(item, left)
    return left - 1


def _plain(value: object) -> object:
    if isinstance(value, Fields):
        return value.plain
    msg = f"tojson cannot write {type(value).__name__}"
    raise TypeError(msg)


def _items(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    fields = fields_of(value)
    return list(fields.items()) if fields is not None else list(value.items())


def _list(value: Iterable[Any]) -> list[Any]:
    if isinstance(value, Sized):
        kept_short(len(value))
    return list(islice(value, MAX_LENGTH))


def _string(value: object) -> str:
    return str(spoken(value))


@pass_environment
def _join(
    environment: Environment, value: Iterable[Any], d: object = "", attribute: str | None = None
) -> str:
    if attribute is not None:
        value = (environment.getitem(item, attribute) for item in value)
    texts = [str(spoken(item)) for item in value]
    kept_short(sum(map(len, texts)) + len(texts) * len(str(d)))
    return str(d).join(texts)


@pass_environment
def _sum(
    environment: Environment,
    iterable: Iterable[Any],
    attribute: str | int | None = None,
    start: object = 0,
) -> object:
    if not isinstance(start, int | float):
        msg = "'sum' adds numbers: its start must be one"  # lists are copied for each that is added
        raise SecurityError(msg)
    return do_sum(environment, iterable, attribute, start)


def _trim(value: object, chars: str | None = None) -> str:
    text = str(value)
    compared(text, chars)
    return text.strip(chars)


def _replace(value: object, old: str, new: str, count: int | None = None) -> str:
    text = str(value)
    kept_short(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
    return text.replace(old, new, -1 if count is None else count)


def _round(value: float, precision: int = 0) -> float:
    return round(value, max(-_MAX_PRECISION, min(precision, _MAX_PRECISION)))
