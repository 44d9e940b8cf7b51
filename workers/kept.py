"""A dispatch as its room's record keeps it: what is not as it is by default."""

from __future__ import annotations

from dataclasses import MISSING, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

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
        if each.default is not MISSING or each.default_factory is not MISSING
    },
}
_NAMES: Final = tuple(each.name for each in fields(Dispatch))
_LEFT_OUT: Final = tuple(
    MISSING if name in ("state", "step") else _DEFAULTS.get(name, MISSING) for name in _NAMES
)
"""What is not kept of each."""
_values_of: Final = attrgetter(*_NAMES)


def to_record(dispatch: Dispatch) -> dict[str, Any]:
    """A dispatch as JSON; `from_record` reads it back."""
    return {
        name: value
        for name, value, default in zip(_NAMES, _values_of(dispatch), _LEFT_OUT, strict=True)
        if value is not default and value != default  # most are the default itself
    }


def from_record(given: Mapping[str, Any]) -> Dispatch:
    """Read what `to_record` wrote, here or in a version that kept more or less.

    Raises:
        LookupError, TypeError, ValueError: it is not that.
    """
    values = {**_DEFAULTS, **given}
    if len(values) != len(_NAMES):
        values = {name: values[name] for name in _NAMES}
    for name in ("fallback", "tried", "restarts"):
        values[name] = tuple(values[name])
    if values["withdrawn"] is not None:
        values["withdrawn"] = State(values["withdrawn"])
    values["moves"] = tuple([Move(at, State(s), r) for at, s, r in values["moves"]])
    values["state"] = State(values["state"])
    values["step"] = Step(values["step"])
    return made(Dispatch, values)
