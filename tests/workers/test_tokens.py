"""What CreateDispatch is called with: a token as livekit-api would sign it."""

from __future__ import annotations

import asyncio
import time

import jwt
from livekit.api import AccessToken, TokenVerifier, VideoGrants

from workers.providers.livekit import LiveKit
from workers.servers import Server

SERVER = Server("http://127.0.0.1:1", "APIkey", "a-secret-that-is-long-enough-for-sha256")


async def signed(room: str) -> str:
    provider = LiveKit(SERVER, calls=1)
    try:
        return provider._token(room)
    finally:
        await provider.aclose()


def test_the_token_grants_what_livekit_api_would() -> None:
    theirs = AccessToken(SERVER.api_key, SERVER.api_secret)
    theirs = theirs.with_grants(VideoGrants(room_admin=True, room="support-1"))
    verify = TokenVerifier(SERVER.api_key, SERVER.api_secret).verify
    assert verify(asyncio.run(signed("support-1"))).video == verify(theirs.to_jwt()).video


def test_the_token_is_good_for_minutes_only() -> None:
    claims = jwt.decode(asyncio.run(signed("a")), SERVER.api_secret, algorithms=["HS256"])
    assert 60 < claims["exp"] - time.time() <= 600
    assert claims["iss"] == SERVER.api_key
