"""The token VideoSDK is called with: signed here and kept until it is nearly over, or given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.videosdk_account import VideoSdkAccount

TOKEN_SECONDS: Final = 600
"""How long a token is good: room for clocks that differ."""
RENEWED_SECONDS: Final = 120
"""A token with less time left is not used any more."""


class Tokens:
    """The tokens of one account.

    Claims: https://docs.videosdk.live/api-reference/realtime-communication/intro; a `crawler` may
    call the API and join no meeting.
    """

    def __init__(self, account: VideoSdkAccount, clock: Callable[[], float] = time.time) -> None:
        self._account = account
        self._clock = clock
        self._signed = ""
        self._over_at = 0.0

    def now(self) -> str:
        """The token for a call that begins now."""
        if self._account.token:
            return self._account.token
        if self._over_at - self._clock() < RENEWED_SECONDS:
            self._sign()
        return self._signed

    def after(self, refused: str) -> str | None:
        """Another token than one that was refused; None: there is no other."""
        if self._account.token:
            return None
        if self._signed == refused:
            self._sign()
        return self._signed

    def _sign(self) -> None:
        over_at = int(self._clock()) + TOKEN_SECONDS
        claims = {
            "apikey": self._account.api_key,
            "permissions": ["allow_join"],
            "version": 2,
            "roles": ["crawler"],
            "exp": over_at,
        }
        self._signed = jwt.encode(claims, self._account.secret, algorithm="HS256")
        self._over_at = over_at
