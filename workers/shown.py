"""A dispatch as the API, the command line and history show it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from workers.clock import rfc3339
from workers.dispatch import Dispatch

_ABSENT: Final = ("room_sid", "rule", "rules_hash", "dispatch_id")
"""What one that was ordered by hand, or is of a provider without ids, may not have."""
SHOWN: Final = tuple(each.name for each in fields(Dispatch) if not each.metadata)
"""Names of what is shown."""


def shown(dispatch: Dispatch) -> dict[str, Any]:
    """What people see of it: the fields of `service.api.models.Dispatch`."""
    told = {name: getattr(dispatch, name) for name in SHOWN}
    return {
        **told,
        **{name: told[name] or None for name in _ABSENT},
        "attributes": dict(dispatch.attributes),
        **{name: rfc3339(told[name]) for name in told if name.endswith("_at")},
    }
