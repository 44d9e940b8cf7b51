"""The environment of processes that tests start."""

from __future__ import annotations

import os
from typing import Final

_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


def needed() -> dict[str, str]:
    """What any process needs of ours. Nothing else reaches it: settings of the service might."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}
