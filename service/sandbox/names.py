"""Ids and secrets as LiveKit makes them: `RM_XiCSsvsvXhKP`."""

from __future__ import annotations

import os
from typing import Final

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(prefix: str) -> str:
    """A fresh id: the prefix (`RM_`, `PA_`, `TR_`, `AD_`, `AJ_`, `EV_`, …) and 12 characters."""
    return prefix + _letters(12)


def new_turn_password() -> str:
    """The secret the real server sends along with every room; nothing may ever show it."""
    return _letters(43)


def nanoseconds(seconds: float) -> int:
    """A time as dispatches and jobs have it."""
    return int(seconds * 1_000_000_000)


def _letters(count: int) -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(count))
