"""A dispatch as it is kept: what is not as it is by default, and is not told beside it anyway."""

from __future__ import annotations

from dataclasses import MISSING, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from rules.decision import subject_of
from rules.frozen import made
from workers.dispatch import Dispatch
from workers.states import Move, State, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

_USUAL: Final[Mapping[str, Any]] = {
    "provider": "livekit",
    "deployment": "",
    "metadata": "",
    "attributes": {},
    "restart_policy": "on_failure",
}
"""What most dispatches have: a hundred bytes of each live room."""
_DEFAULTS: Final[Mapping[str, Any]] = {
    **_USUAL,
    **{
        each.name: {} if each.default is MISSING else each.default
        for each in fields(Dispatch)
        if (each.default is not MISSING or each.default_factory is not MISSING)
        and each.name != "wanted_at"  # most are wanted when they are decided
    },
}
_NAMES: Final = tuple(each.name for each in fields(Dispatch))
_LEFT_OUT: Final = tuple(
    MISSING if name in ("state", "step", "wanted_at") else _DEFAULTS.get(name, MISSING)
    for name in _NAMES
)
"""What is not kept of each."""
_values_of: Final = attrgetter(*_NAMES)
_NOTHING: Final[Mapping[str, Any]] = {}


def to_record(dispatch: Dispatch, told: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """A dispatch as JSON; `from_record` reads it back.

    `told` is what whoever reads it will know anyway: fields without a default, and their values.
    """
    kept = {
        name: value
        for name, value, default in zip(_NAMES, _values_of(dispatch), _LEFT_OUT, strict=True)
        if value is not default and value != default  # most are the default itself
    }
    for name, value in told.items():
        if kept.get(name) == value:
            del kept[name]
    if dispatch.wanted_at == dispatch.created_at:
        del kept["wanted_at"]
    if dispatch.subject == subject_of(dispatch.claim):
        del kept["subject"]
    if dispatch.unknown:
        del kept["unknown"]
        return {**dispatch.unknown, **kept}
    return kept


def from_record(given: Mapping[str, Any], told: Mapping[str, Any] = _NOTHING) -> Dispatch:
    """Read what `to_record` wrote, here or in a version that kept more or less.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    values = {**_DEFAULTS, **told, **given}
    values.setdefault("wanted_at", values["created_at"])
    values.setdefault("subject", subject_of(values["claim"]))
    if len(values) != len(_NAMES):
        unknown = {name: value for name, value in given.items() if name not in _NAMES}
        values = {name: values[name] for name in _NAMES} | {"unknown": unknown}
    for name in ("fallback", "tried", "restarts", "known_as"):
        values[name] = tuple(values[name])
    if values["withdrawn"] is not None:
        values["withdrawn"] = State(values["withdrawn"])
    values["moves"] = tuple([Move(m[0], State(m[1]), m[2]) for m in values["moves"]])
    values["state"] = State(values["state"])
    values["step"] = Step(values["step"])
    return made(Dispatch, values)
