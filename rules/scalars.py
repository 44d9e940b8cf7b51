"""What an unquoted word of a rule file is: YAML 1.2's core schema, and nothing of YAML 1.1.

So `on` and `yes` are text, `010` is ten, and a date stays the text it was written as.
"""

from __future__ import annotations

import re
from typing import Final

Constant = str | int | float | bool | None

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]+\Z")
_BASED: Final = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_MAX_DIGITS: Final = 300


def plain_scalar(text: str) -> Constant:
    """Read an unquoted word.

    Raises:
        ValueError: a number JSON has no place for: not finite, or absurdly long.
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    return _number(text)


def tagged_scalar(tag: str, text: str) -> Constant:
    """Read a word with an explicit tag such as `!!str`.

    Raises:
        ValueError: the tag is not one of YAML's own, or the word does not fit it.
    """
    short = tag.removeprefix("tag:yaml.org,2002:")
    if short == "str" or tag == "!":
        return text
    value = plain_scalar(text)
    expected = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(short)
    if expected is None:
        msg = f"the tag '{tag}' means nothing here: write the value itself"
        raise ValueError(msg)
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        msg = f"'{text[:60]}' is not a {short}"
        raise ValueError(msg)
    return value


def paired(text: str) -> str:
    """The text with surrogate pairs, as JSON's escapes have them, joined.

    Raises:
        ValueError: a half pair, which no file and no message can hold.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        msg = "half of a surrogate pair is no character"
        raise ValueError(msg) from None


def _number(text: str) -> Constant:
    if _NOT_FINITE.match(text):
        msg = f"'{text}' is not a number a rule can use: quote it if it is text"
        raise ValueError(msg)
    if not (_INT.match(text) or _BASED.match(text) or _FLOAT.match(text)):
        return text
    if len(text) > _MAX_DIGITS:
        msg = f"a number of {len(text)} digits: quote it if it is text"
        raise ValueError(msg)
    if _INT.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        msg = f"'{text}' is too large a number: quote it if it is text"
        raise ValueError(msg)
    return number
