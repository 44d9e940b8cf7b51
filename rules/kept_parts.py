"""Rooms and participants as they are kept: without what the protocol's defaults say anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.protocol import DEFAULTS, PERMISSION_DEFAULTS

if TYPE_CHECKING:
    from rules.protocol import Fields


class Whole(dict[str, Any]):
    """A whole part with its kept form: a room of thousands is written again at each join."""

    __slots__ = ("kept",)
    kept: Fields


def whole(part: str, fields: Fields) -> Whole:
    """A whole part that is to be written more than once."""
    found = Whole(fields)
    found.kept = without_defaults(part, fields)
    return found


def without_defaults(part: str, whole: Fields) -> Fields:
    """A whole part without what `with_defaults` puts back: for keeping many of them."""
    if isinstance(whole, Whole):
        return whole.kept
    defaults = DEFAULTS[part]
    kept = {k: v for k, v in whole.items() if k not in defaults or v != defaults[k]}
    if "permission" in kept:
        given = kept["permission"].items()
        kept["permission"] = {k: v for k, v in given if v != PERMISSION_DEFAULTS.get(k)}
    return kept


def with_defaults(part: str, kept: Fields) -> Fields:
    """What `without_defaults` was given."""
    whole = Whole(DEFAULTS[part])
    whole.update(kept)
    whole.kept = kept
    if part == "participant":
        whole["permission"] = {**PERMISSION_DEFAULTS, **whole["permission"]}
    return whole
